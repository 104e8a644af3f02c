"""Recipes of the configurations at full size against the numbers in their authors' files."""

from pathlib import Path

import pytest
import yaml

from microgesture.config.whole import load_config
from microgesture.streams.optimizers import rate_factor

ROOT = Path(__file__).parents[2]


def published(name):
    return load_config(yaml.safe_load((ROOT / f"config/{name}.yaml").read_text()))


@pytest.mark.parametrize("stream", ["graph_joint", "graph_bone"])
def test_2s_agcn_is_trained_as_on_ntu(stream):
    # lshiwjx/2s-AGCN, config/nturgbd-cross-subject/train_joint.yaml and train_bone.yaml
    theirs = {"weight_decay": 0.0001, "base_lr": 0.1, "step": [30, 40], "batch": 64, "epochs": 50, "nesterov": True}
    config = published("multitrack")
    recipe = config.recipes[config.streams[stream].recipe]
    assert (recipe.weight_decay, recipe.batch_size, recipe.epochs) == (
        theirs["weight_decay"],
        theirs["batch"],
        theirs["epochs"],
    )
    assert (recipe.optimizer, recipe.nesterov, recipe.clip_norm) == ("sgd", theirs["nesterov"], None)
    for epoch in range(recipe.epochs):
        rate = theirs["base_lr"] * 0.1 ** sum(epoch >= step for step in theirs["step"])
        assert recipe.learning_rate * rate_factor(epoch, recipe) == pytest.approx(rate)


def test_video_swins_rates_in_mm_gesture():
    # momiji-bit/MM-Gesture: 0.001, a cosine by epoch over 30 epochs
    config = published("mm_gesture")
    for stream in ("rgb", "rgb_ma52", "rgb_transfer", "taylor", "taylor_small", "flow", "depth"):
        recipe = config.recipes[config.streams[stream].recipe]
        rates = [recipe.learning_rate * rate_factor(epoch + 0.5, recipe) for epoch in (5, 10, 15, 20)]
        assert rates == pytest.approx([0.000933, 0.00075, 0.0005, 0.00025], abs=1e-6)
        assert recipe.backbone_scale == 0.1


def test_the_submitted_emotion_is_of_face_and_context():
    emotion = published("multitrack").emotion
    assert emotion.rows[emotion.submitted] == ("face", "context")
