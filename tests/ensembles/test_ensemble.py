import json

import numpy as np
import pandas as pd
import pytest
from scipy.special import softmax

from fixtures.made_up_scores import as_scores, made_up_stream
from microgesture.ensembles.calibration import fit_temperature
from microgesture.ensembles.ensemble import HeldOut, hold_out, predict_split, run_ensemble, summarise
from microgesture.ensembles.fusion import Fitting, Fusion
from microgesture.ensembles.rules.weighted_mean import WeightedMean
from microgesture.errors import InputError
from microgesture.storage.clips import Clips
from microgesture.storage.scores import Scores, read_probabilities, write_scores

CLASSES = ("wave", "nod", "shrug", "point")


def fusion_of(temperatures, weights):
    return Fusion(np.array(temperatures, float), WeightedMean(np.array(weights, float)))


def clips_of(labels_N, splits, status="ok"):
    """Clips c0, c1, ... of a person each four clips."""
    table = pd.DataFrame({"clip_id": [f"c{n}" for n in range(len(labels_N))], "split": splits, "status": status})
    table["label"] = pd.array([None if label is None else int(label) for label in labels_N], "Int32")
    table["recording"] = [f"r{n // 4}" for n in range(len(labels_N))]
    table["subject"] = [f"s{n // 4}" for n in range(len(labels_N))]
    return Clips(table, CLASSES, CLASSES)


def two_streams(clips=72, unusable=()):
    """The scores of streams ``good`` and ``poor`` and the labels."""
    good_NK, labels_N = made_up_stream(0, clips, skill=2.0)
    poor_NK, _ = made_up_stream(1, clips, skill=0.7)
    return {"good": as_scores(3 * good_NK), "poor": as_scores(poor_NK, unusable)}, labels_N


FOLD_N = np.arange(72) // 4 % 3
FOLD = {f"c{n}": int(fold) for n, fold in enumerate(FOLD_N)}


def test_the_summary_tells_what_each_stream_adds():
    good_NK, labels_N = made_up_stream(0, skill=20)
    noise_NK, _ = made_up_stream(1, skill=0)
    fusion = fusion_of([1, 1], [0.9, 0.1])
    ids = tuple(f"c{n}" for n in range(60))
    held_out = HeldOut(ids, labels_N, np.array([good_NK, noise_NK]), np.zeros(60, int), [fusion])
    rows = summarise("final", ["good", "noise"], held_out, fusion).set_index("name")
    assert rows.accuracy["good"] == rows.accuracy["final"] == 1
    assert rows.without["noise"] == 1
    assert rows.without["good"] == rows.accuracy["noise"] < 0.6


def test_the_summary_tells_what_calibration_and_stacking_do():
    good_NK, labels_N = made_up_stream(0, clips=400)
    fusion = fusion_of([fit_temperature(6 * good_NK, labels_N)], [1.0])
    ids = tuple(f"c{n}" for n in range(400))
    held_out = HeldOut(ids, labels_N, 6 * good_NK[None], np.zeros(400, int), [fusion])
    rows = summarise("final", ["sure"], held_out, fusion, stacking=True).set_index("name")
    assert rows.index.tolist() == ["sure", "stacking", "final"]
    assert rows.ece["sure"] == rows.ece["final"] < rows.ece_before["sure"] / 2
    assert 0.5 < rows.accuracy["stacking"] <= 1


def test_where_the_rest_has_no_weight_nothing_is_said_of_it():
    logits_NK, labels_N = made_up_stream(0)
    fusion = fusion_of([1, 1], [1, 0])
    held_out = HeldOut(("",) * 60, labels_N, np.array([logits_NK, logits_NK]), np.zeros(60, int), [fusion])
    rows = summarise("final", ["all", "nothing"], held_out, fusion).set_index("name")
    assert np.isnan(rows.without["all"])
    assert rows.without["nothing"] == rows.accuracy["final"]


def test_a_clip_that_nothing_could_use_gets_the_class_prior():
    status = ["ok"] * 4 + ["quarantined", "ok"]
    clips = clips_of([0, 1, 1, None, None, None], ["train"] * 3 + ["test"] * 3, status)
    scores = {"a": Scores({"c3": np.array([3, 0, 0, 0], np.float32)}, {"c5": "the video is truncated"})}
    ids, probabilities_NK, streams_N = predict_split(scores, fusion_of([1], [1]), clips, "test")
    assert ids == ["c3", "c4", "c5"]
    assert streams_N.tolist() == [1, 0, 0]
    np.testing.assert_allclose(probabilities_NK, [softmax([3.0, 0, 0, 0]), [1 / 3, 2 / 3, 0, 0], [1 / 3, 2 / 3, 0, 0]])


