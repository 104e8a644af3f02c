import copy
import json
from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from microgesture.config.whole import load_config
from microgesture.errors import InputError
from microgesture.storage.parquet import read_parquet
from microgesture.workflow import corpus_stages
from microgesture.workflow.listings import refresh_listings
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


def test_contact_sheets_show_everybody_where_there_are_keypoints():
    assert Plan(DEMO).shown("imigue") == ["skeletons", "keypoints", "rgb", "taylor", "flow", "depth"]
    assert Plan(DEMO).shown("ma52") == ["rgb"]


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


def following(raw, *step):
    """The steps that are run again after this one has changed, without those that only show results."""

    class Touched(Plan):
        def _add(self, stage, name, *planned):
            super()._add(stage, name, *planned)
            if (stage, name) == step:
                self._steps[step] = replace(self._steps[step], stamp="changed")

    touched = changed(Plan(raw), Touched(raw)) - {step}
    return {stage if stage in ("ensemble", "ablation", "submission") else f"{stage} {name}" for stage, name in touched}


AFTER_SCORES = {"ensemble", "ablation", "submission"}


@pytest.mark.parametrize(
    ("step", "expected"),
    [
        ("train joint", {"predict joint", "train limb", "predict limb"}),  # no fold starts from all clips
        ("train_fold joint", {"predict_fold joint", "train_fold limb", "predict_fold limb"}),
        ("train_fold limb", {"predict_fold limb"}),
        ("predict_fold limb", set()),
        ("train rgb_ma52", {f"{stage} rgb" for stage in ("train", "predict", "train_fold", "predict_fold")}),
    ],
)
def test_with_folds_exactly_what_follows_is_run_again(step, expected):
    found = following(FOLDED, *step.split())
    # The table is of held-out clips alone, so it sees what is trained on all only through the ensemble.
    assert found - AFTER_SCORES == expected | ({"predict rgb_ma52"} if "rgb_ma52" in step else set())
    assert found >= AFTER_SCORES


def test_predictions_reach_what_uses_them_and_nothing_else():
    assert following(FOLDED, "predict", "joint") == AFTER_SCORES
    two = {"base": {"streams": ["joint", "limb"]}, "final": {"streams": ["rgb", "flow"]}}
    listed = change(change(FOLDED, "ensembles", two), "ablation", [{"name": "joint"}])
    assert following(listed, "predict_fold", "joint") == {"ensemble", "ablation"}
    assert following(listed, "predict", "joint") == {"ensemble"}
    assert following(change(listed, "folds", 0), "predict", "joint") == {"ensemble", "ablation"}
    assert following(listed, "ensemble", "base") == set()
    assert following(listed, "ensemble", "final") == {"submission"}
    for corpus, streams in (("imigue", {"joint", "limb", "rgb", "taylor", "flow", "depth"}), ("ma52", {"rgb_ma52"})):
        found = {step.split()[1] for step in following(DEMO, "clips", corpus) if step.startswith("predict ")}
        assert found == streams


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


def test_full_frames_and_crops_of_the_person_are_streams_of_one_run():
    raw = change(DEMO, "rgb", {"size": 64, "crop": "none"})
    raw["streams"] |= {"crops": raw["streams"]["rgb"] | {"input": "rgb_person"}}
    raw["streams"] |= {"pair": PAIR, "crop_pair": PAIR | {"input": ["rgb_person", "joint"]}}
    raw["recipes"]["rgb"] |= {"heatmap_frames": 32, "heatmap_size": 12}
    plan = Plan(raw)
    margins = {name: json.loads(plan.step("train", name).settings)["margin"] for name in ("pair", "crop_pair")}
    assert margins == {"pair": None, "crop_pair": 0.125}
    assert plan.sources("rgb", "imigue") == ()
    assert plan.sources("rgb_person", "imigue") == ("keypoints",)
    assert set(plan.kinds("imigue")) == {"keypoints", "rgb", "rgb_person", "taylor", "flow", "depth"}
    closer = Plan(change(raw, "rgb_person", {"margin": 0.3}))
    touched = {name for stage, name in changed(plan, closer) if stage == "train"}
    assert touched == {"crops", "crop_pair"}


