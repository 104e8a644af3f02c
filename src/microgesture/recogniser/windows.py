"""Recordings, and the windows over them in which gestures are looked for."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ..config.recogniser import Lengths
from ..errors import UnusableClip
from ..skeletons.reading import read_skeleton
from ..videos.isolation import each_clip_isolated
from ..videos.reading import VideoInfo, probe
from ..videos.timestamps import FrameTimes
from .recordings import SKELETONS, keypoints_beside, refuse_name

STEPS = 3  # windows of each length that start within the duration of the shortest
SECONDS, MEMORY = 900, 4 << 30  # limits for measuring one file


@dataclass(frozen=True)
class Recording:
    """A video, its keypoints, or both, and the times of its frames; sizes are in pixels, or None.

    ``doubts`` are sentences about its times.
    """

    name: str
    video: Path | None
    skeleton: Path | None
    times: FrameTimes
    width: int | None
    height: int | None
    doubts: tuple[str, ...] = ()

    @property
    def n_frames(self) -> int:
        """The number of frames."""
        return len(self.times)


def find_recording(path: Path, keypoints: Path | None, fps: float) -> Recording:
    """Measure a video or a keypoint file; a video's keypoints are ``keypoints`` or a file of its name in its folder.

    ``fps`` is the frame rate of keypoints without a video, and of a video without times. The files are read in separate
    processes. Raises ``UnusableClip`` if a file cannot be read.
    """
    refuse_name(path)
    if path.exists() and not path.is_file():  # opening a pipe would wait for ever
        raise UnusableClip(f"{path} is not a file")
    name = path.stem
    guess = f"{name}: its times are not known, and assume {fps:g} frames per second (option --fps)"
    if path.suffix.lower() in SKELETONS:
        times = FrameTimes.constant(fps, isolated(path, _count_rows))
        return Recording(name, None, path.resolve(), times, None, None, (guess,))
    info: VideoInfo = isolated(path, _look)
    skeleton = keypoints or next(iter(keypoints_beside(path)), None)
    found = skeleton.resolve() if skeleton else None
    times = info.times or FrameTimes.constant(fps, info.n_frames)
    varies = f"{name}: its frame rate varies, with {times.rate:.4g} per second on average; times are those in the file"
    doubts = () if info.times and times.is_constant else (varies if info.times else guess,)
    return Recording(name, path.resolve(), found, times, info.width, info.height, doubts)


def window_spans(times: FrameTimes, lengths: Lengths) -> tuple[np.ndarray, np.ndarray]:
    """The first and the last frames (N,) of all windows of a recording, from 0, in order.

    Windows have the lengths of the training gestures, in seconds, and start at intervals of a third of the shortest
    length; the last window of each length ends with the recording. A shorter recording is one window. Windows are
    regular in time, also if frames are not.
    """
    n_frames, scale = len(times), times.rate / lengths.fps
    sizes = sorted({min(max(round(frames * scale), 1), n_frames) for frames in lengths.frames})
    step = max(sizes[0] // STEPS, 1)
    # In frames of the mean rate, of which the recording has as many as of its own.
    spans = {
        (start, start + size - 1) for size in sizes for start in {*range(0, n_frames - size + 1, step), n_frames - size}
    }
    if not times.is_constant:
        mean = FrameTimes.constant(times.rate, n_frames, float(times.starts_T[0]))
        spans = {span for span in (times.frames(*mean.seconds(*span)) for span in spans) if span}
    starts_N, ends_N = np.array(sorted(spans)).T
    return starts_N, ends_N


def isolated(
    path: Path, start: Callable[[], Callable[[str], Any]], seconds: float = SECONDS, memory: int = MEMORY
) -> Any:
    """What a function makes of a file in a process of its own; raises ``UnusableClip``. See ``each_clip_isolated``."""
    [(_, found)] = each_clip_isolated([str(path)], start, seconds, memory)
    if isinstance(found, UnusableClip):
        raise found
    return found


def _look() -> Callable[[str], VideoInfo]:
    return lambda path: probe(path, count=True)


def _count_rows() -> Callable[[str], int]:
    return lambda path: read_skeleton(path).length