def _without(given, ids):
    return {clip_id: logits_K for clip_id, logits_K in given.log_probabilities.items() if clip_id not in ids}


@pytest.mark.parametrize("fold", [0, 1, 2])
def test_what_is_said_of_a_fold_does_not_depend_on_its_labels(fold):
    scores, labels_N = two_streams()
    nothing = {"c0": "truncated", "c4": "truncated", "c8": "truncated"}  # one of each fold: the class prior
    scores = {stream: Scores(_without(given, nothing), nothing) for stream, given in scores.items()}
    own_N = np.equal(FOLD_N, fold)
    other_N = np.where(own_N, 0, labels_N)
    before, after = (
        hold_out(clips, scores, FOLD, Fitting("search"))[0].predicted(clips)
        for clips in (clips_of(known_N, "train") for known_N in (labels_N, other_N))
    )
    np.testing.assert_array_equal(before[own_N], after[own_N])
    assert (before[~own_N] != after[~own_N]).any(1).all()


def test_with_folds_other_clips_are_predicted_with_what_all_of_them_fit():
    scores, labels_N = two_streams()
    clips = clips_of(labels_N, np.where(np.arange(72) % 3, "train", "val"))
    held_out, fusion = hold_out(clips, scores, FOLD, Fitting("search"))
    as_val = hold_out(clips_of(labels_N, "val"), scores, None, Fitting("search"))[1]
    assert len(held_out.clip_ids) == 72
    np.testing.assert_array_equal(fusion.rule.weights_S, as_val.rule.weights_S)
    np.testing.assert_array_equal(fusion.temperatures_S, as_val.temperatures_S)
    assert all((each.temperatures_S != fusion.temperatures_S).any() for each in held_out.fusions)


def test_with_folds_a_fusion_of_another_ensemble_is_that_of_every_fold():
    scores, labels_N = two_streams()
    taken = fusion_of([2.5, 0.5], [0.2, 0.8])
    held_out, fusion = hold_out(clips_of(labels_N, "train"), scores, FOLD, Fitting("search"), taken)
    assert fusion is taken
    assert [each is taken for each in held_out.fusions] == [True] * 3
    assert held_out.fold_N.tolist() == FOLD_N.tolist()


def run(folder, clips, scores, fold_N=None, fitting=None):
    """Run the stage in a folder; returns what ``fusion.json`` says."""
    for stream, given in scores.items():
        for split in ("val", "test"):
            ids = set(clips.table.clip_id[(clips.table.split == split) & (clips.table.status == "ok")])
            write_scores(folder / stream / f"{split}.parquet", _part(given, ids))
        for fold in [] if fold_N is None else range(fold_N.max() + 1):
            ids = {f"c{n}" for n in np.flatnonzero(fold_N == fold)}
            write_scores(folder / stream / f"fold{fold}.parquet", _part(given, ids))
    run_ensemble(
        "final",
        clips,
        {stream: {split: folder / stream / f"{split}.parquet" for split in ("val", "test")} for stream in scores},
        {stream: sorted((folder / stream).glob("fold*")) for stream in scores},
        {split: folder / f"{split}.parquet" for split in ("val", "test")},
        folder / "held_out.parquet",
        folder / "fusion.json",
        folder / "summary.csv",
        fitting or Fitting("search"),
    )
    return json.loads((folder / "fusion.json").read_text())


def _part(given, ids):
    log_probabilities = {clip_id: logits_K for clip_id, logits_K in given.log_probabilities.items() if clip_id in ids}
    return Scores(log_probabilities, {clip_id: why for clip_id, why in given.reasons.items() if clip_id in ids})


SPLITS = ["train"] * 40 + ["val"] * 20 + ["test"] * 12


def some_clips(labels_N):
    return clips_of([*labels_N[:60], *[None] * 12], SPLITS)


def test_without_folds_all_is_fitted_on_val(tmp_path):
    scores, labels_N = two_streams(unusable=[41])
    fusion = run(tmp_path, some_clips(labels_N), scores)
    assert fusion["fitted_on"] == {"split": "val", "clips": 20}
    held_out, val = read_probabilities(tmp_path / "held_out.parquet"), read_probabilities(tmp_path / "val.parquet")
    assert list(held_out) == list(val) == [f"c{n}" for n in range(40, 60)]
    np.testing.assert_array_equal(list(held_out.values()), list(val.values()))
    summary = pd.read_csv(tmp_path / "summary.csv")
    assert summary.clips.tolist() == [19] * 3
    right = np.mean([held_out[f"c{n}"].argmax() == labels_N[n] for n in range(40, 60) if n != 41])
    assert summary.accuracy.iloc[-1] == round(right, 4)


