"""Compare the clips of a release with the files that were measured, and complete them: ends, rates and frames."""

from collections.abc import Mapping, Sequence

import numpy as np

from ..errors import UnusableClip
from ..videos.reading import VideoInfo
from ..videos.timestamps import FrameTimes, told_uneven
from .listing import Row
from .measuring import Measure

SAME_RATE = 0.02  # 29.97 is written as 30, but 25 is never written for 24


def fit_rows(rows: Sequence[Row], measured: Mapping[str, Measure], end_tolerance: int) -> tuple[str, ...]:
    """Set open ends from the lengths of the files, and quarantine rows that do not fit their files.

    An end up to ``end_tolerance`` frames after the file is moved. A declared number of frames may differ by as many,
    and a declared rate by 2 %, or by more if the rate of the video varies. Returns one sentence for each kind of doubt.
    """
    shortened, other_counts, other_rates = [], [], []
    for row in rows:
        path = row.video or row.skeleton
        measure = measured.get(path)
        if row.reason or measure is None:
            continue
        if isinstance(measure, UnusableClip):
            row.refuse(str(measure))
            continue
        info = measure if isinstance(measure, VideoInfo) else None
        length = info.n_frames if info else measure
        if length is not None:
            shortened += _fit_end(row, path, length, end_tolerance)
            other_counts += _check_count(row, path, length, end_tolerance)
        if info and info.fps:
            other_rates += _check_rate(row, path, info)
    kinds = (
        (shortened, "clips end just after their files and are shortened"),
        (other_counts, "clips have another number of frames than n_frames declares, and keep those of their files"),
        (other_rates, "clips of videos whose rate varies have another mean rate than fps declares, and keep that mean"),
    )
    uneven = {path: info.times for path, info in measured.items() if isinstance(info, VideoInfo) and info.times}
    return (
        *(f"{len(found)} {what}; the first is {found[0]}" for found, what in kinds if found),
        *told_uneven(uneven),
    )


def rate_of(row: Row, measure: Measure | None) -> float | None:
    """The mean rate of a clip in frames per second, by the times of its frames; None if it is unknown."""
    if not isinstance(measure, VideoInfo):
        return row.fps
    if measure.times is None or row.end is None or row.reason:
        return measure.fps or row.fps
    return measure.times.rate_of(row.video_start, row.video_start + row.end - row.start)


def resample(row: Row, measure: Measure | None, rate: float) -> np.ndarray | None:
    """The frames of a clip at another rate, int32 (n,), counted from its first frame; None if these are all its frames.

    Frames of keypoints without a video have the rate ``row.fps``; without it, the row is quarantined.
    """
    if row.reason:
        return None
    info = measure if isinstance(measure, VideoInfo) else None
    first = row.video_start if row.video else row.skeleton_start
    last = first + row.end - row.start
    own = info.fps if info and info.fps else row.fps
    if own is None:
        row.refuse(f"the frame rate of {row.video or row.skeleton} is unknown, so it has no {rate:g} frames per second")
        return None
    times = info.times if info and info.times else FrameTimes.constant(own, last + 1)
    frames_N = times.resampled(first, last, rate) - first
    return None if np.array_equal(frames_N, np.arange(last - first + 1)) else frames_N


def _fit_end(row: Row, path: str, length: int, end_tolerance: int) -> list[str]:
    first = row.video_start if row.video else row.skeleton_start
    if row.end is None:
        row.end = row.start + length - first - 1
        return []
    beyond = first + row.end - row.start - (length - 1)
    if 0 < beyond <= end_tolerance and row.end - beyond >= row.start:
        row.end -= beyond
        return [f"{row.clip_id} (by {beyond})"]
    if beyond > 0:
        row.refuse(f"end {row.end} is {beyond} frames after the last of {path}, which has {length}")
    return []


def _check_count(row: Row, path: str, length: int, end_tolerance: int) -> list[str]:
    declared = row.declared_frames
    if declared is None or declared == length:
        return []
    told = f"{declared} declared, {length} in {path}"
    if abs(declared - length) <= end_tolerance:
        return [f"{row.clip_id} ({told})"]
    row.refuse(f"column n_frames: {told}; give the frames of a part in columns start and end, or leave n_frames empty")
    return []


def _check_rate(row: Row, path: str, info: VideoInfo) -> list[str]:
    declared = row.declared_fps
    if declared is None or abs(declared / info.fps - 1) <= SAME_RATE:
        return []
    told = f"{declared:g} declared, {info.fps:.4g} in {path}"
    if info.times is not None:
        return [f"{row.clip_id} ({told})"]
    row.refuse(
        f"column fps: {told}; if start and end count the frames of another version of this video, use that version; "
        "else correct fps or leave it empty"
    )
    return []
