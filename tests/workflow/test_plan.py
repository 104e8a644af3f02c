import copy
import json
from pathlib import Path

import pytest
import yaml

from microgesture.errors import InputError
from microgesture.workflow.plan import Plan

# Through JSON, which knows no aliases: a change of one stream must not change another.
DEMO = json.loads(json.dumps(yaml.safe_load((Path(__file__).parents[2] / "config.yaml").read_text())))


def change(raw, path, value):
    raw = copy.deepcopy(raw)
    *parents, last = path.split(".")
    inner = raw
    for parent in parents:
        inner = inner[parent]
    inner[last] = value
    return raw


SHOWING = ("report", "view")  # which follow whatever they show


def changed(before, after):
    """The steps whose settings or stamps differ, but for those that only show the results of others."""
    steps = {step for step in before._steps if before._steps[step] != after._steps[step]}
    return {step for step in steps if step[0] not in SHOWING}


@pytest.mark.parametrize(
    ("path", "value", "stages"),
    [
        ("ensembles.final.weights", "equal", {"ensemble", "ablation", "submission"}),
        ("ablation", [{"name": "joint"}], {"ablation"}),
        ("submission.sample", "sample.csv", {"submission"}),
        ("device", "auto", set()),
        ("threads", 8, set()),
        ("workers", 2, set()),
        ("memory", 0, set()),
        ("streams.flow.network.width", 8, {"train flow", "predict flow", "ensemble", "ablation", "submission"}),
        ("taylor.terms", 2, {"taylor", "train taylor", "predict taylor", "ensemble", "ablation", "submission"}),
    ],
)
def test_a_setting_touches_exactly_what_depends_on_it(path, value, stages):
    touched = changed(Plan(DEMO), Plan(change(DEMO, path, value)))
    named = {stage if f"{stage} {name}" not in stages else f"{stage} {name}" for stage, name in touched}
    assert named == stages


def test_a_seed_touches_every_training_and_no_data():
    touched = {stage for stage, _ in changed(Plan(DEMO), Plan(change(DEMO, "seed", 1)))}
    assert touched == {"train", "predict", "ensemble", "ablation", "submission"}


def test_pretraining_touches_what_starts_from_it():
    after = Plan(change(DEMO, "streams.rgb_ma52.network", {**DEMO["streams"]["rgb_ma52"]["network"], "dropout": 0.1}))
    trained = {name for stage, name in changed(Plan(DEMO), after) if stage == "train"}
    assert trained == {"rgb_ma52", "rgb"}


def test_the_order_of_keys_and_the_spelling_of_numbers_do_not_count():
    turned = {key: DEMO[key] for key in reversed(DEMO)}
    turned = change(turned, "rgb.margin", 0.20)
    turned = change(turned, "recipes.heatmaps", dict(reversed(DEMO["recipes"]["heatmaps"].items())))
    turned["recipes"]["heatmaps"]["clip_norm"] = 1.0
    assert changed(Plan(DEMO), Plan(turned)) == set()


def test_an_unused_kind_is_not_made():
    only_joint = copy.deepcopy(DEMO)
    only_joint["streams"] = {"joint": DEMO["streams"]["joint"]}
    only_joint["ensembles"]["final"]["streams"] = ["joint"]
    assert Plan(only_joint).kinds("imigue") == ["keypoints"]
    assert Plan(only_joint).kinds("ma52") == []
    assert Plan(DEMO).kinds("imigue") == ["keypoints", "rgb", "taylor", "flow", "depth"]
    assert Plan(DEMO).kinds("ma52") == ["rgb"]


FACE = {"corpus": "imigue", "input": "face", "network": {"name": "swinface", "width": 8}, "recipe": "rgb"}


def test_faces_come_from_the_video_and_the_whole_skeletons():
    plan = Plan(change(DEMO, "streams.face", FACE))
    assert plan.kinds("imigue")[-1] == "face"
    assert plan.step("skeletons", "imigue")
    only_face = change(DEMO, "streams", {"face": FACE})
    only_face["ensembles"] = {"final": {"streams": ["face"]}}
    assert Plan(only_face).kinds("imigue") == ["face"]
    assert Plan(only_face).step("skeletons", "imigue")
    touched = changed(Plan(only_face), Plan(change(only_face, "face", {"smallest": 30})))
    assert touched == {
        ("face", "imigue"),
        *((stage, "face") for stage in ("train", "predict")),
        *(("ensemble", "final"), ("submission", "final"), ("ablation", "ablation")),
    }
    selected = changed(Plan(only_face), Plan(change(only_face, "keypoints.selection", "22")))
    assert ("face", "imigue") not in selected


def test_faces_of_a_corpus_without_keypoints_are_refused():
    with pytest.raises(InputError, match=r"stream 'face' needs keypoints, but corpus 'ma52'"):
        Plan(change(DEMO, "streams.face", FACE | {"corpus": "ma52"}))