def test_a_corpus_without_keypoints_has_no_crops_of_the_person():
    with pytest.raises(InputError, match=r"'rgb_ma52' needs keypoints, but corpus 'ma52'"):
        Plan(change(DEMO, "streams.rgb_ma52.input", "rgb_person"))


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


def test_keypoints_are_found_in_videos_that_have_none(tmp_path):
    only_rgb = change(DEMO, "streams", {"rgb": {**DEMO["streams"]["rgb"], "init": None}})
    only_rgb["ensembles"] = {"final": {"streams": ["rgb"]}}
    own = {kind: manifest(tmp_path / kind, kind) | {"pose": "mediapipe"} for kind in ("video", "keypoints")}
    plan = Plan(change(only_rgb, "corpora.imigue", own["video"]))
    assert plan.posed == ["imigue"]
    assert plan.provides("imigue") == {"video", "keypoints"}
    assert plan.step("skeletons", "imigue")
    with pytest.raises(InputError, match=r"'imigue' .*keypoints\) already has keypoints; remove corpora.imigue.pose"):
        Plan(change(only_rgb, "corpora.imigue", own["keypoints"]))


def test_another_layout_reruns_only_skeletons_whose_layout_may_be_any(tmp_path, monkeypatch):
    joint = change(DEMO, "streams", {"joint": DEMO["streams"]["joint"]})
    joint["ensembles"] = {"final": {"streams": ["joint"]}}
    corpora = {
        "any": manifest(tmp_path / "any", "keypoints,video"),
        "named": manifest(tmp_path / "named", "keypoints,video") | {"keypoints": {"layout": "coco_17"}},
        "posed": manifest(tmp_path / "posed", "video") | {"pose": "mediapipe"},
    }
    plans = {name: change(joint, "corpora.imigue", corpus) for name, corpus in corpora.items()}
    before = {name: Plan(raw) for name, raw in plans.items()}
    monkeypatch.setattr(corpus_stages, "LAYOUT_FILES", corpus_stages.LAYOUT_FILES[:-1])
    touched = {name for name, raw in plans.items() if ("skeletons", "imigue") in changed(before[name], Plan(raw))}
    assert touched == {"any"}

    text = corpus_stages.layout_text
    monkeypatch.setattr(corpus_stages, "layout_text", lambda layout: text(layout) + " with another name")
    touched = {name for name, raw in plans.items() if ("skeletons", "imigue") in changed(before[name], Plan(raw))}
    assert touched == {"any", "named", "posed"}


def test_a_replaced_depth_video_reruns_its_shard(tmp_path):
    """Of clips in test and train, which are never in one shard; by size and time, and not if no file is watched."""
    own = manifest(tmp_path / "own", "video")
    with open(tmp_path / "own/clips.csv", "a") as rows:
        rows.writelines(f"{name},{split},{name},wave,{name}.mp4\n" for name, split in (("a", "train"), ("d", "test")))
    depths = tmp_path / "depths"
    depths.mkdir()
    for name in ("a", "d", "unused"):
        (depths / f"{name}.mp4").write_bytes(b"1")
    raw = change(DEMO, "streams", {"depth": {**DEMO["streams"]["depth"], "init": None}})
    raw |= {"ensembles": {"final": {"streams": ["depth"]}}, "depth": {"backend": "folder", "folder": str(depths)}}
    results = tmp_path / "results"

    def stamps(watched=True):
        plan = Plan(change(raw, "corpora", {"imigue": own | {"watch_files": watched}}), str(results))
        list(refresh_listings(plan.config, results))
        return {shard: plan.shard_stamp("depth", "imigue", shard) for shard in plan.shards}

    def touched(before, after):
        return {shard for shard in before if before[shard] != after[shard]}

    before, blind = stamps(), stamps(watched=False)
    (depths / "unused.mp4").write_bytes(b"22")
    assert stamps() == before
    (depths / "d.mp4").write_bytes(b"22")
    (depths / "a.mp4").unlink()
    after = stamps()
    assert stamps(watched=False) == blind
    listed = {path.stem: read_parquet(path)["clip_id"].to_pylist() for path in results.glob("listed/imigue/0*.parquet")}
    assert touched(before, after) == {shard for shard, clips in listed.items() if clips}
    assert (
        before["0000"].partition("-")[0]
        == Plan(raw | {"corpora": {"imigue": own}}, str(results)).step("depth", "imigue").stamp
    )


