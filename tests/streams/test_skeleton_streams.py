"""Streams that see skeletons: what a clip becomes on its way to the network, and training on it."""

import numpy as np
import pytest
import torch

from fixtures.training_clips import draw_keypoints, make_clips, write_shards
from microgesture.config.streams import TrainStep
from microgesture.errors import InputError
from microgesture.machine.resources import Resources
from microgesture.networks import build
from microgesture.skeletons.input import skeleton_input
from microgesture.skeletons.points import at_times, even_times, normalise
from microgesture.skeletons.selections import selection_named
from microgesture.storage.scores import read_scores
from microgesture.streams.augment import network_input
from microgesture.streams.batches import load_batches
from microgesture.streams.predict import predict
from microgesture.streams.samples import ClipDataset
from microgesture.streams.train import train

SELECTION = selection_named("36")
NETWORKS = {
    "stcnn": {"name": "stcnn", "widths": (4, 8), "strides": (2, 2), "dropout": 0},
    "agcn": {"name": "agcn", "width": 4},
}
VARIED = {"shortest": 0.6, "rotation": 20, "scale": 0.1, "shear": 0.1, "noise": 0.01}


def skeleton_step(modality: str = "skeleton", network: str = "stcnn", **recipe) -> TrainStep:
    small = {"frames": 8, "epochs": 6, "batch_size": 8, "optimizer": "adamw", "learning_rate": 0.01, "num_clips": 3}
    return TrainStep(
        stream=f"small_{modality}",
        inputs=(modality,),
        selection="36",
        network=NETWORKS[network],
        recipe=small | {"flip": False} | recipe,
        seed=3,
        max_quarantined=0.02,
    )


def data_set(folder, step, training, labels=(0, 1)):
    shards = write_shards(folder, ("joint",), labels)
    clips = make_clips(["train"] * len(labels), labels)
    return ClipDataset(
        clips.usable, shards, step, training=training, num_clips=1 if training else step.recipe.num_clips
    )


@pytest.mark.parametrize("modality", ["skeleton", "bone", "direction", "motion"])
def test_the_network_sees_the_normalised_points_of_the_whole_clip(tmp_path, modality):
    step = skeleton_step(modality)
    dataset = data_set(tmp_path, step, training=False)
    (batch,) = load_batches(dataset, [dataset.test_keys()], torch.device("cpu"))
    assert batch.times.tolist() == [3, 3]  # all samplings of a clip are the same, and seen once
    (x_BCTV,) = network_input(batch, step.inputs, step.recipe, SELECTION)
    for label, x_CTV in enumerate(x_BCTV):
        points_TVC = normalise(at_times(draw_keypoints(label, label), even_times(12, 8)), SELECTION)
        expected_BCTV = skeleton_input(torch.from_numpy(points_TVC)[None], torch.tensor([False]), modality, SELECTION)
        torch.testing.assert_close(x_CTV, expected_BCTV[0])


def test_training_varies_a_clip_by_its_draw_and_nothing_else(tmp_path):
    dataset = data_set(tmp_path, skeleton_step(augmentation=VARIED, flip=True), training=True)
    first, again, other = dataset[0, 0], dataset[0, 0], dataset[0, 1]
    np.testing.assert_array_equal(first.data[0], again.data[0])
    assert np.abs(first.data[0] - other.data[0]).max() > 0.01
    assert len({dataset[0, draw].mirror for draw in range(20)}) == 2
    hiding = skeleton_step(augmentation={"joint_dropout": 0.5})
    for training, least in ((True, 6), (False, 0)):
        (points_TVC,) = data_set(tmp_path, hiding, training)[0, 0].data
        assert (points_TVC[..., 2] == 0).all(0).sum() >= least  # of 36 joints
    assert (points_TVC[..., 2] > 0).all()
    plain = data_set(tmp_path, skeleton_step(), training=True)
    assert not any(plain[0, draw].mirror for draw in range(20))


@pytest.mark.parametrize("network", ["stcnn", pytest.param("agcn", marks=pytest.mark.slow)])
def test_a_skeleton_stream_learns_what_is_plain_to_see(tmp_path, network):
    labels = [row % 2 for row in range(24)]
    clips = make_clips(["train"] * 16 + ["val"] * 8, labels)
    shards = write_shards(tmp_path, ("joint",), labels)
    step = skeleton_step(network=network, augmentation=VARIED, keep_checkpoint="last", epochs=2, repeats=16)
    model, scores = tmp_path / "model.safetensors", {"val": tmp_path / "val.parquet"}
    machine = Resources("cpu")
    train(clips, shards, step, build, model, tmp_path / "card.json", tmp_path / "scratch", machine)
    predict(clips, shards, model, step, build, scores, machine)
    said = read_scores(scores["val"]).log_probabilities
    assert [int(said[f"c{row}"].argmax()) for row in range(16, 24)] == labels[16:]


def test_more_classes_than_features_have_no_anchors(tmp_path):
    labels = [row % 2 for row in range(16)]
    clips, shards = make_clips(["train"] * 16, labels), write_shards(tmp_path, ("joint",), labels)
    step = skeleton_step(semantic_weight=1.0)
    narrow = step.network.model_copy(update={"widths": (1, 1), "joints_apart": False})
    step = step.model_copy(update={"network": narrow})
    with pytest.raises(InputError, match=r"2 classes need at least as many features.*set semantic_weight: 0"):
        train(clips, shards, step, build, tmp_path / "model", tmp_path / "card", tmp_path / "scratch", Resources("cpu"))