FOLDED = change(change(DEMO, "folds", 2), "streams.limb.init", "joint")


def test_folds_add_trainings_and_change_none():
    before, after = Plan(change(FOLDED, "folds", 0)), Plan(FOLDED)
    assert {stage for stage, _ in changed(before, after) if (stage, _) in before._steps} == {
        "ensemble",
        "ablation",
        "submission",
    }
    assert before.folded == []
    assert after.folded == ["joint", "limb", "rgb", "taylor", "flow", "depth"]


def test_a_fold_starts_from_the_same_fold_of_a_parent_on_its_corpus_and_from_all_of_another():
    plan = Plan(FOLDED)
    assert plan.fold_parents("limb") == {"joint": True}
    assert plan.fold_parents("rgb") == {"rgb_ma52": False}


def test_a_parent_that_no_ensemble_names_is_trained_by_folds_too():
    raw = change(FOLDED, "ensembles.final.streams", ["limb", "flow"])
    plan = Plan(raw)
    assert plan.folded == ["joint", "limb", "flow"]
    assert plan.scored == ["limb", "flow"]


PAIR = {
    "corpus": "imigue",
    "input": ["rgb", "joint"],
    "network": {"name": "rgbposeconv3d", "video_width": 8, "heatmap_width": 8},
    "recipe": "rgb",
}


def test_a_pair_needs_both_kinds_of_shards_and_the_margin_they_were_cut_with():
    raw = change(DEMO, "streams.pair", PAIR)
    raw["recipes"]["rgb"] |= {"heatmap_frames": 32, "heatmap_size": 12}
    plan = Plan(raw)
    assert plan.stores("pair") == ["keypoints", "rgb"]
    settings = json.loads(plan.step("train", "pair").settings)
    assert settings["margin"] == DEMO["rgb"]["margin"]
    assert settings["selection"] == "36"
    assert json.loads(plan.step("train", "rgb").settings)["margin"] is None


def test_without_rows_the_ablation_table_has_every_stream_and_ensemble_of_the_submissions_corpus():
    names = [row.name for row in Plan(DEMO).ablation]
    assert names == ["joint", "limb", "rgb", "taylor", "flow", "depth", "final"]


def test_rows_that_were_trained_on_val_are_measured_on_test_clips_alone():
    raw = copy.deepcopy(DEMO)
    raw["streams"]["again"] = raw["streams"]["joint"] | {"pseudo_labels": "first"}
    raw["ensembles"]["first"] = {"streams": ["joint"]}
    raw["ensembles"]["second"] = {"streams": ["again"], "calibration_from": "first"}
    raw["ablation"] = [{"name": "again"}, {"name": "joint", "versus": "again"}, {"name": "limb", "versus": "joint"}]
    raw["ground_truth"] = {"file": "truth.csv"}
    plan = Plan(raw)
    step = json.loads(plan.step("ablation", "ablation").settings)
    assert [(row["name"], row["versus"]) for row in step["rows"]] == [("joint", None), ("limb", "joint")]
    assert step["left_out"] == ["again"]
    tested = json.loads(plan.step("cross_subject", "cross_subject").settings)
    assert [row["name"] for row in tested["rows"]] == ["again", "joint", "limb"]
    raw["ablation"] = [{"name": "again"}, {"name": "second", "versus": "again"}]
    with pytest.raises(InputError, match=r"ablation: .* trained on val"):
        Plan(raw)


def test_only_a_learned_depth_is_made_from_the_frames():
    learned = change(DEMO, "depth", {"backend": "transformers", "model": "some/network"})
    assert not Plan(DEMO).config.depth.is_learned
    assert Plan(learned).config.depth.is_learned
    only_depth = copy.deepcopy(learned)
    only_depth["streams"] = {"depth": DEMO["streams"]["depth"]}
    only_depth["ensembles"]["final"]["streams"] = ["depth"]
    assert Plan(only_depth).kinds("imigue") == ["keypoints", "rgb", "depth"]


def manifest(folder, columns):
    folder.mkdir()
    (folder / "clips.csv").write_text(f"clip_id,split,subject,label,{columns}\n")
    return {"format": "manifest", "root": str(folder)}


def test_a_stream_that_needs_what_its_corpus_lacks_is_refused(tmp_path):
    raw = copy.deepcopy(DEMO)
    raw["corpora"]["imigue"] = manifest(tmp_path / "own", "keypoints")
    with pytest.raises(InputError, match=r"stream 'rgb' needs video, but corpus 'imigue' .*own.* has none"):
        Plan(raw)
    raw["corpora"]["imigue"] = manifest(tmp_path / "other", "video")
    with pytest.raises(InputError, match="stream 'joint' needs keypoints, but corpus 'imigue'"):
        Plan(raw)
