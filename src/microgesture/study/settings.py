"""The first configuration of a study: its text with comments, which depends on the clips."""

import json
import math
import re
from collections.abc import Collection, Sequence
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from ..config.modalities import MODALITIES
from ..config.pose import PoseMethod
from ..skeletons.layouts import OWN, Layout
from ..skeletons.selections import fitting_selections
from .proposal import ENCODER, ENCODER_MB, Data, propose

CORPUS = "mine"
MOST_THREADS = 4  # of a training; networks of this size do not use more
# The first that a layout has is proposed, otherwise all its points. Heatmaps, of which there is one for each joint,
# have the smaller selection.
SELECTIONS = ("68", "36", "22")
_SIDED = re.compile(r"(?<![a-z])(left|right)(?![a-z])", re.IGNORECASE)
MANY = 200  # clips of train, from which on skeletons have larger batches
# The length of training is in steps of a batch. Networks of skeletons are small, so a GPU changes nothing for them.
_SKELETONS = {"batch_size": 8, "steps": 600, "longest": 100}
_MANY_SKELETONS = {"batch_size": 32, "steps": 540, "longest": 100}
# The size of the other networks and of their inputs.
_SMALL = {
    "why": "no GPU was found, so the networks are small enough for CPUs, as in the demo",
    "stored": 96, "side": 64, "frames": 8, "heatmap_side": 24, "heatmap_frames": 12, "workers": 0,
    "swin": "width: 24, depths: [1, 1, 2, 1]", "pose_width": 8, "batch_size": 8, "steps": 600, "longest": 100,
    "probe_views": 1,  # each takes a core 4 seconds
}  # fmt: skip
_LARGE = {
    "why": "a GPU was found, so networks and frames have a medium size",
    "stored": 128, "side": 112, "frames": 16, "heatmap_side": 48, "heatmap_frames": 32, "workers": 4,
    "swin": "width: 48, depths: [2, 2, 6, 2]", "pose_width": 32, "batch_size": 16, "steps": 6000, "longest": 120,
    "probe_views": 3,
}  # fmt: skip


def settings_text(
    root: Path,
    data: Data,
    layout: Layout | None,
    clips: int,
    labels: Collection[str],
    shared: bool,
    ground_truth: bool,
    gpu: bool,
    pose: PoseMethod | None,
    cores: int = 1,
) -> str:
    """The text of a ``config.yaml`` for the manifest in ``root`` (an absolute path).

    ``layout`` is that of the files of keypoints, None without keypoints. ``clips`` is the number of all clips. With
    ``shared``, a person is in test and also in train or val. With ``ground_truth``, the labels of test clips are known;
    with ``gpu``, networks and frames are larger; ``pose`` is the method that finds keypoints in the videos. The
    trainings share ``cores``.
    """
    size, proposed, training = _LARGE if gpu else _SMALL, propose(data), len(data.train)
    skeletons = _MANY_SKELETONS if training >= MANY else _SKELETONS
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
        shards=min(64, max(2, math.ceil(clips / 200))),
        # One clip in fifty, and at least one clip.
        max_quarantined=min(0.5, max(0.02, math.ceil(100 / clips) / 100)),
        size=size,
        skeletons=skeletons,
        epochs={key: _epochs(plan, training) for key, plan in (("skeletons", skeletons), ("others", size))},
        threads=min(MOST_THREADS, max(1, cores // max(1, len(proposed.streams)))),
        learnt=training,
        proposed=proposed,
        sided=" ".join(sided.split()),
        points=layout and layout.points,
        layout=layout and layout.title,
        selection=layout and _selection(layout, SELECTIONS[1:] if proposed.heatmaps else SELECTIONS),
        videos={name: MODALITIES[name].first_recipe for name in proposed.videos},
        encoder=ENCODER,
        encoder_mb=ENCODER_MB,
        shared=shared,
        pose=pose,
        ground_truth=_quoted(root / "clips.csv") if ground_truth else None,
    )


def _selection(layout: Layout, preferred: Sequence[str]) -> str:
    """The selection of a layout as yaml text."""
    fitting = fitting_selections(layout)
    if found := [name for name in preferred if name in fitting]:
        return f'"{found[0]}"'
    return layout.name if layout.name != OWN else f"{{joints: [{', '.join(map(json.dumps, layout.names))}]}}"


def _epochs(plan: dict, training: int) -> int:
    return min(plan["longest"], max(12, math.ceil(plan["steps"] * plan["batch_size"] / max(1, training))))


def _quoted(path: Path) -> str:
    return json.dumps(str(path), ensure_ascii=False)
