"""Pseudo-labels: which test clips are labelled, who learns from them, and that no test label gets anywhere near."""

import copy
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import softmax

from fixtures.made_up_scores import as_scores, made_up_stream
from fixtures.release_files import write_lines
from fixtures.training_clips import make_clips, make_step, write_shards
from microgesture.config.whole import load_config
from microgesture.corpora import list_clips
from microgesture.ensembles.ensemble import run_ensemble
from microgesture.ensembles.fusion import Fitting
from microgesture.ensembles.pseudo_labels import make_pseudo_labels, read_pseudo_labels, sure_clips, with_pseudo_labels
from microgesture.errors import InputError
from microgesture.machine.resources import Resources
from microgesture.networks import build
from microgesture.storage.clips import Clips, write_clips
from microgesture.storage.scores import Scores, read_probabilities, write_predictions, write_scores
from microgesture.streams.train import train
from microgesture.workflow.plan import Plan

CLASSES = ("wave", "nod", "shrug", "point")
STREAMS = ("one", "two")
SPLITS = ["train"] * 30 + ["val"] * 30 + ["test"] * 20


def test_which_clips_are_sure_by_hand():
    probabilities_NK = np.array([[0.9, 0.1], [0.6, 0.4], [0.7, 0.3], [0.2, 0.8], [0.65, 0.35], [0.8, 0.2]])
    votes_NS = np.array([[0, 0], [0, 0], [0, 1], [1, -1], [0, 0], [0, 0]])
    sure = sure_clips(probabilities_NK, votes_NS, 0.65)
    assert sure.tolist() == [True, False, True, True, False, True]
    assert sure_clips(probabilities_NK, votes_NS, 0.65, agreement=True).tolist() == [1, 0, 0, 0, 0, 1]
    assert sure_clips(probabilities_NK, votes_NS, 0.65, quota=1).tolist() == [1, 0, 0, 1, 0, 0]
    assert sure_clips(probabilities_NK, votes_NS, 0.65, quota=2).tolist() == [1, 0, 0, 1, 0, 1]


def test_the_first_of_equally_confident_clips_are_within_the_quota():
    confidence_N = np.tile([0.8, 0.9, 0.7], 30)
    sure_N = sure_clips(np.stack((confidence_N, 1 - confidence_N), 1), np.zeros((90, 1), int), 0.65, quota=35)
    assert np.flatnonzero(sure_N).tolist() == sorted([*range(1, 90, 3), *range(0, 15, 3)])


@given(st.integers(0, 10_000), st.floats(0, 0.99), st.integers(1, 5), st.booleans())
@settings(max_examples=50, deadline=None)
def test_a_quota_keeps_the_surest_of_each_class(seed, threshold, quota, agreement):
    probabilities_NK = softmax(np.random.default_rng(seed).normal(0, 2, (40, 4)), 1)
    votes_NS = np.random.default_rng(seed).integers(-1, 4, (40, 2))
    label_N, confidence_N = probabilities_NK.argmax(1), probabilities_NK.max(1)
    every = sure_clips(probabilities_NK, votes_NS, threshold, None, agreement)
    some = sure_clips(probabilities_NK, votes_NS, threshold, quota, agreement)
    assert (every | ~some).all()
    for label in range(4):
        kept, dropped = (confidence_N[(label_N == label) & rows] for rows in (some, every & ~some))
        assert len(kept) == min(quota, (every & (label_N == label)).sum())
        assert not len(dropped) or kept.min() >= dropped.max()


def clips_of(labels_N, test_labels=None):
    """Clips c0, c1, ... in ``SPLITS``; test clips have no label unless wrong ones are planted."""
    table = pd.DataFrame({"clip_id": [f"c{n}" for n in range(80)], "split": SPLITS, "status": "ok"})
    hidden = [None] * 20 if test_labels is None else list(test_labels)
    table["label"] = pd.array([*(int(label) for label in labels_N[:60]), *hidden], "Int32")
    table["subject"] = table["recording"] = [f"s{n // 4}" for n in range(80)]
    return Clips(table, CLASSES, CLASSES)