def test_with_folds_all_labelled_clips_are_held_out(tmp_path):
    scores, labels_N = two_streams()
    fusion = run(tmp_path, some_clips(labels_N), scores, FOLD_N[:60])
    assert fusion["fitted_on"] == {
        "splits": ["train", "val"],
        "folds": 3,
        "people": {"subjects": 15, "recordings": 0},
        "clips": 60,
        "clips_by_fold": [20, 20, 20],
    }
    held_out = read_probabilities(tmp_path / "held_out.parquet")
    assert list(held_out) == [f"c{n}" for n in range(60)]
    fold = fusion["without_fold"][FOLD["c5"]]
    expected = sum(
        fold["weights"][stream]
        * softmax(scores[stream].log_probabilities["c5"].astype(float) / fold["temperatures"][stream])
        for stream in scores
    ) ** (1 / fold["temperature"])
    expected /= expected.sum()
    np.testing.assert_allclose(held_out["c5"], expected, rtol=1e-6)
    summary = pd.read_csv(tmp_path / "summary.csv")
    right = np.mean([held_out[f"c{n}"].argmax() == labels_N[n] for n in range(60)])
    assert summary.accuracy.iloc[-1] == round(right, 4)
    assert summary.weight.round(3).tolist()[:2] == [round(fusion["weights"][stream], 3) for stream in scores]


@pytest.mark.parametrize("fold_N", [None, FOLD_N[:60]])
def test_the_order_of_rows_changes_nothing(tmp_path, fold_N):
    scores, labels_N = two_streams(unusable=[3, 50])
    clips = some_clips(labels_N)
    mixed = Clips(clips.table.sample(frac=1, random_state=0), CLASSES, CLASSES)
    backwards = {s: Scores(dict(reversed(g.log_probabilities.items())), g.reasons) for s, g in scores.items()}
    run(tmp_path / "one", clips, scores, fold_N)
    run(tmp_path / "other", mixed, backwards, fold_N)
    for name in ("held_out.parquet", "fusion.json", "summary.csv"):
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "other" / name).read_bytes()
    one, other = (read_probabilities(tmp_path / folder / "test.parquet") for folder in ("one", "other"))
    assert all((one[clip_id] == other[clip_id]).all() for clip_id in one)


def test_the_published_average_is_that_of_probabilities(tmp_path):
    scores, labels_N = two_streams()
    run(tmp_path, some_clips(labels_N), scores, FOLD_N[:60], Fitting(np.array([0.2, 0.5]), False, recalibrate=False))
    good, poor = (softmax(scores[stream].log_probabilities["c65"].astype(float)) for stream in ("good", "poor"))
    said = read_probabilities(tmp_path / "test.parquet")["c65"]
    np.testing.assert_allclose(said, (0.2 * good + 0.5 * poor) / 0.7, rtol=1e-6)


def test_without_labels_there_is_no_accuracy(tmp_path):
    scores, _ = two_streams()
    clips = clips_of([0, *[None] * 71], SPLITS)
    fusion = run(tmp_path, clips, scores)
    assert fusion["weights"] == {"good": 0.5, "poor": 0.5}
    assert pd.read_csv(tmp_path / "summary.csv").empty
    assert read_probabilities(tmp_path / "held_out.parquet") == {}


def test_streams_of_other_folds_are_refused(tmp_path):
    scores, labels_N = two_streams()
    clips = some_clips(labels_N)
    run(tmp_path, clips, scores, FOLD_N[:60])
    files = {stream: sorted((tmp_path / stream).glob("fold*")) for stream in scores}
    paths = {stream: {split: tmp_path / stream / f"{split}.parquet" for split in ("val", "test")} for stream in scores}
    outputs = [{}, *(tmp_path / name for name in ("held_out.parquet", "fusion.json", "summary.csv"))]
    with pytest.raises(InputError, match=r"'good' and 'poor' .*folds"):
        run_ensemble("final", clips, paths, files | {"poor": files["poor"][::-1]}, *outputs, Fitting("search"))
    twice = {stream: [*paths, paths[0]] for stream, paths in files.items()}
    with pytest.raises(InputError, match=r"fold0\.parquet has clip c0 of .*fold0\.parquet too"):
        run_ensemble("final", clips, paths, twice, *outputs, Fitting("search"))
