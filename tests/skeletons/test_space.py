"""Skeletons in space: points in metres about the neck, turned, mirrored, and seen by networks as four channels."""

import copy
import json
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from scipy.spatial.transform import Rotation

from fixtures.release_files import kinect_columns, kinect_metres
from fixtures.training_clips import make_clips
from microgesture.config.recipes import Augmentation
from microgesture.config.streams import TrainStep
from microgesture.errors import InputError
from microgesture.machine.resources import Resources
from microgesture.networks import build
from microgesture.skeletons.input import bone_vectors, mirror_points, skeleton_input
from microgesture.skeletons.keypoints import in_space
from microgesture.skeletons.kinect import kinect_joints
from microgesture.skeletons.points import at_times, even_times, normalise, vary
from microgesture.skeletons.selections import selection_named
from microgesture.storage.scores import read_scores
from microgesture.storage.shards import write_shard
from microgesture.streams.augment import input_channels, network_input
from microgesture.streams.batches import load_batches
from microgesture.streams.predict import predict
from microgesture.streams.samples import ClipDataset
from microgesture.streams.train import train
from microgesture.workflow.plan import Plan

SELECTION = selection_named("25")
NECK, LEFT, RIGHT = (SELECTION.joints.index(name) for name in ("neck", "left shoulder", "right shoulder"))
NETWORKS = {
    "stcnn": {"name": "stcnn", "widths": (4, 8), "strides": (2, 2), "dropout": 0},
    "agcn": {"name": "agcn", "width": 4},
}
DEMO = json.loads(json.dumps(yaml.safe_load((Path(__file__).parents[2] / "config.yaml").read_text())))


def person(frames=12, seed=0, missing=0.2):
    """Keypoints (T, 25, 6) of somebody before a Kinect, some joints missing, but no neck and no shoulder."""
    keypoints_TVC = kinect_joints(kinect_columns(kinect_metres(frames, seed)))
    lost_TV = np.random.default_rng(seed).random((frames, 25)) < missing
    lost_TV[:, [NECK, LEFT, RIGHT]] = False
    keypoints_TVC[lost_TV] = 0
    return keypoints_TVC


def moving(label, seed, frames=12):
    """A clip (T, 25, 6) in which the right arm comes towards the sensor (0) or goes away (1), on its line of sight."""
    metres_TV3 = kinect_metres(frames, seed)
    hand = [9, 10, 11, 23, 24]
    metres_TV3[:, hand] *= (1 + (0.4 if label else -0.4) * np.linspace(0.2, 1, frames))[:, None, None]
    return kinect_joints(kinect_columns(metres_TV3, mirrored=False))


def step(modality="skeleton3d", network="agcn", **recipe):
    small = {"frames": 8, "epochs": 4, "batch_size": 8, "optimizer": "adamw", "learning_rate": 0.01, "num_clips": 1}
    return TrainStep(
        stream="small",
        inputs=(modality,),
        selection="25",
        network=NETWORKS[network],
        recipe=small | {"flip": False} | recipe,
        seed=3,
        max_quarantined=0.02,
    )


def shards_of(folder, clips_TVC):
    path = folder / "keypoints.arrow"
    write_shard(path, [(f"c{row}", clip_TVC) for row, clip_TVC in enumerate(clips_TVC)], "zstd")
    return {"keypoints": [path]}


def test_points_are_metres_about_the_neck_in_shoulder_widths():
    space_TVC = in_space(person())
    points_TVC = normalise(space_TVC, SELECTION, own_hands=False)
    assert points_TVC.shape == (12, 25, 4)
    found_TV = space_TVC[..., 3] > 0
    width = np.median(np.linalg.norm(space_TVC[:, LEFT, :3] - space_TVC[:, RIGHT, :3], axis=1))
    assert 0.3 < width < 0.42
    expected_TV3 = (space_TVC[..., :3] - space_TVC[:, [NECK], :3]) / width
    np.testing.assert_allclose(points_TVC[found_TV][:, :3], expected_TV3[found_TV], atol=1e-5)
    np.testing.assert_array_equal(points_TVC[..., 3], space_TVC[..., 3])
    assert not points_TVC[~found_TV].any()


@pytest.mark.parametrize("own_hands", [True, False])
def test_where_somebody_stands_and_how_tall_does_not_matter(own_hands):
    space_TVC = in_space(person())
    far_TVC = np.where(space_TVC[..., 3:] > 0, space_TVC * (1.3, 1.3, 1.3, 1) + (0.4, -0.2, 1.5, 0), 0).astype(
        np.float32
    )
    expected_TVC = normalise(space_TVC, SELECTION, own_hands)
    np.testing.assert_allclose(normalise(far_TVC, SELECTION, own_hands), expected_TVC, atol=1e-4)


