"""Small clips whose class is plain to see, as shards and a clips table, for the tests of training."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from microgesture.config.streams import TrainStep
from microgesture.skeletons.keypoints import SELECTIONS
from microgesture.storage.clips import Clips
from microgesture.storage.shards import write_shard
from microgesture.videos.reading import crop, person_box

CLASSES = ("wave", "nod")
FRAME = (320, 280)  # width and height of the source videos
MARGIN = 0.2  # about the person in the stored ones


def make_clips(splits: Sequence[str], labels: Sequence[int | None], n_frames: int = 12) -> Clips:
    """Clips c0, c1, ... with the given splits and labels, in the columns that training looks at.

    Each two of them show the same subject: s0, s0, s1, s1, ...
    """
    rows = range(len(splits))
    table = pd.DataFrame({"clip_id": [f"c{row}" for row in rows], "split": splits})
    table["subject"] = [f"s{row // 2}" for row in rows]
    table = table.assign(corpus="drawn", recording=table.subject, n_frames=n_frames, width=FRAME[0], height=FRAME[1])
    table = table.assign(shard=0, status="ok", reason=None)
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


def film(keypoints_TVC: np.ndarray, size: int = 64) -> np.ndarray:
    """A video of a figure, a bright square at each joint, cut to it as the rgb stage does; (T, size, size, 3)."""
    width, height = FRAME
    frames_THWC = np.full((len(keypoints_TVC), height, width, 3), 40, np.uint8)
    for frame_HWC, points_VC in zip(frames_THWC, keypoints_TVC, strict=True):
        for x, y in points_VC[:, :2].round().astype(int):
            frame_HWC[y - 4 : y + 5, x - 4 : x + 5] = 230
    box = person_box(keypoints_TVC, width, height, MARGIN)
    return np.stack([crop(frame_HWC, box, size) for frame_HWC in frames_THWC])


def draw_filmed(label: int, seed: int) -> np.ndarray:
    """The figure of ``draw_keypoints`` as a video."""
    return film(draw_keypoints(label, seed))


def write_shards(folder: Path, inputs: Sequence[str], labels: Sequence[int]) -> dict[str, list[Path]]:
    """The shards of clips c0, c1, ... for the inputs of a stream, by kind; a pair shows the same figure twice."""
    draws = {
        ("joint",): {"keypoints": (draw_keypoints, "zstd")},
        ("rgb",): {"rgb": (draw_video, "jpeg")},
        ("rgb", "joint"): {"rgb": (draw_filmed, "jpeg"), "keypoints": (draw_keypoints, "zstd")},
    }
    shards = {}
    for kind, (draw, codec) in draws[tuple(inputs)].items():
        shards[kind] = [folder / f"{kind}.arrow"]
        write_shard(shards[kind][0], [(f"c{row}", draw(label, row)) for row, label in enumerate(labels)], codec)
    return shards


_SMALL = {"frames": 4, "epochs": 10, "batch_size": 8, "optimizer": "adamw", "learning_rate": 0.01, "views": 2}
_STEPS = {
    ("joint",): {
        "selection": "36",
        "network": {"name": "poseconv3d", "width": 4, "dropout": 0},
        "recipe": {**_SMALL, "size": 16},
    },
    ("rgb",): {
        "network": {"name": "video_swin", "width": 16, "depths": (1, 1), "dropout": 0, "drop_path": 0},
        "recipe": {**_SMALL, "size": 32, "flip": False},
    },
    ("rgb", "joint"): {
        "selection": "36",
        "margin": MARGIN,
        "network": {"name": "rgbposeconv3d", "video_width": 4, "heatmap_width": 4, "frame_ratio": 2, "dropout": 0},
        "recipe": {**_SMALL, "heatmap_frames": 8, "size": 64, "heatmap_size": 16},
    },
}


def make_step(*inputs: str, network: dict | None = None, **recipe: object) -> TrainStep:
    """A small stream of ``joint`` (PoseConv3D), ``rgb`` (Video Swin) or both, with some settings changed."""
    step = {"selection": None} | _STEPS[inputs]
    return TrainStep(
        stream=f"small_{'_'.join(inputs)}",
        inputs=inputs,
        seed=3,
        max_quarantined=0.02,
        **step | {"network": step["network"] | (network or {}), "recipe": step["recipe"] | recipe},
    )
