"""Clips cut out of a video, frame by frame: the part of the rgb and face stages that opens files of the user's."""

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np

from ..errors import UnusableClip
from ..storage.shards import Shard
from ..videos.reading import Box, crop, decode_spans, person_box

LARGEST_CLIP = 4 * 2**30  # bytes of frames, six times the largest of iMiGUE at 256 pixels; more is a mistake in a list

Cut = Iterator[tuple[str, np.ndarray | UnusableClip]]
Cutter = Callable[[Path, Mapping[str, tuple[int, int]]], Cut]


class View(NamedTuple):
    """How a clip is shown: ``show`` makes a frame and its number in the clip a picture, ``size`` (width, height)."""

    size: tuple[int, int]
    show: Callable[[np.ndarray, int], np.ndarray]


ViewOf = Callable[[str, int, int], View]  # given the clip's id and its video's width and height


def cutter(keypoints: Path | None, size: int, margin: float) -> Cutter:
    """What cuts clips out of a video in the box that ``keypoints``, ``size`` and ``margin`` say (see ``make_rgb``)."""
    return partial(cut, partial(_in_box, Shard(keypoints) if keypoints else None, size, margin))


def cut(view_of: ViewOf, video: Path, spans: Mapping[str, tuple[int, int]]) -> Cut:
    """The frames of all clips in the order of the video, each as (clip id, uint8 (h, w, 3) RGB).

    ``spans`` are the clips' first and last frames (from 0, last included). A clip of which ``view_of`` raises
    ``UnusableClip``, or that would take more than ``LARGEST_CLIP`` bytes, has no frames but the reason instead. Raises
    ``UnusableClip`` at the first damaged or missing frame.
    """
    views: dict[str, View | None] = {}  # None: unusable
    for index, frame_HWC in decode_spans(video, list(spans.values())):
        height, width = frame_HWC.shape[:2]
        for clip_id, (first, last) in spans.items():
            if index == first:
                try:
                    views[clip_id] = _fitting(view_of(clip_id, width, height), clip_id, last - first + 1)
                except UnusableClip as reason:
                    views[clip_id] = None
                    yield clip_id, reason
            if first <= index <= last and (view := views[clip_id]):
                yield clip_id, view.show(frame_HWC, index - first)


def _in_box(poses: Shard | None, size: int, margin: float, clip_id: str, width: int, height: int) -> View:
    box = person_box(_pose(poses, clip_id), width, height, margin)
    return View(box.resized(size), partial(_cropped, box, size))


def _cropped(box: Box, size: int, frame_HWC: np.ndarray, _: int) -> np.ndarray:
    return crop(frame_HWC, box, size)


def _fitting(view: View, clip_id: str, n_frames: int) -> View:
    width, height = view.size
    if 3 * width * height * n_frames <= LARGEST_CLIP:
        return view
    raise UnusableClip(
        f"{clip_id}: {n_frames} frames of {width} x {height} pixels are more than the {LARGEST_CLIP / 2**30:g} GiB "
        "that a clip may have; check its first and last frame"
    )


def _pose(poses: Shard | None, clip_id: str) -> np.ndarray | None:
    return None if poses is None or poses.reason(clip_id) else poses.read(clip_id)