def test_own_hands_lie_about_their_wrists():
    space_TVC = in_space(person(missing=0))
    points_TVC = normalise(space_TVC, SELECTION, own_hands=True)
    for side in ("left", "right"):
        hand = [SELECTION.joints.index(f"{side} {name}") for name in ("hand palm", "middle tip", "thumb tip")]
        np.testing.assert_allclose(np.linalg.norm(points_TVC[:, hand, :3], axis=-1).max(1), 1, rtol=1e-5)


def test_a_turn_keeps_all_distances_and_has_two_axes():
    points_TVC = normalise(in_space(person()), SELECTION, own_hands=False)
    found_TV = points_TVC[..., 3] > 0
    seen = []
    for seed in range(20):
        turned_TVC = vary(points_TVC, Augmentation(rotation=30), np.random.default_rng(seed))
        np.testing.assert_array_equal(turned_TVC[..., 3], points_TVC[..., 3])
        before_NN, after_NN = (
            np.linalg.norm(each_TVC[0, found_TV[0], None, :3] - each_TVC[0, None, found_TV[0], :3], axis=-1)
            for each_TVC in (points_TVC, turned_TVC)
        )
        np.testing.assert_allclose(after_NN, before_NN, atol=1e-4)
        matrix_33 = np.linalg.lstsq(points_TVC[found_TV][:, :3], turned_TVC[found_TV][:, :3], rcond=None)[0].T
        assert np.linalg.det(matrix_33) == pytest.approx(1, abs=1e-3)
        down_3 = matrix_33 @ (0, 1, 0)  # leans by the picture's turn alone
        away_3 = matrix_33 @ (0, 0, 1)  # swings by the turn about the vertical alone
        assert away_3[1] == pytest.approx(0, abs=1e-4)
        seen.append(np.degrees((np.arccos(down_3[1].clip(-1, 1)), np.arctan2(away_3[0], away_3[2]))))
    assert np.abs(seen).max() <= 30.1
    assert np.ptp(seen, axis=0).min() > 10


def test_turns_about_three_axes_are_rotations_of_scipy():
    points_TVC = normalise(in_space(person(missing=0)), SELECTION, own_hands=False)
    turns = (60, 40, 20)
    for seed in range(5):
        turned_TVC = vary(points_TVC, Augmentation(turns=turns), np.random.default_rng(seed))
        matrix_33 = np.linalg.lstsq(points_TVC[..., :3].reshape(-1, 3), turned_TVC[..., :3].reshape(-1, 3), rcond=None)[
            0
        ].T
        angles = Rotation.from_matrix(matrix_33).as_euler("zyx", degrees=True)[::-1]
        assert np.linalg.det(matrix_33) == pytest.approx(1, abs=1e-3)
        assert (np.abs(angles) <= turns).all()
        assert np.abs(angles).min() > 0.1
    alone_TVC = vary(points_TVC, Augmentation(turns=(0, 60, 0)), np.random.default_rng(0))
    np.testing.assert_allclose(alone_TVC[..., 1], points_TVC[..., 1], atol=1e-5)


def test_a_sample_fills_its_box_after_it_was_turned(tmp_path):
    augmentation = {"turns": (60, 60, 0), "frames": "random"}
    chosen = step(normalisation="box", augmentation=augmentation)
    table, shards = make_clips(["train"], [0]).usable, shards_of(tmp_path, [person(12, 0, missing=0)])
    shown = [ClipDataset(table, shards, chosen, training=training)[0, 0].data[0] for training in (True, False)]
    for points_TVC in shown:
        np.testing.assert_allclose(points_TVC[..., :3].max((0, 1)), 1, atol=1e-5)
        np.testing.assert_allclose(points_TVC[..., :3].min((0, 1)), -1, atol=1e-5)
    assert not np.allclose(*shown, atol=0.1)


def test_a_mirror_swaps_the_sides_and_the_sign_of_x_alone():
    points_BTVC = torch.from_numpy(normalise(in_space(person()), SELECTION))[None]
    yes = torch.tensor([True])
    once_BTVC = mirror_points(points_BTVC, yes, SELECTION)
    expected_TV3 = points_BTVC[0, :, RIGHT, :3] * torch.tensor((-1.0, 1, 1))
    torch.testing.assert_close(once_BTVC[0, :, LEFT, :3], expected_TV3)
    torch.testing.assert_close(once_BTVC[0, :, LEFT, 3], points_BTVC[0, :, RIGHT, 3])
    torch.testing.assert_close(mirror_points(once_BTVC, yes, SELECTION), points_BTVC)
    bones_of_mirrored = bone_vectors(once_BTVC, SELECTION)
    torch.testing.assert_close(bones_of_mirrored, mirror_points(bone_vectors(points_BTVC, SELECTION), yes, SELECTION))


