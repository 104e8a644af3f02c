"""Cut clips out of a video, frame by frame: the part of the rgb and face stages that opens the user's files."""

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np

from ..errors import UnusableClip
from ..storage.shards import Shard
from ..videos.person_box import Box, crop, person_box
from ..videos.reading import decode_spans

LARGEST_CLIP = 4 * 2**30  # bytes of frames, six times the largest clip of iMiGUE at 256 pixels; more is a wrong span

Cut = Iterator[tuple[str, np.ndarray | UnusableClip]]
Cutter = Callable[[Path, Mapping[str, Sequence[int]]], Cut]


class View(NamedTuple):
    """How to crop a clip: ``show`` maps a frame and its index in the clip to a picture of ``size`` (width, height)."""

    size: tuple[int, int]
    show: Callable[[np.ndarray, int], np.ndarray]


ViewOf = Callable[[str, int, int], View]  # arguments: the clip's id, and the width and height of its video


def cutter(keypoints: Path | None, size: int, margin: float | None) -> Cutter:
    """Return a function that cuts clips out of a video; for the arguments see ``make_rgb``."""
    return partial(cut, partial(_in_box, Shard(keypoints) if keypoints else None, size, margin))


def cut(view_of: ViewOf, video: Path, frames: Mapping[str, Sequence[int]]) -> Cut:
    """Yield the frames of all clips in the order of the video, each as (clip id, uint8 (h, w, 3) RGB).

    ``frames`` are the frames of each clip (from 0, in order; one may be repeated). If ``view_of`` raises
    ``UnusableClip`` for a clip, or if the clip would take more than ``LARGEST_CLIP`` bytes, the reason is yielded in
    place of its frames. Raises ``UnusableClip`` at the first damaged or missing frame.
    """
    views: dict[str, View | None] = {}  # None: unusable
    spans = {clip_id: (int(of_clip[0]), int(of_clip[-1])) for clip_id, of_clip in frames.items()}
    for index, frame_HWC in decode_spans(video, list(spans.values())):
        height, width = frame_HWC.shape[:2]
        for clip_id, (first, last) in spans.items():
            if index == first:
                try:
                    views[clip_id] = _fitting(view_of(clip_id, width, height), clip_id, len(frames[clip_id]))
                except UnusableClip as reason:
                    views[clip_id] = None
                    yield clip_id, reason
            if first <= index <= last and (view := views[clip_id]):
                for place in range(bisect_left(frames[clip_id], index), bisect_right(frames[clip_id], index)):
                    yield clip_id, view.show(frame_HWC, place)


def _in_box(poses: Shard | None, size: int, margin: float | None, clip_id: str, width: int, height: int) -> View:
    box = person_box(_pose(poses, clip_id), width, height, margin)
    return View(box.resized(size), partial(_cropped, box, size))


def _cropped(box: Box, size: int, frame_HWC: np.ndarray, _: int) -> np.ndarray:
    return crop(frame_HWC, box, size)


def _fitting(view: View, clip_id: str, n_frames: int) -> View:
    width, height = view.size
    if 3 * width * height * n_frames <= LARGEST_CLIP:
        return view
    raise UnusableClip(
        f"{clip_id}: {n_frames} frames of {width} x {height} pixels take more than {LARGEST_CLIP / 2**30:g} GiB, the "
        "limit for one clip; check its first and last frame"
    )


def _pose(poses: Shard | None, clip_id: str) -> np.ndarray | None:
    return None if poses is None or poses.reason(clip_id) else poses.read(clip_id)
