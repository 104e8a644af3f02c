"""Small clips whose class is plain to see, as shards and a clips table, for the tests of training."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from microgesture.clips import Clips
from microgesture.keypoints import SELECTIONS
from microgesture.shards import write_shard
from microgesture.stream import TrainStep

CLASSES = ("wave", "nod")


def make_clips(splits: Sequence[str], labels: Sequence[int | None], n_frames: int = 12) -> Clips:
    """Clips c0, c1, ... with the given splits and labels, in the columns that training looks at."""
    table = pd.DataFrame({"clip_id": [f"c{row}" for row in range(len(splits))], "split": splits})
    table = table.assign(corpus="drawn", n_frames=n_frames, shard=0, status="ok", reason=None)
    table["label"] = pd.array(labels, "Int32")
    return Clips(table, CLASSES, CLASSES)


def draw_keypoints(label: int, seed: int, n_frames: int = 12) -> np.ndarray:
    """A figure of 36 joints (T, 36, 3) whose right side sways (0), or all else moves up and down (1)."""
    generator = np.random.default_rng(seed)
    joints = SELECTIONS["36"].joints
    keypoints_TVC = np.ones((n_frames, len(joints), 3), np.float32)
    keypoints_TVC[..., :2] = np.random.default_rng(0).uniform(100, 200, (len(joints), 2)) + generator.normal(0, 1, 2)
    moving = [i for i, name in enumerate(joints) if name.startswith("right") == (label == 0)]
    keypoints_TVC[:, moving, label] += 40 * np.sin(np.linspace(0, 6, n_frames) + generator.uniform())[:, None]
    return keypoints_TVC


def draw_video(label: int, seed: int, n_frames: int = 12, size: int = 32) -> np.ndarray:
    """A bright square that moves right (0) or down (1) over noise, uint8 (T, size, size, 3)."""
    generator = np.random.default_rng(seed)
    frames_THWC = generator.integers(0, 60, (n_frames, size, size, 3), np.uint8)
    across = int(generator.integers(8, 16))
    for t in range(n_frames):
        y, x = (across, 2 * t) if label == 0 else (2 * t, across)
        frames_THWC[t, y : y + 8, x : x + 8] = 230
    return frames_THWC


def write_clips_shard(path: Path, input: str, labels: Sequence[int]) -> Path:
    """The shard of clips c0, c1, ... for the input ``joint`` or ``rgb``."""
    draw, codec = {"joint": (draw_keypoints, "zstd"), "rgb": (draw_video, "jpeg")}[input]
    write_shard(path, [(f"c{row}", draw(label, row)) for row, label in enumerate(labels)], codec)
    return path


_SMALL = {"frames": 4, "epochs": 10, "batch": 8, "optimizer": "adamw", "learning_rate": 0.01, "views": 2}
_STEPS = {
    "joint": {
        "selection": "36",
        "network": {"name": "poseconv3d", "width": 4, "dropout": 0},
        "recipe": {**_SMALL, "size": 16},
    },
    "rgb": {
        "selection": None,
        "network": {"name": "video_swin", "width": 16, "depths": (1, 1), "dropout": 0, "drop_path": 0},
        "recipe": {**_SMALL, "size": 32, "flip": False},
    },
}


def make_step(input: str, network: dict | None = None, **recipe: object) -> TrainStep:
    """A small stream ``joint`` (PoseConv3D) or ``rgb`` (Video Swin), with some settings changed."""
    step = _STEPS[input]
    return TrainStep(
        stream=f"small_{input}",
        input=input,
        selection=step["selection"],
        network=step["network"] | (network or {}),
        recipe=step["recipe"] | recipe,
        seed=3,
        max_quarantined=0.02,
    )