@pytest.mark.parametrize("modality", ["skeleton3d", "bone3d"])
def test_the_network_sees_four_channels_of_the_clip_in_space(tmp_path, modality):
    clips_TVC = [person(12, seed) for seed in (0, 1)]
    dataset = ClipDataset(
        make_clips(["train"] * 2, [0, 1]).usable, shards_of(tmp_path, clips_TVC), step(modality), training=False
    )
    (batch,) = load_batches(dataset, [dataset.test_keys()], torch.device("cpu"))
    (x_BCTV,) = network_input(batch, (modality,), step(modality).recipe, SELECTION)
    assert input_channels((modality,), SELECTION) == (4,)
    for x_CTV, clip_TVC in zip(x_BCTV, clips_TVC, strict=True):
        points_TVC = normalise(at_times(in_space(clip_TVC), even_times(12, 8)), SELECTION)
        expected_BCTV = skeleton_input(torch.from_numpy(points_TVC)[None], torch.tensor([False]), modality, SELECTION)
        torch.testing.assert_close(x_CTV, expected_BCTV[0])
    bone_TC = (x_BCTV[0, :, :, LEFT] if modality == "bone3d" else 3 * (x_BCTV[0, :, :, LEFT] - x_BCTV[0, :, :, NECK])).T
    points_TVC = normalise(at_times(in_space(clips_TVC[0]), even_times(12, 8)), SELECTION)
    expected_T3 = 3 * (points_TVC[:, LEFT, :3] - points_TVC[:, NECK, :3])
    np.testing.assert_allclose(bone_TC[:, :3].numpy(), expected_T3, atol=1e-5)


def test_in_the_picture_metres_change_nothing(tmp_path):
    table = make_clips(["train"] * 2, [0, 1]).usable
    clips_TVC = [person(12, seed) for seed in (0, 1)]
    varied = {"augmentation": {"rotation": 20, "scale": 0.1, "shear": 0.1, "noise": 0.01, "shortest": 0.6}}
    for modality, network in (("skeleton", NETWORKS["agcn"]), ("joint", {"name": "poseconv3d", "width": 4})):
        plain = step(modality, **varied) if modality == "skeleton" else step().model_copy(update={"inputs": ("joint",)})
        shown = []
        for columns in (3, 6):
            folder = tmp_path / f"{modality}{columns}"
            folder.mkdir()
            shards = shards_of(folder, [np.ascontiguousarray(clip_TVC[..., :columns]) for clip_TVC in clips_TVC])
            shown.append(ClipDataset(table, shards, plain, training=True)[1, 2].data[0])
        assert shown[0].shape[-1] == 3, network
        np.testing.assert_array_equal(*shown)


def test_keypoints_without_metres_are_left_out_with_the_reason(tmp_path):
    clips_TVC = [person(12, 0), person(12, 1)[..., :3]]
    dataset = ClipDataset(
        make_clips(["train"] * 2, [0, 1]).usable, shards_of(tmp_path, clips_TVC), step(), training=False
    )
    assert dataset.clip_ids == ["c0"]
    assert dataset.left_out == {"c1": "c1: its keypoints have no metres, only places in the picture"}


@pytest.mark.parametrize("network", ["stcnn", pytest.param("agcn", marks=pytest.mark.slow)])
def test_a_stream_in_space_learns_what_no_picture_shows(tmp_path, network):
    labels = [row % 2 for row in range(24)]
    clips_TVC = [moving(label, seed) for seed, label in enumerate(labels)]
    nearer_TVC, farther_TVC = moving(0, 0), moving(1, 0)
    np.testing.assert_allclose(nearer_TVC[..., :3], farther_TVC[..., :3], rtol=1e-5)
    wrist = SELECTION.joints.index("right wrist")
    assert (farther_TVC[:, wrist, 5] - nearer_TVC[:, wrist, 5]).min() > 0.3
    shards = shards_of(tmp_path, clips_TVC)
    clips = make_clips(["train"] * 16 + ["val"] * 8, labels)
    chosen = step("skeleton3d", network, keep_checkpoint="last", epochs=2, repeats=16, own_hands=False)
    model, scores = tmp_path / "model.safetensors", {"val": tmp_path / "val.parquet"}
    train(clips, shards, chosen, build, model, tmp_path / "card.json", tmp_path / "scratch", Resources("cpu"))
    predict(clips, shards, model, chosen, build, scores, Resources("cpu"))
    said = read_scores(scores["val"]).log_probabilities
    assert [int(said[f"c{row}"].argmax()) for row in range(16, 24)] == labels[16:]


def with_space(corpus):
    raw = copy.deepcopy(DEMO)
    raw["corpora"]["smg"] = raw["corpora"]["imigue"] | {"format": "smg"}
    raw["keypoints"] = {"selection": "22"}
    raw["streams"]["space"] = {"corpus": corpus, "input": "bone3d", "network": {"name": "agcn"}, "recipe": "heatmaps"}
    return raw


def test_a_corpus_without_metres_is_refused():
    plan = Plan(with_space("smg"))
    assert plan.provides("smg") == {"video", "keypoints", "metres"}
    assert plan.stores("space") == ["keypoints"]
    assert plan.kinds("smg") == ["keypoints"]
    with pytest.raises(InputError, match=r"stream 'space' needs metres, but corpus 'imigue' .* has none"):
        Plan(with_space("imigue"))
