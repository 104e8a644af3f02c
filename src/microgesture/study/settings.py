"""The configuration that a new study starts with: its text, with comments, from what the clips have."""

import json
import math
import re
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from ..config.declarations import Modality
from ..config.modalities import MODALITIES, VIDEOS

CORPUS = "mine"
SELECTIONS = {137: "36", 35: "22", 28: "22"}  # by the points of a file
_SIDED = re.compile(r"(?<![a-z])(left|right)(?![a-z])", re.IGNORECASE)


@dataclass(frozen=True)
class Size:
    """How large the networks and their inputs are, and for how long they are trained, in steps of a batch."""

    why: str
    stored: int
    side: int
    frames: int
    heatmap_side: int
    heatmap_frames: int
    swin: str
    pose_width: int
    batch_size: int
    steps: int
    longest: int
    workers: int


SMALL = Size(
    why="no GPU was found, so the networks are small enough for CPU cores, as in the demo",
    stored=96, side=64, frames=8, heatmap_side=24, heatmap_frames=12, swin="width: 24, depths: [1, 1, 2, 1]",
    pose_width=8, batch_size=8, steps=600, longest=100, workers=0,
)  # fmt: skip
LARGE = Size(
    why="a GPU was found, so networks and frames are of middling size",
    stored=128, side=112, frames=16, heatmap_side=48, heatmap_frames=32, swin="width: 48, depths: [2, 2, 6, 2]",
    pose_width=32, batch_size=16, steps=6000, longest=120, workers=4,
)  # fmt: skip


def settings_text(
    root: Path,
    video: bool,
    points: int | None,
    clips: int,
    training: int,
    labels: Collection[str],
    shared: str | None,
    truth: bool,
    gpu: bool,
    pose: bool,
) -> str:
    """The text of a ``config.yaml`` for the manifest in ``root`` (a whole path).

    ``points`` is how many keypoints a file has, None if there are none; ``clips`` and ``training`` count all clips and
    those of train; ``shared`` is a subject who is in test and elsewhere. With ``truth`` the labels of test clips are
    known, with ``gpu`` networks and frames are larger, with ``pose`` the keypoints are found in the videos.
    """
    size = LARGE if gpu else SMALL
    epochs = min(size.longest, max(12, math.ceil(size.steps * size.batch_size / max(1, training))))
    sided = next((label for label in sorted(labels) if _SIDED.search(label.replace("_", " "))), None)
    streams = _streams(video, points is not None, size)
    parts = [_head(root, clips, shared, size, pose)]
    if points is not None:
        parts.append(f'keypoints: {{selection: "{SELECTIONS[points]}"}}  # of the {points} points of a frame\n')
    if video:
        parts.append(f"rgb: {{size: {size.stored}}}  # side in pixels of a stored frame; 256 for published networks\n")
    parts += [
        _recipes(video, points is not None, size, epochs, training, sided),
        "streams:\n" + "".join(f"  {name}: {text}\n" for name, text in streams.items()),
        f"ensembles:\n  final: {{streams: [{', '.join(streams)}], weights: search, calibrate: true}}\n",
        "submission: {ensemble: final}\n",
    ]
    if truth:
        manifest = json.dumps(str(root / "clips.csv"), ensure_ascii=False)
        parts.append(f"truth: {{file: {manifest}}}  # labels of test; the report compares with them, nothing learns\n")
    return "\n".join(parts)


