"""The first configuration of a study: its text with comments, which depends on the clips."""

import json
import math
import re
from collections.abc import Collection
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from ..config.modalities import MODALITIES, VIDEOS
from ..config.pose import PoseMethod

CORPUS = "mine"
SELECTIONS = {137: "36", 35: "22", 28: "22"}  # by the number of points in a file
_SIDED = re.compile(r"(?<![a-z])(left|right)(?![a-z])", re.IGNORECASE)
# The size of the networks and their inputs, and the length of training in steps of a batch.
_SMALL = {
    "why": "no GPU was found, so the networks are small enough for CPUs, as in the demo",
    "stored": 96, "side": 64, "frames": 8, "heatmap_side": 24, "heatmap_frames": 12, "workers": 0,
    "swin": "width: 24, depths: [1, 1, 2, 1]", "pose_width": 8, "batch_size": 8, "steps": 600, "longest": 100,
}  # fmt: skip
_LARGE = {
    "why": "a GPU was found, so networks and frames have a medium size",
    "stored": 128, "side": 112, "frames": 16, "heatmap_side": 48, "heatmap_frames": 32, "workers": 4,
    "swin": "width: 48, depths: [2, 2, 6, 2]", "pose_width": 32, "batch_size": 16, "steps": 6000, "longest": 120,
}  # fmt: skip


def settings_text(
    root: Path,
    video: bool,
    points: int | None,
    clips: int,
    training: int,
    labels: Collection[str],
    shared: bool,
    ground_truth: bool,
    gpu: bool,
    pose: PoseMethod | None,
) -> str:
    """The text of a ``config.yaml`` for the manifest in ``root`` (an absolute path).

    ``points`` is the number of keypoints in a file, None without keypoints. ``clips`` and ``training`` are the numbers
    of all clips and of those in train. With ``shared``, a person is in test and also in train or val. With
    ``ground_truth``, the labels of test clips are known; with ``gpu``, networks and frames are larger; ``pose`` is
    the method that finds keypoints in the videos.
    """
    size = _LARGE if gpu else _SMALL
    there = {"video"} if points is None else {"video", "keypoints"}
    proposed = [name for name in VIDEOS if video and MODALITIES[name].first_recipe is not None]
    videos = {n: MODALITIES[n].first_recipe for n in proposed if MODALITIES[n].settings().needs <= there}
    sided = next((label for label in sorted(labels) if _SIDED.search(label.replace("_", " "))), "")
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        undefined=StrictUndefined,
        trim_blocks=True,
        keep_trailing_newline=True,
    )
    return environment.get_template("config.yaml.j2").render(
        corpus=CORPUS,
        root=_quoted(root),
        shards=min(64, max(2, math.ceil(clips / 50))),
        # One clip in fifty, and at least one clip.
        max_quarantined=min(0.5, max(0.02, math.ceil(100 / clips) / 100)),
        size=size,
        epochs=min(size["longest"], max(12, math.ceil(size["steps"] * size["batch_size"] / max(1, training)))),
        learnt=training,
        sided=" ".join(sided.split()),
        points=points,
        selection=SELECTIONS.get(points),
        videos=videos,
        streams=[*(() if points is None else ("joint", "limb", "skeleton")), *videos],
        shared=shared,
        pose=pose,
        ground_truth=_quoted(root / "clips.csv") if ground_truth else None,
    )


def _quoted(path: Path) -> str:
    return json.dumps(str(path), ensure_ascii=False)