def run_base(folder: Path, clips: Clips, unusable=(), **options) -> Path:
    """The base ensemble of two made-up streams and its pseudo-labels, in files."""
    for seed, stream in enumerate(STREAMS):
        said = as_scores(3 * made_up_stream(seed, clips=80)[0], unusable)
        for split in ("val", "test"):
            ids = set(clips.table.clip_id[clips.table.split == split])
            write_scores(folder / stream / f"{split}.parquet", part(said, ids))
    files = {stream: {split: folder / stream / f"{split}.parquet" for split in ("val", "test")} for stream in STREAMS}
    outputs = {split: folder / f"{split}.parquet" for split in ("val", "test")}
    others = [folder / name for name in ("held_out.parquet", "fusion.json", "summary.csv")]
    run_ensemble("base", clips, files, {}, outputs, *others, Fitting("search"))
    scores = {stream: files[stream]["test"] for stream in STREAMS}
    make_pseudo_labels(clips, outputs["test"], scores, folder / "pseudo_labels.csv", **options)
    return folder / "pseudo_labels.csv"


def part(said, ids):
    log_probabilities = {clip_id: logits_K for clip_id, logits_K in said.log_probabilities.items() if clip_id in ids}
    return Scores(log_probabilities, {clip_id: why for clip_id, why in said.reasons.items() if clip_id in ids})


def test_the_table_holds_clip_label_confidence_and_votes(tmp_path):
    labels_N = made_up_stream(0, clips=80)[1]
    table = pd.read_csv(run_base(tmp_path, clips_of(labels_N), unusable=[62]))
    assert list(table.columns) == ["clip_id", "label", "confidence", "vote_one", "vote_two"]
    said = read_probabilities(tmp_path / "test.parquet")
    expected = {clip_id for clip_id, said_K in said.items() if said_K.max() > 0.65} - {"c62"}  # c62 has the prior
    assert set(table.clip_id) == expected
    assert 5 < len(table) < 20
    for row in table.itertuples():
        assert (row.label, row.confidence) == (said[row.clip_id].argmax(), pytest.approx(said[row.clip_id].max(), 1e-5))
        for seed, stream in enumerate(STREAMS):
            logits_K = made_up_stream(seed, clips=80)[0][int(row.clip_id[1:])]
            assert getattr(row, f"vote_{stream}") == logits_K.argmax()


def test_how_many_clips_are_labelled_with_and_without_temperatures(tmp_path):
    labels_N = made_up_stream(0, clips=80)[1]
    files = {"fusion": tmp_path / "fusion.json", "counts": tmp_path / "counts.csv"}
    labelled = pd.read_csv(run_base(tmp_path, clips_of(labels_N), **files))
    weights = json.loads(files["fusion"].read_text())["weights"]
    plain_NK = sum(
        weights[stream] * softmax(3 * made_up_stream(seed, clips=80)[0][60:], 1) for seed, stream in enumerate(STREAMS)
    )
    counts = pd.read_csv(files["counts"])
    assert counts.temperatures.tolist() == ["of the ensemble", "1"]
    assert counts.labelled.tolist() == [len(labelled), (plain_NK.max(1) > 0.65).sum()]
    assert counts.mean_confidence[1] == pytest.approx(plain_NK.max(1).mean(), abs=1e-4)
    assert (counts.test_clips == 20).all()
    assert counts.labelled.nunique() == 2


def test_a_clip_that_no_stream_could_use_gets_no_label_however_sure_the_prior_is(tmp_path):
    clips = clips_of(np.zeros(60, int))  # every clip of train is a wave, so the prior is certain
    test = [f"c{n}" for n in range(60, 80)]
    write_predictions(tmp_path / "test.parquet", test, np.eye(4)[[0] * 20], np.array([0, 1] * 10))
    logits_NK = np.log([[0.97, 0.01, 0.01, 0.01]] * 80).astype(np.float32)
    unusable = range(60, 80, 2)
    write_scores(tmp_path / "one.parquet", part(as_scores(logits_NK, unusable), set(test)))
    make_pseudo_labels(clips, tmp_path / "test.parquet", {"one": tmp_path / "one.parquet"}, tmp_path / "labels.csv")
    assert read_pseudo_labels(tmp_path / "labels.csv") == {f"c{n}": 0 for n in range(61, 80, 2)}


def test_the_file_has_whole_votes_and_six_digits(tmp_path):
    clips = clips_of(np.zeros(60, int))
    test = [f"c{n}" for n in range(60, 80)]
    said_NK = np.tile([0.1, 2 / 3, 0.2, 1 / 30], (20, 1))
    write_predictions(tmp_path / "test.parquet", test, said_NK, np.full(20, 2))
    for name, unusable in (("one", []), ("two", [61])):
        write_scores(tmp_path / name, part(as_scores(np.log(said_NK[[0] * 80]), unusable), set(test)))
    files = {name: tmp_path / name for name in STREAMS}
    make_pseudo_labels(clips, tmp_path / "test.parquet", files, tmp_path / "labels.csv", quota=2)
    expected = ["clip_id,label,confidence,vote_one,vote_two", "c60,1,0.666667,1,1", "c61,1,0.666667,1,"]
    assert (tmp_path / "labels.csv").read_text().splitlines() == expected