def _head(root: Path, clips: int, shared: str | None, size: Size, pose: bool) -> str:
    allowed = (
        "\n    # Somebody is in test and elsewhere, so the score says nothing of new people; remove this when\n"
        "    # clips.csv has splits by subject\n    allow_shared_subjects: true"
        if shared is not None
        else ""
    )
    found = "\n    pose: mediapipe  # keypoints are found in the videos, with the extra pose" if pose else ""
    return f"""\
# A first configuration of your study; {size.why}.
# `microgesture schema` and the page Settings of the documentation describe every key; larger systems are in config/.

seed: 0
device: auto  # a GPU where there is one
threads: 1  # of one training; the streams are trained side by side
workers: {size.workers}  # processes that read clips beside one training
shards: {min(64, max(2, math.ceil(clips / 50)))}  # files a corpus is split into
max_quarantined: {_spared(clips)}  # a run with a larger share of unusable clips fails and lists them

corpora:
  {CORPUS}:
    format: manifest
    root: {json.dumps(str(root), ensure_ascii=False)}  # with clips.csv; change it if you move the study{found}{allowed}
"""


def _spared(clips: int) -> float:
    """The share of clips that may be unusable: one in fifty, and of few clips one."""
    return min(0.5, max(0.02, math.ceil(100 / clips) / 100))


def _recipes(video: bool, keypoints: bool, size: Size, epochs: int, training: int, sided: str | None) -> str:
    flip = (
        f"false  # no mirroring, for a class tells sides apart: {_comment(sided)}"
        if sided is not None
        else "true  # mirror half of the clips in training; false if your classes tell left from right"
    )
    common = f"""\
    flip: {flip}
    epochs: {epochs}  # {training} clips to learn from; few clips need more rounds
    batch_size: {size.batch_size}
    optimizer: adamw
    learning_rate: 0.001
    weight_decay: 0.05
    warmup_epochs: 2
    clip_norm: 1
    class_weights: sqrt  # rare classes count more
"""
    text = "recipes:\n"
    if keypoints:
        text += f"""\
  heatmaps:
    frames: {size.heatmap_frames}  # sampled from a clip
    size: {size.heatmap_side}  # side of the network's input
    views: 1  # samplings of a clip in testing; 10 as published
{common}  skeletons:
    frames: 64
    variation: {{shortest: 0.6, rotation: 20, scale: 0.15, shear: 0.15, noise: 0.01}}
    views: 1
{common}"""
    for name in _proposed(video, keypoints):
        if name == "rgb":
            text += f"""\
  rgb: &videos
    frames: {size.frames}  # sampled from a clip
    size: {size.side}  # side of the network's input in pixels
    crop_area: [0.7, 1.0]  # share of the image in a random crop
    views: 1  # samplings of a clip in testing; 4 as published
{common}"""
        else:
            text += f"  {name}:\n    <<: *videos\n"
        text += "".join(f"    {key}: {value}\n" for key, value in MODALITIES[name].first_recipe.items())
    return text


def _proposed(video: bool, keypoints: bool) -> list[str]:
    """The videos that a new study has streams of."""
    there = {"video"} | ({"keypoints"} if keypoints else set())
    return [name for name in VIDEOS if video and _is_proposed(MODALITIES[name], there)]


def _is_proposed(modality: Modality, there: set[str]) -> bool:
    return modality.first_recipe is not None and modality.settings().needs <= there


def _streams(video: bool, keypoints: bool, size: Size) -> dict[str, str]:
    pose = f"{{name: poseconv3d, width: {size.pose_width}, dropout: 0.3}}"
    swin = f"{{name: video_swin, {size.swin}, dropout: 0, drop_path: 0}}"
    graph = "{name: stcnn, widths: [16, 48, 96], strides: [4, 2, 2], dropout: 0.3}"
    streams = {}
    if keypoints:
        streams["joint"] = f"{{corpus: {CORPUS}, input: joint, network: {pose}, recipe: heatmaps}}"
        streams["limb"] = f"{{corpus: {CORPUS}, input: limb, network: {pose}, recipe: heatmaps}}"
        streams["skeleton"] = f"{{corpus: {CORPUS}, input: skeleton, network: {graph}, recipe: skeletons}}"
    for kind in _proposed(video, keypoints):
        streams[kind] = f"{{corpus: {CORPUS}, input: {kind}, network: {swin}, recipe: {kind}}}"
    return streams


def _comment(text: str) -> str:
    return " ".join(text.split())
