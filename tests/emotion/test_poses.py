"""Posture as a source of emotion."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from fixtures.emotion_videos import a_corpus, a_step, has_won
from fixtures.training_clips import draw_keypoints
from microgesture.config.emotion import EmotionRecipe, EmotionSettings, EmotionStep, PoseTokenSettings
from microgesture.emotion.forecast import load_forecast, new_network
from microgesture.emotion.poses import Poses, pose_features
from microgesture.emotion.tokens import shown, together
from microgesture.emotion.train import train_emotion
from microgesture.errors import UnusableClip
from microgesture.skeletons.points import normalise
from microgesture.skeletons.selections import selection_named
from microgesture.storage.shards import write_shard

SELECTION, CPU = selection_named("36"), torch.device("cpu")


def pose_step(**recipe) -> EmotionStep:
    step = a_step(("context",), **recipe).model_copy(update={"sources": ("pose",), "selection": "36"})
    return step.model_copy(update={"pose": PoseTokenSettings(frames=3, width=8)})


def posed(telling=True):
    """Videos whose posture tells who has won, or does not."""
    table, videos = a_corpus()
    generator = np.random.default_rng(0)
    for video_id, video in videos.items():
        won = has_won(video_id) if telling else generator.random() < 0.5
        pose_NFX = generator.normal(0, 0.3, (len(video.place_N), 3, 5)).astype(np.float32)
        pose_NFX[..., 0] += 2 if won else -2
        videos[video_id] = replace(video, pose_NFX=pose_NFX)
    return table, videos


def test_posture_is_the_points_and_their_displacements():
    clip_TVC = draw_keypoints(0, 0)
    clip_TVC[5, 7] = 0  # lost in the middle one of three times
    features_FX = pose_features(clip_TVC[:11], SELECTION, 3)
    points_FVC = normalise(clip_TVC[[0, 5, 10]], SELECTION)
    by_joint_FVX = features_FX.reshape(3, 36, 4)
    np.testing.assert_allclose(by_joint_FVX[..., :2], points_FVC[..., :2], atol=1e-6)
    assert not by_joint_FVX[0, :, 2:].any()
    np.testing.assert_allclose(by_joint_FVX[2, 3, 2:], points_FVC[2, 3, :2] - points_FVC[1, 3, :2], atol=1e-6)
    assert not by_joint_FVX[1, 7].any()
    assert not by_joint_FVX[2, 7, 2:].any()


def test_a_clip_without_keypoints_has_no_posture(tmp_path):
    path = tmp_path / "0.arrow"
    write_shard(path, [("a", draw_keypoints(0, 0)), ("b", UnusableClip("no keypoints"))], "zstd")
    poses = Poses([path], SELECTION, 4)
    assert poses["a"].shape == poses.size == (4, 144)
    assert poses["b"] is None
    assert poses["c"] is None


def test_posture_is_learnt_and_told_of_new_people(tmp_path):
    table, videos = posed()
    step, model = pose_step(), tmp_path / "model.safetensors"
    train_emotion(table, videos, step, model, tmp_path / "card.json", CPU)
    forecast = load_forecast(model, videos, step)
    tested = table.video_id[table.split == "test"]
    assert [forecast.says(videos[video_id]) > 0.5 for video_id in tested] == [has_won(name) for name in tested]


def test_the_token_is_the_mean_of_the_layers_over_the_times():
    _, videos = posed()
    video = next(iter(videos.values()))
    network = new_network(videos, pose_step()).eval()
    tokens = together([video], ("pose",), CPU)
    of_times = torch.stack([network.posture(tokens.pose_BNFX[:, :, time]) for time in range(3)])
    torch.testing.assert_close(network._features("pose", tokens), of_times.mean(0))


def test_hidden_postures_are_not_found():
    _, videos = posed()
    video = max(videos.values(), key=lambda one: len(one.place_N))
    found = [shown(video, EmotionRecipe(token_dropout=0.5), 0, draw).found("pose") for draw in range(50)]
    assert np.concatenate(found).mean() == pytest.approx(0.5, abs=0.15)


@pytest.mark.parametrize(
    ("sources", "rows", "versus"),
    [
        (("pose",), ["pose"], None),
        (("context", "gestures", "pose"), ["context", "gestures", "pose", "all"], None),
        (("face", "context", "pose"), ["face", "context", "pose", "face_context", "all"], "face_context"),
    ],
)
def test_rows_of_the_table(sources, rows, versus):
    given = {"face": {"network": {"name": "swinface"}}, "context": "rgb", "gestures": "joint", "pose": {"frames": 4}}
    settings = EmotionSettings(corpus="imigue", **{source: given[source] for source in sources})
    assert list(settings.rows) == rows
    assert settings.versus[rows[-1]] == versus
    assert settings.shards_of(rows[-1]) == tuple(
        {"face": "face", "pose": "keypoints"}[source] for source in sources if source in ("face", "pose")
    )
