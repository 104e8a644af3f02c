"""Small streams of one input, and what a stream that fuses two of them is, for the tests of fusion."""

from collections.abc import Collection, Mapping
from pathlib import Path

import numpy as np

from microgesture.config.streams import TrainStep
from microgesture.errors import UnusableClip
from microgesture.storage.shards import write_shard
from training_clips import draw_keypoints, film

_SWIN = {"name": "video_swin", "width": 16, "depths": (1, 1), "dropout": 0, "drop_path": 0}
NETWORKS = {
    "joint": {"name": "poseconv3d", "width": 4, "dropout": 0},
    "skeleton": {"name": "agcn", "width": 4},
    "bone": {"name": "stcnn", "widths": (4, 8), "strides": (2, 2), "dropout": 0},
    "rgb": _SWIN,
    "depth": _SWIN,
    "flow": {"name": "slowonly", "width": 4, "dropout": 0},
}
SHOWN = {  # what tells the inputs of two streams apart
    "joint": {"frames": 6, "size": 16, "sigma": 1.0},
    "skeleton": {"frames": 8},
    "bone": {"frames": 16, "own_hands": False},
    "rgb": {"frames": 4, "size": 32, "mean": (60, 60, 60), "jitter": 0.1},
    "depth": {"frames": 2, "size": 24, "interval": 3},
    "flow": {"frames": 4, "size": 32, "flow_bound": 0.1},
}
SMALL = {
    "epochs": 2,
    "batch_size": 4,
    "optimizer": "adamw",
    "learning_rate": 0.003,
    "views": 2,
    "crop_area": (1.0, 1.0),
}
FUSION = {"name": "token_fusion", "width": 8, "layers": 2, "heads": 2, "dropout": 0}


def step_of(modality: str, **recipe: object) -> TrainStep:
    """A small stream of one input."""
    return TrainStep(
        stream=f"small_{modality}",
        inputs=(modality,),
        selection="36",
        network=NETWORKS[modality],
        recipe=SMALL | SHOWN[modality] | recipe,
        seed=3,
        max_quarantined=0.02,
    )


def fused_of(*parents: TrainStep, **recipe: object) -> TrainStep:
    """The stream that fuses two others."""
    return TrainStep(
        stream="fused",
        inputs=[modality for parent in parents for modality in parent.inputs],
        selection="36",
        network=FUSION,
        branches=[{"network": parent.network, "recipe": parent.recipe} for parent in parents],
        recipe=SMALL | recipe,
        seed=4,
        max_quarantined=0.02,
    )


def write_stores(
    folder: Path, labels: list[int], lacking: Mapping[str, Collection[int]] | None = None, n_frames: int = 12
) -> dict[str, list[Path]]:
    """Shards of every kind, by kind, of clips c0, c1, ... that show one figure; without those that are ``lacking``."""
    folder.mkdir(exist_ok=True)
    figures = [draw_keypoints(label, row, n_frames) for row, label in enumerate(labels)]
    videos = [film(keypoints_TVC, 40) for keypoints_TVC in figures]
    flows = [np.diff(video_THWC[..., :2].astype(np.int16), axis=0, append=0) for video_THWC in videos]
    drawn = {"keypoints": figures, "rgb": videos, "depth": [video[..., :1] for video in videos], "flow": flows}
    files = {}
    for kind, clips in drawn.items():
        missing = (lacking or {}).get(kind, ())
        files[kind] = [folder / f"{kind}.arrow"]
        entries = [
            (f"c{row}", UnusableClip(f"c{row} has no {kind}") if row in missing else clip)
            for row, clip in enumerate(clips)
        ]
        write_shard(files[kind][0], entries, "zstd")
    return files
