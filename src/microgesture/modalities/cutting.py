"""Clips cut out of a video, frame by frame: the part of the rgb stage that opens files of the user's."""

import math
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path

import numpy as np

from ..errors import UnusableClip
from ..shards import Shard
from ..video import Box, crop, decode_spans, person_box

LARGEST_CLIP = 4 * 2**30  # bytes of frames, six times the largest of iMiGUE at 256 pixels; more is a mistake in a list

Cut = Iterator[tuple[str, np.ndarray | UnusableClip]]


def cutter(keypoints: Path | None, size: int, margin: float) -> Callable[[Path, Mapping[str, tuple[int, int]]], Cut]:
    """What cuts clips out of a video, given its path and the clips' first and last frames (from 0, last included).

    It gives the frames of all clips in the order of the video, each as (clip id, uint8 (h, w, 3) RGB), in the box that
    ``keypoints``, ``size`` and ``margin`` say (see ``make_rgb``). A clip of more than ``LARGEST_CLIP`` bytes has no
    frames but a reason instead. Raises ``UnusableClip`` at the first damaged or missing frame.
    """
    return partial(_cut, Shard(keypoints) if keypoints else None, size, margin)


def _cut(poses: Shard | None, size: int, margin: float, video: Path, spans: Mapping[str, tuple[int, int]]) -> Cut:
    boxes: dict[str, Box | None] = {}  # None: too large
    for index, frame_HWC in decode_spans(video, list(spans.values())):
        height, width = frame_HWC.shape[:2]
        for clip_id, (first, last) in spans.items():
            if index == first:
                box = person_box(_pose(poses, clip_id), width, height, margin)
                fits = 3 * math.prod(box.resized(size)) * (last - first + 1) <= LARGEST_CLIP
                boxes[clip_id] = box if fits else None
                if not fits:
                    yield clip_id, _too_large(clip_id, last - first + 1, box, size)
            if first <= index <= last and boxes[clip_id]:
                yield clip_id, crop(frame_HWC, boxes[clip_id], size)


def _too_large(clip_id: str, n_frames: int, box: Box, size: int) -> UnusableClip:
    width, height = box.resized(size)
    return UnusableClip(
        f"{clip_id}: {n_frames} frames of {width} x {height} pixels are more than the {LARGEST_CLIP / 2**30:g} GiB "
        "that a clip may have; check its first and last frame"
    )


def _pose(poses: Shard | None, clip_id: str) -> np.ndarray | None:
    return None if poses is None or poses.reason(clip_id) else poses.read(clip_id)