def test_a_configuration_that_is_validated_already_gives_the_same_plan():
    assert Plan(load_config(DEMO))._steps == Plan(DEMO)._steps


def test_the_demo_is_drawn_in_the_results():
    assert Plan(DEMO).root("imigue") == "results/demo/imigue"
    assert Plan(DEMO, "elsewhere").root("ma52") == "elsewhere/demo/ma52"


def test_frames_in_the_report_are_made_for_it_even_if_no_stream_sees_them():
    only_joint = change(DEMO, "streams", {"joint": DEMO["streams"]["joint"]})
    only_joint["ensembles"] = {"final": {"streams": ["joint"]}}
    shown = change(only_joint, "report", {"frames": True})
    assert (Plan(only_joint).framed, Plan(shown).framed) == (None, "imigue")
    assert (Plan(only_joint).kinds("imigue"), Plan(shown).kinds("imigue")) == (["keypoints"], ["keypoints", "rgb"])


def pseudo_labelled():
    """The demo with a stream that learns from the pseudo-labels of an ensemble."""
    raw = change(DEMO, "ablation", [])
    raw["streams"] |= {"again": raw["streams"]["joint"] | {"pseudo_labels": "base"}}
    return raw | {
        "ensembles": {
            "base": {"streams": ["joint", "limb"]},
            "final": {"streams": ["again", "limb"], "calibration_from": "base"},
        }
    }


def test_pseudo_labels_lie_between_an_ensemble_and_the_streams_that_learn_from_them():
    raw = pseudo_labelled()
    labelled = {"train again", "predict again"}
    assert following(raw, "pseudo_labels", "base") - AFTER_SCORES == labelled
    assert following(raw, "ensemble", "base") - AFTER_SCORES == labelled | {"pseudo_labels base"}
    assert (Plan(raw).trained_on("joint"), Plan(raw).trained_on("again")) == ("train", None)


def test_edited_test_clips_reach_only_the_trainings_that_learn_from_them(monkeypatch):
    listed = {"elsewhere": iter(["before", "before", "after", "after"])}

    def digests(config, corpus, results):
        digest = next(listed[results])
        return {"train_clips": "", "test_clips": digest, "clips": digest}

    monkeypatch.setattr("microgesture.workflow.plan.listing_digests", digests)
    before, after = (Plan(pseudo_labelled(), "elsewhere") for _ in range(2))
    touched = {f"{stage} {name}" for stage, name in changed(before, after) if stage.startswith("train")}
    assert touched == {"train again"}
    assert ("predict", "joint") in changed(before, after)
    assert ("train_clips", "imigue") not in changed(before, after)


def test_the_shards_of_test_clips_are_the_last_quarter():
    plan = Plan(change(DEMO, "shards", 8))
    assert (plan.shards_of("train"), plan.shards_of("test")) == (plan.shards[:6], plan.shards[6:])
    assert plan.shards_of(None) == plan.shards


class Asked:
    """Sources that keep what was asked of them."""

    def __init__(self):
        self.without = []

    def digest(self, modules, without=(), files=()):
        if "microgesture.streams.train" in modules:
            self.without.append(set(without))
        return "the same"


def test_training_depends_on_the_readers_of_published_weights_that_it_uses():
    asked = []
    for weights in (None, "swin.pth"):
        sources = Asked()
        raw = change(DEMO, "streams", {"rgb": {**DEMO["streams"]["rgb"], "init": None, "weights": weights}})
        raw["ensembles"] = {"final": {"streams": ["rgb"]}}
        Plan(raw, sources=sources)
        (without,) = sources.without
        asked.append(
            {name for name in without if name.startswith(("microgesture.checkpoints", "microgesture.streams"))}
        )
    assert asked[0] == {"microgesture.streams.weights:start_from_file"}
    others = {"mvit", "resnet", "swinface"}  # all but the layout of Video Swin
    assert asked[1] == {f"microgesture.checkpoints.{layout}" for layout in others}
