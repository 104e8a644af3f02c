"""The table on the people of the test split, and the configurations of cross-subject recognition."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml

from fixtures.made_up_scores import as_scores, made_up_stream
from microgesture.config.whole import load_config
from microgesture.errors import InputError
from microgesture.measures.cross_subject import make_cross_subject, run_cross_subject
from microgesture.measures.evaluate import known_people, submitted_clips
from microgesture.measures.ground_truth import check_ground_truth, read_ground_truth
from microgesture.storage.clips import SCHEMA, Clips, write_clips
from microgesture.storage.scores import write_predictions, write_scores
from microgesture.workflow.plan import Plan

ROOT = Path(__file__).parents[2]
CLASSES, TARGETS = ("wave", "nod", "shrug", "point"), ("11", "12", "13", "14")
PUBLISHED, MEASURED, SMALL = (
    load_config(yaml.safe_load((ROOT / f"config/{name}.yaml").read_text()))
    for name in ("cross_subject", "cross_subject_nsl49", "cross_subject_small")
)


@pytest.fixture
def compared(tmp_path):
    """Twelve test clips of three people, a stream that cannot use one of them, an ensemble, and a file of labels."""
    logits_NK, labels_N = made_up_stream(0, clips=12)
    table = pd.DataFrame({"clip_id": [f"c{n}" for n in range(12)], "split": "test", "status": "ok"})
    table["subject"] = table["recording"] = [f"S{n // 4}" for n in range(12)]
    clips = Clips(table.assign(label=pd.array([None] * 12, "Int32")), CLASSES, TARGETS)
    write_scores(tmp_path / "one" / "test.parquet", as_scores(logits_NK, unusable=[7]))
    best_NK = np.eye(4)[labels_N]
    write_predictions(tmp_path / "best" / "test.parquet", table.clip_id, best_NK, np.ones(12, int))
    ground_truth = pd.DataFrame({"Id": table.clip_id, "Target": [TARGETS[label] for label in labels_N]})
    ground_truth.to_csv(tmp_path / "truth.csv", index=False)
    return clips, {name: tmp_path / name / "test.parquet" for name in ("one", "best")}, logits_NK, labels_N


def run(folder, clips, files, id_column="Id"):
    outputs = folder / "ablation.csv", folder / "ablation.md"
    rows = {"one": None, "best": "one"}
    run_cross_subject(clips, rows, files, folder / "truth.csv", id_column, "Target", *outputs)
    return pd.read_csv(outputs[0]).set_index("name"), outputs[1].read_text()


def test_every_row_is_measured_on_all_clips_and_person_by_person(tmp_path, compared):
    clips, files, logits_NK, labels_N = compared
    table, text = run(tmp_path, clips, files)
    right_N = logits_NK.argmax(1) == labels_N
    known_N = np.arange(12) != 7
    assert table.clips.tolist() == [11, 11]
    assert table.accuracy["one"] == round(right_N[known_N].mean(), 4)
    for person in range(3):
        own_N = known_N & (np.arange(12) // 4 == person)
        assert table[f"accuracy of S{person}"].tolist() == [round(right_N[own_N].mean(), 4), 1.0]
    assert table.difference["best"] == pytest.approx(1 - table.accuracy["one"], abs=1e-4)
    numbers = table.drop(columns="versus").to_numpy(float)
    np.testing.assert_array_equal(numbers, numbers.round(4))
    assert "Test split, 11 clips of 3 subjects" in text
    assert "| accuracy of | S0 | S1 | S2 |" in text
    assert (table.people == 3).all()
    assert (table.chance == 0.25).all()


def test_a_persons_accuracy_is_of_their_own_clips():
    labels_N, person_N = np.arange(6) % 3, np.array(["S1", "S1", "S10", "S2", "S1", "S2"])
    said = {"knows S1": np.eye(3)[np.where(person_N == "S1", labels_N, (labels_N + 1) % 3)]}
    (line,) = make_cross_subject({"knows S1": None}, said, labels_N, person_N).to_dict("records")
    people = {key: value for key, value in line.items() if key.startswith("accuracy of ")}
    assert list(people.items()) == [("accuracy of S1", 1), ("accuracy of S2", 0), ("accuracy of S10", 0)]
    assert line["accuracy"] == 0.5


def test_labels_that_cannot_be_are_refused(tmp_path, compared):
    clips, files, *_ = compared
    with pytest.raises(InputError, match=r"has no column 'clip_id', only Id, Target; .* ground_truth"):
        run(tmp_path, clips, files, id_column="clip_id")
    ground_truth = pd.read_csv(tmp_path / "truth.csv", dtype=str)
    ground_truth.assign(Target="15").to_csv(tmp_path / "truth.csv", index=False)
    with pytest.raises(InputError, match=r"column Target: '15' of the clip \w+ is not one of"):
        run(tmp_path, clips, files)
    pd.concat([ground_truth, ground_truth[:1]]).to_csv(tmp_path / "truth.csv", index=False)
    with pytest.raises(InputError, match=f"column Id: clip {ground_truth.Id[0]} occurs twice"):
        run(tmp_path, clips, files)
    ground_truth.assign(Id="elsewhere").to_csv(tmp_path / "truth.csv", index=False)
    assert read_ground_truth(tmp_path / "truth.csv", "Id", "Target", clips) == {}
    with pytest.raises(InputError, match="no label for any test clip"):
        run(tmp_path, clips, files)


def test_the_truth_touches_the_table_and_the_report_alone(tmp_path):
    raw = yaml.safe_load((ROOT / "config.yaml").read_text())
    before, after = Plan(raw), Plan(raw | {"ground_truth": {"file": "truth.csv"}})
    assert set(after._steps) - set(before._steps) == {("cross_subject", "cross_subject")}
    touched = {step for step in before._steps if after._steps[step] != before._steps[step]}
    assert touched == {("report", "report")}  # which shows the table too


def test_groups_of_classes_touch_tables_and_the_report_alone():
    raw = yaml.safe_load((ROOT / "config.yaml").read_text())
    corpora = raw["corpora"] | {"imigue": raw["corpora"]["imigue"] | {"groups": {"all": ["wave"]}}}
    before, after = Plan(raw), Plan(raw | {"corpora": corpora})
    touched = {step for step in before._steps if after._steps[step] != before._steps[step]}
    assert touched == {("ablation", "ablation"), ("report", "report")}


def test_both_halves_are_wired_alike():
    for config in (PUBLISHED, MEASURED):
        base, final = (config.ensembles[name] for name in ("base", "final"))
        assert final.calibration_from == "base" == config.ensembles[config.submission.ensemble].calibration_from
        assert base.pseudo_labels.threshold == 0.65
        for first, again in zip(base.streams, final.streams, strict=True):
            assert config.streams[again] == config.streams[first].model_copy(update={"pseudo_labels": "base"})


def test_the_small_one_has_the_same_streams_ensembles_and_rows():
    full, small = (
        {name: (s.inputs, s.network.name, s.recipe, s.pseudo_labels) for name, s in config.streams.items()}
        for config in (PUBLISHED, SMALL)
    )
    assert full == small
    fitted = PUBLISHED.ensembles["base"].model_copy(update={"calibrate": True, "recalibrate": False})
    assert PUBLISHED.ensembles | {"base": fitted} == SMALL.ensembles
    assert PUBLISHED.ablation == SMALL.ablation
    assert {row.name for row in PUBLISHED.ablation} >= {"skeleton_plain", "skeleton", "skeleton_again", "final"}


def test_each_part_is_switched_on_alone():
    plain = MEASURED.recipes["plain"]
    changed = {
        name: {key for key in type(plain).model_fields if getattr(recipe, key) != getattr(plain, key)}
        for name, recipe in MEASURED.recipes.items()
    }
    assert changed == {
        "plain": set(),
        "semantic": {"semantic_weight"},
        "long_tail": {"focal_gamma", "class_weights"},
        "mirrored": {"flip"},
    }


def test_the_published_settings():
    heatmaps, base = PUBLISHED.recipes["heatmaps"], PUBLISHED.ensembles["base"]
    assert PUBLISHED.keypoints.selection == "68"
    assert (heatmaps.frames, heatmaps.size) == (48, 56)
    assert (heatmaps.optimizer, heatmaps.epochs * heatmaps.repeats, heatmaps.batch_size) == ("sgd", 100, 64)
    assert (base.calibrate, base.weights) == (2.5, "grid")
    semantic, plain = (PUBLISHED.recipes[PUBLISHED.streams[name].recipe] for name in ("skeleton", "skeleton_plain"))
    assert semantic.semantic_weight
    assert plain == semantic.model_copy(update={"semantic_weight": 0})
    for name, stream in PUBLISHED.streams.items():
        recipe = PUBLISHED.recipes[stream.recipe]
        assert recipe.in_testing().flip == (name != "rgb_r18_uncropped")  # both sides are averaged
        assert recipe.view_average == "logits"
        assert (recipe.focal_gamma, recipe.class_weights) == (2, "sqrt")
        assert stream.input not in ("skeleton", "bone") or recipe.frames == 64
        assert not stream.input.startswith("rgb") or (24 <= recipe.frames <= 32 and recipe.size == 224)
    assert {stream.network.name for stream in PUBLISHED.streams.values()} == {
        "stcnn",
        "agcn",
        "stgcn",
        "poseconv3d",
        "video_swin",
        "r2plus1d",
    }


@pytest.mark.parametrize("spelled", ["s0", "S00"])
def test_people_who_are_in_train_too_are_told_beside_the_results(tmp_path, compared, spelled):
    clips, files, *_ = compared
    alone, text = run(tmp_path, clips, files)
    assert (alone.people_in_training == 0).all()
    assert "None of them is in another split" in text
    more = clips.table[:1].assign(clip_id="t0", split="train", subject=spelled, recording="elsewhere")
    known = Clips(pd.concat([clips.table, more], ignore_index=True), CLASSES, TARGETS)
    table, text = run(tmp_path, known, files)
    assert (table.people_in_training == 1).all()
    assert "Also in train or val: 1 of 3 people, so the results do not apply to new people" in text
    assert table.accuracy.equals(alone.accuracy)
    write_clips(tmp_path / "clips.parquet", with_all_columns(known))
    pd.DataFrame({"Id": clips.table.clip_id, "Target": "11"}).to_csv(tmp_path / "submission.csv", index=False)
    submitted = submitted_clips(tmp_path / "submission.csv", [tmp_path / "clips.parquet"])
    assert known_people(tmp_path / "submission.csv", submitted).startswith("Also in train or val: 1 of 3 people")


def with_all_columns(clips):
    table = clips.table.reindex(columns=SCHEMA.names)
    numbers = [field.name for field in SCHEMA if str(field.type) in ("int32", "float")]
    return Clips(table.fillna({name: 0 for name in numbers if name != "label"}), clips.classes, clips.targets)


def test_labels_are_checked_without_predictions(tmp_path, compared):
    clips, *_ = compared
    table = clips.table[:1].assign(clip_id="t0", split="train", subject="t", recording="t", label=0)
    clips = Clips(pd.concat([clips.table, table], ignore_index=True), CLASSES, TARGETS)
    (unseen,) = check_ground_truth(tmp_path / "truth.csv", "Id", "Target", clips)
    assert "classes of test, so they are never predicted: nod, point, shrug" in unseen
    truth = pd.read_csv(tmp_path / "truth.csv", dtype=str)
    truth[:5].to_csv(tmp_path / "truth.csv", index=False)
    assert "7 of the 12 test clips" in check_ground_truth(tmp_path / "truth.csv", "Id", "Target", clips)[0]
    truth.assign(Id="elsewhere").to_csv(tmp_path / "truth.csv", index=False)
    with pytest.raises(InputError, match="no label of a test clip, such as c0"):
        check_ground_truth(tmp_path / "truth.csv", "Id", "Target", clips)


@pytest.mark.parametrize("config", [PUBLISHED, SMALL], ids=["full", "small"])
def test_the_row_without_cropping_differs_in_crops_and_sides(config):
    # arXiv 2606.13030, table 2: R(2+1)D on full frames, and on crops with the average over both sides
    cropped, uncropped = (config.streams[name] for name in ("rgb_r18", "rgb_r18_uncropped"))
    assert (cropped.inputs, uncropped.inputs) == (("rgb_person",), ("rgb",))
    assert (config.rgb_person.person_margin, config.rgb.person_margin) == (0.2, None)
    recipes = [config.recipes[stream.recipe] for stream in (cropped, uncropped)]
    assert [recipe.in_testing().flip for recipe in recipes] == [True, False]
    assert recipes[1] == recipes[0].model_copy(update={"num_crops": 3, "test_flip": False})
    assert "rgb_r18_uncropped" in {row.name for row in config.ablation}
