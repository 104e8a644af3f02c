"""A stream on one corpus that starts from a stream on another: by shared joints, or by video."""

import copy
import json
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml

from fixtures.release_files import kinect_columns, kinect_metres
from fixtures.skeletons import named
from fixtures.training_clips import draw_video, make_clips
from microgesture.config.streams import TrainStep
from microgesture.machine.resources import Resources
from microgesture.networks import build
from microgesture.skeletons.keypoints import cut_clip
from microgesture.skeletons.kinect import kinect_joints
from microgesture.skeletons.layouts import layout_named
from microgesture.skeletons.selections import selection_named
from microgesture.storage.clips import Clips
from microgesture.storage.shards import write_shard
from microgesture.streams.augment import input_channels
from microgesture.streams.train import train
from microgesture.streams.weights import is_head, load_weights, start_from
from microgesture.workflow.plan import Plan

DEMO = json.loads(json.dumps(yaml.safe_load((Path(__file__).parents[2] / "config.yaml").read_text())))
TINY = {
    "skeleton": {"name": "agcn", "width": 4},
    "bone": {"name": "stcnn", "widths": (4,), "strides": (2,)},
    "joint": {"name": "poseconv3d", "width": 4},
    "rgb": {"name": "slowonly", "width": 4},
}
RECIPE = {
    "frames": 4,
    "epochs": 1,
    "batch_size": 4,
    "size": 16,
    "num_clips": 1,
    "optimizer": "adamw",
    "learning_rate": 0.01,
}


def config(modality):
    """A stream on iMiGUE that starts from one on SMG, on drawn corpora."""
    raw = copy.deepcopy(DEMO)
    raw["corpora"] = {"imigue": raw["corpora"]["imigue"], "smg": raw["corpora"]["imigue"] | {"format": "smg"}}
    raw["keypoints"] = {"selection": "22"}
    raw["recipes"] = {"tiny": RECIPE}
    shared = {"input": modality, "network": TINY[modality], "recipe": "tiny"}
    raw["streams"] = {"first": shared | {"corpus": "smg"}, "then": shared | {"corpus": "imigue", "init": "first"}}
    raw["ensembles"] = {"final": {"streams": ["then"]}}
    raw["submission"] = {"ensemble": "final"}
    raw["folds"] = 2
    raw.pop("ablation", None)
    raw.pop("ground_truth", None)
    return raw


def openpose(row):
    """22 of OpenPose's points, (T, 22, 3)."""
    recording_TVC = np.random.default_rng(row).uniform(100, 300, (12, 137, 3)).astype(np.float32)
    recording_TVC[..., 2] = 0.9
    return cut_clip(named(recording_TVC), range(12), selection_named("22"), "a.xlsx")


def kinect(row):
    """22 points of a Kinect, (T, 22, 6), of which it sees 12."""
    joints_TVC = kinect_joints(kinect_columns(kinect_metres(12, row)))
    return cut_clip(named(joints_TVC), range(12), selection_named("22"), "a_skeleton.csv")


def shards_of(folder, modality, keypoints):
    folder.mkdir()
    kind = "rgb" if modality == "rgb" else "keypoints"
    clips = [(f"c{row}", draw_video(row % 2, row) if kind == "rgb" else keypoints(row)) for row in range(4)]
    write_shard(folder / kind, clips, "jpeg" if kind == "rgb" else "zstd")
    return {kind: [folder / kind]}


@pytest.mark.parametrize("modality", TINY)
def test_weights_learnt_on_smg_are_the_start_on_imigue(tmp_path, modality):
    plan = Plan(config(modality))
    assert plan.fold_parents("then") == {"first": False}  # folds start from a stream that has seen other people only
    steps = {name: TrainStep.model_validate_json(plan.step("train", name).settings) for name in ("first", "then")}
    of_smg = make_clips(["train"] * 4, [row % 2 for row in range(4)])
    of_smg = Clips(of_smg.table, ("Folding arms", "Moving legs"), ("3", "5"))
    of_imigue = make_clips(["train"] * 4, [row % 3 for row in range(4)])
    of_imigue = Clips(of_imigue.table, ("Turtle neck", "Touching ears", "Arms akimbo"), ("0", "8", "29"))
    models = {name: tmp_path / f"{name}.safetensors" for name in steps}

    def fit(name, clips, keypoints, parents):
        shards = shards_of(tmp_path / name, modality, keypoints)
        files = models[name], tmp_path / f"{name}.json", tmp_path / f"{name}_scratch"
        train(clips, shards, steps[name], build, *files, Resources("cpu"), parents=parents)

    fit("first", of_smg, kinect, [])
    fit("then", of_imigue, openpose, [models["first"]])

    selection = selection_named("22")
    network = build(steps["then"].network, input_channels((modality,), selection), 3, selection)
    start = start_from(network, [models["first"]], of_imigue.classes)
    learnt, _ = load_weights(models["first"])
    assert start.new == [name for name in network.state_dict() if is_head(name)]
    for name, tensor in network.state_dict().items():
        if not is_head(name):
            torch.testing.assert_close(tensor, learnt[name])
    card = json.loads((tmp_path / "then.json").read_text())
    assert "first" in json.dumps(card)


def test_a_stream_on_smg_is_planned_before_what_starts_from_it():
    before, after = Plan(config("skeleton")), config("skeleton")
    after["streams"]["first"] = after["streams"]["first"] | {"network": {"name": "agcn", "width": 8}}
    after = Plan(after)
    changed = {step for step in before._steps if before._steps[step] != after._steps[step]}
    assert {("train", "first"), ("train", "then"), ("train_fold", "then")} <= changed


def test_all_joints_of_the_22_points_that_a_kinect_sees_are_seen_by_the_others_too():
    shared = set(selection_named("22").joints) & set(layout_named("kinect_v2").names)
    assert all(shared <= set(layout_named(layout).names) for layout in ("openpose_137", "light_hand", "ma52_28"))
    assert len(shared) == 12