@pytest.mark.parametrize("options", [{}, {"threshold": 0.4, "quota": 2}, {"agreement": True}])
def test_planted_test_labels_change_no_pseudo_label(tmp_path, options):
    labels_N = made_up_stream(0, clips=80)[1]
    wrong = (labels_N[60:] + 1) % 4
    hidden = run_base(tmp_path / "hidden", clips_of(labels_N), **options).read_bytes()
    assert run_base(tmp_path / "planted", clips_of(labels_N, wrong), **options).read_bytes() == hidden


def test_test_labels_are_dropped_by_the_reader(tmp_path):
    header, known = "clip_id,split,subject,label,keypoints", ["a,train,ann,wave,a.npz", "b,train,ann,nod,a.npz"]
    np.savez(tmp_path / "a.npz", keypoints=np.ones((9, 137, 3), np.float32))
    tables = []
    for label in ("", "wave", "nod", "something unheard of"):
        write_lines(tmp_path / "clips.csv", [header, *known, f"c,test,dee,{label},a.npz"])
        write_clips(tmp_path / "clips.parquet", list_clips("mine", "manifest", tmp_path, 1))
        tables.append((tmp_path / "clips.parquet").read_bytes())
    assert len(set(tables)) == 1


def test_learning_joins_train_val_and_the_pseudo_labelled():
    labels_N = made_up_stream(0, clips=80)[1]
    wrong = (labels_N[60:] + 1) % 4
    for clips in (clips_of(labels_N), clips_of(labels_N, wrong)):
        joined = with_pseudo_labels(clips, {"c61": 3, "c79": 0}).table.set_index("clip_id")
        assert joined.split.value_counts().to_dict() == {"train": 62, "test": 18}
        assert joined.label["c61"] == 3
        assert joined.label["c79"] == 0
        assert joined.label[joined.split == "test"].isna().all()
        assert joined.label[[f"c{n}" for n in range(60)]].tolist() == labels_N[:60].tolist()
    with pytest.raises(InputError, match="clip c3, which is not in test"):
        with_pseudo_labels(clips, {"c3": 1})


def test_ids_of_digits_keep_their_zeros(tmp_path):
    (tmp_path / "pseudo.csv").write_text("clip_id,label,confidence\n007,3,0.9\n")
    assert read_pseudo_labels(tmp_path / "pseudo.csv") == {"007": 3}


def test_a_file_of_another_kind_is_refused(tmp_path):
    labels_N = made_up_stream(0, clips=80)[1]
    table = run_base(tmp_path, clips_of(labels_N))
    assert set(read_pseudo_labels(table).values()) <= set(range(4))
    with pytest.raises(InputError, match="holds no pseudo-labels"):
        read_pseudo_labels(tmp_path / "summary.csv")
    scores = {stream: tmp_path / stream / "test.parquet" for stream in STREAMS}
    with pytest.raises(InputError, match="holds no predictions of an ensemble"):
        make_pseudo_labels(clips_of(labels_N), scores["one"], scores, tmp_path / "other.csv")


def test_training_on_pseudo_labels_reads_no_test_label(tmp_path):
    labels = [row % 2 for row in range(20)]
    splits = ["train"] * 10 + ["val"] * 4 + ["test"] * 6
    shards, step, made = write_shards(tmp_path, ("joint",), labels), make_step("joint", epochs=1), []
    for planted in ([None] * 6, [1 - label for label in labels[14:]]):
        clips = with_pseudo_labels(make_clips(splits, [*labels[:14], *planted]), {"c14": 0, "c15": 1})
        model, card = tmp_path / "model.safetensors", tmp_path / "card.json"
        train(clips, shards, step, build, model, card, tmp_path / "scratch", Resources("cpu"))
        assert sum(json.loads(card.read_text())["train_clips"]) == 16
        made.append(model.read_bytes())
    assert made[0] == made[1]


