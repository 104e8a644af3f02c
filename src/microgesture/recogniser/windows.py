"""Windows over a recording as rows of a clips table, so that every stage processes them like clips."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ..config.recogniser import Lengths
from ..errors import UnusableClip
from ..skeletons.reading import read_skeleton
from ..storage.clips import SCHEMA, Clips
from ..videos.isolation import each_clip_isolated
from ..videos.reading import VideoInfo, probe
from .recordings import SKELETONS, keypoints_beside, refuse_name

STEPS = 3  # windows of each length that start within the duration of the shortest
PIECE = 256  # windows processed at a time, which limits disk and memory for recordings of any length
SECONDS, MEMORY = 900, 4 << 30  # limits for measuring one file


@dataclass(frozen=True)
class Recording:
    """A video, its keypoints, or both: ``n_frames`` frames at ``fps`` frames per second; sizes in pixels or None."""

    name: str
    video: Path | None
    skeleton: Path | None
    n_frames: int
    fps: float
    width: int | None
    height: int | None


def find_recording(path: Path, keypoints: Path | None, fps: float) -> Recording:
    """Measure a video or a keypoint file; a video's keypoints are ``keypoints`` or a file of its name in its folder.

    ``fps`` is the frame rate of keypoints without a video, and of a video without a known rate. The files are read in
    separate processes. Raises ``UnusableClip`` if a file cannot be read.
    """
    refuse_name(path)
    if path.suffix.lower() in SKELETONS:
        frames = isolated(path, _count_rows)
        return Recording(path.stem, None, path.resolve(), frames, fps, None, None)
    info: VideoInfo = isolated(path, _look)
    skeleton = keypoints or next(iter(keypoints_beside(path)), None)
    name, found = path.stem, skeleton.resolve() if skeleton else None
    return Recording(name, path.resolve(), found, info.n_frames, info.fps or fps, info.width, info.height)


def window_table(recording: Recording, lengths: Lengths, classes: Sequence[str]) -> Clips:
    """List all windows of a recording in the order of their starts; the column ``shard`` numbers pieces of ``PIECE``.

    Windows have the lengths of the training gestures, in seconds, and start at intervals of a third of the shortest
    length; the last window of each length ends with the recording. A shorter recording is one window.
    """
    scale = recording.fps / lengths.fps
    sizes = sorted({min(max(round(frames * scale), 1), recording.n_frames) for frames in lengths.frames})
    step = max(sizes[0] // STEPS, 1)
    spans = sorted(
        (start, start + size - 1)
        for size in sizes
        for start in {*range(0, recording.n_frames - size + 1, step), recording.n_frames - size}
    )
    starts, ends = np.array(spans).T
    table = pd.DataFrame({"start": starts, "end": ends, "n_frames": ends - starts + 1})
    table["clip_id"] = [f"{recording.name}_{start}_{end}" for start, end in spans]
    table = table.assign(
        corpus="videos",
        recording=recording.name,
        subject=None,
        split="test",
        label=pd.array([None] * len(table), "Int32"),
        video=str(recording.video) if recording.video else None,
        video_start=table.start,
        video_frames=pd.array([recording.n_frames if recording.video else None] * len(table), "Int32"),
        skeleton=str(recording.skeleton) if recording.skeleton else None,
        skeleton_start=table.start,
        fps=np.float32(recording.fps),
        width=pd.array([recording.width] * len(table), "Int32"),
        height=pd.array([recording.height] * len(table), "Int32"),
        shard=np.arange(len(table)) // PIECE,
        status="ok",
        reason=None,
    )
    return Clips(table[SCHEMA.names], tuple(classes), tuple(classes))


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
    return lambda path: len(read_skeleton(path))
