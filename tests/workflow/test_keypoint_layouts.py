"""What doctor says of the files of keypoints of a corpus, and the selection "all"."""

import copy
import json
from pathlib import Path

import numpy as np
import pytest
import yaml

from fixtures.release_files import write_npz
from microgesture.config.layouts import JointSelection
from microgesture.config.whole import load_config
from microgesture.errors import InputError
from microgesture.skeletons.plausibility import Rules
from microgesture.skeletons.reading import read_skeleton
from microgesture.workflow.keypoint_layouts import layouts_found, units_differ
from microgesture.workflow.plan import Plan

DEMO = json.loads(json.dumps(yaml.safe_load((Path(__file__).parents[2] / "config.yaml").read_text())))


def standing(scale, points=20):
    """Points in space (T, V, 4) of somebody upright, in metres times a scale."""
    place_V3 = np.random.default_rng(0).uniform((-0.4, -0.9, 2), (0.4, 0.9, 2.4), (points, 3))
    place_V3[points // 6, 1] = 0.95
    return np.tile(np.insert(place_V3 * scale, 3, 1, axis=-1), (4, 1, 1)).astype(np.float32)


def told(paths, folder, rules=Rules(), selection=None):  # noqa: B008
    return list(layouts_found(paths, folder, rules, selection))


def test_layouts_are_told_and_those_that_lack_joints_stop_a_run(tmp_path):
    for name in ("a.npz", "b.npz", "c.npz"):
        write_npz(tmp_path / name, np.ones((3, 17, 3), np.float32))
    ((text, stops),) = told(["a.npz", "b.npz", "c.npz"], tmp_path)
    assert "COCO-17 in 3 files (by their number, 17" in text
    assert not stops
    lacking, stops = told(["a.npz", "b.npz"], tmp_path, selection="22")[-1]
    assert "COCO-17 lacks 10 joints of selection 22, such as left thumb tip; use selection coco_17" in lacking
    assert stops
    write_npz(tmp_path / "d.npz", np.ones((3, 133, 3), np.float32))
    texts = [text for text, _ in told(["a.npz", "b.npz", "d.npz"], tmp_path)]
    assert "2 layouts, COCO-WholeBody first in d.npz" in texts[1]


def test_other_units_are_told(tmp_path):
    of = {name: read_skeleton(write_npz(tmp_path / name, standing(scale)))
          for name, scale in (("m.npz", 1), ("also.npz", 1.2), ("mm.npz", 1000))}  # fmt: skip
    assert units_differ([(name, of[name]) for name in ("m.npz", "also.npz")]) is None
    assert "as large in mm.npz as in m.npz" in units_differ(list(of.items()))


def own(tmp_path, keypoints, points_TVC):
    rows = [f"{clip},{split},{clip[0]},x,{clip}.npz" for clip, split in (("a", "train"), ("b", "val"), ("c", "test"))]
    (tmp_path / "clips.csv").write_text("\n".join(["clip_id,split,subject,label,keypoints", *rows]))
    for clip in "abc":
        write_npz(tmp_path / f"{clip}.npz", points_TVC)
    raw = copy.deepcopy(DEMO)
    raw["corpora"] = {"imigue": {"format": "manifest", "root": str(tmp_path), "keypoints": keypoints}}
    network = {"name": "stcnn", "widths": [4], "strides": [2]}
    names = ("skeleton3d", "bone3d", "motion3d", "bone_motion3d", "joint")
    raw["streams"] = {
        name: {"corpus": "imigue", "input": name, "network": network, "recipe": "heatmaps"} for name in names
    }
    raw["streams"]["joint"]["network"] = {"name": "poseconv3d", "width": 4}
    raw["ensembles"] = {"final": {"streams": list(names), "weights": "equal"}}
    raw["keypoints"] = {"selection": "all"}
    return {key: raw[key] for key in ("corpora", "keypoints", "recipes", "streams", "ensembles", "shards")} | {
        "submission": {"ensemble": "final"}
    }


def test_all_points_of_own_files_in_space_are_planned_without_a_video(tmp_path):
    plan = Plan(own(tmp_path, {"layout": "kinect_v1"}, standing(1)), str(tmp_path / "results"))
    assert plan.provides("imigue") == {"keypoints", "metres"}
    assert plan.config.keypoints.selection == "kinect_v1"
    with pytest.raises(InputError, match=r"selection: all needs one layout"):
        load_config(own(tmp_path, {}, standing(1)))


def test_a_layout_of_ones_own_is_read_from_its_file_and_changes_the_plan(tmp_path):
    table = {"points": ["snout", "left ear", "right ear"], "limbs": [["left ear", "snout", "right ear"]]}
    path = tmp_path / "mouse.yaml"
    path.write_text(yaml.safe_dump(table))
    raw = own(tmp_path, {"layout": str(path)}, standing(1, 3))
    before = Plan(raw, str(tmp_path / "results"))
    chosen = before.config.keypoints.selection
    assert isinstance(chosen, JointSelection)
    assert chosen.joints == ("snout", "left ear", "right ear")
    path.write_text(yaml.safe_dump(table | {"limbs": [["left ear", "snout"]]}))
    after = Plan(raw, str(tmp_path / "results"))
    assert before.step("skeletons", "imigue") != after.step("skeletons", "imigue")
    assert before.step("train", "joint") != after.step("train", "joint")
    path.write_text("points: [snout, snout]")
    with pytest.raises(InputError, match=r"mouse.yaml: .*two points are called 'snout'"):
        load_config(raw)
    raw["corpora"]["imigue"]["keypoints"] = {"layout": "coco_wholbody"}
    with pytest.raises(InputError, match="did you mean 'coco_wholebody'"):
        load_config(raw)