def test_an_ensemble_whose_streams_know_val_takes_over_what_another_fitted(tmp_path):
    labels_N = made_up_stream(0, clips=80)[1]
    clips = clips_of(labels_N)
    run_base(tmp_path, clips)
    base = json.loads((tmp_path / "fusion.json").read_text())
    again = {f"{stream}_again": as_scores(2 * made_up_stream(seed, clips=80)[0]) for seed, stream in enumerate(STREAMS)}
    for stream, said in again.items():
        for split in ("val", "test"):
            ids = set(clips.table.clip_id[clips.table.split == split])
            write_scores(tmp_path / stream / f"{split}.parquet", part(said, ids))
    files = {stream: {split: tmp_path / stream / f"{split}.parquet" for split in ("val", "test")} for stream in again}
    folder = tmp_path / "final"
    outputs = {split: folder / f"{split}.parquet" for split in ("val", "test")}
    others = [folder / name for name in ("held_out.parquet", "fusion.json", "summary.csv")]
    calibration_from = tmp_path / "fusion.json"
    run_ensemble(
        "final",
        clips,
        files,
        {},
        outputs,
        *others,
        Fitting("search"),
        calibration_from=calibration_from,
        learns_from_val=True,
    )
    fusion = json.loads((folder / "fusion.json").read_text())
    assert fusion["calibration_from"] == "base"
    for what in ("temperatures", "weights"):
        assert list(fusion[what].values()) == list(base[what].values())
    expected = sum(
        fusion["weights"][stream]
        * softmax(said.log_probabilities["c70"].astype(float) / fusion["temperatures"][stream])
        for stream, said in again.items()
    ) ** (1 / base["temperature"])
    expected /= expected.sum()
    np.testing.assert_allclose(read_probabilities(folder / "test.parquet")["c70"], expected, rtol=1e-6)
    assert fusion["fitted_on"] == {"split": None, "clips": 0}
    assert pd.read_csv(folder / "summary.csv").empty  # nobody in val is new to these streams
    assert read_probabilities(folder / "held_out.parquet") == {}


def configured(change: Callable[[dict], None] = lambda raw: None) -> dict:
    """The demo's configuration with a joint stream that learns from the labels of an ensemble of two."""
    raw = yaml.safe_load((Path(__file__).parents[2] / "config.yaml").read_text())
    raw = json.loads(json.dumps(raw))
    raw["streams"]["joint_again"] = raw["streams"]["joint"] | {"pseudo_labels": "base"}
    raw["ensembles"] = {
        "base": {"streams": ["joint", "limb"]},
        "final": {"streams": ["joint_again", "limb"], "calibration_from": "base"},
    }
    raw["folds"], raw["ablation"] = 0, []
    change(raw)
    return raw


def test_labelling_lies_between_two_ensembles_and_a_threshold_touches_only_what_follows():
    def higher(raw):
        raw["ensembles"]["base"]["pseudo_labels"] = {"threshold": 0.8}

    before, after = (Plan(configured(change)) for change in (lambda raw: None, higher))
    touched = {step for step in before._steps if before._steps[step] != after._steps[step]}
    assert touched == {
        ("pseudo_labels", "base"),
        ("train", "joint_again"),
        ("predict", "joint_again"),
        ("ensemble", "final"),
        ("submission", "final"),
        ("report", "report"),
        ("view", "imigue"),
    }


@pytest.mark.parametrize(
    ("path", "value", "sentence"),
    [
        (("streams", "joint_again", "pseudo_labels"), "nobody", "pseudo_labels names 'nobody'"),
        (("folds",), 3, "streams.joint_again.pseudo_labels: .*set folds: 0"),
        (("ensembles", "final", "calibration_from"), None, "ensembles.final: .*val.*calibration_from"),
        (("ensembles", "base", "streams"), ["joint", "joint_again"], "in a circle"),
        (("ensembles", "final", "calibration_from"), "final", "in a circle"),
        (("ensembles", "base", "streams"), ["joint"], "ensembles.final: calibration_from names 'base'"),
        (("ensembles", "base", "pseudo_labels"), {"threshold": 1.0}, "threshold"),
        (("ensembles", "base", "calibrate"), 0, "calibrate"),
    ],
)
def test_pseudo_labels_that_cannot_be_are_refused_with_a_sentence(path, value, sentence):
    raw = copy.deepcopy(configured())
    inner = raw
    for key in path[:-1]:
        inner = inner[key]
    inner[path[-1]] = value
    with pytest.raises(InputError, match=sentence):
        load_config(raw)
