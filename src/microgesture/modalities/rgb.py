"""The rgb modality: each source video decoded once, each clip cropped to its person."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd

from ..clips import Clips
from ..errors import UnusableClip
from ..progress import progress
from ..shards import Shard, build_shard
from ..video import Box, crop, decode_spans, person_box


@dataclass
class _OpenClip:
    clip_id: str
    first: int  # frames of the video
    last: int
    box: Box | None = None
    frames: list[np.ndarray] = field(default_factory=list)


def make_rgb(
    clips: Clips,
    shard: int,
    root: Path,
    keypoints: Path | None,
    output: Path,
    scratch: Path,
    size: int,
    margin: float,
) -> None:
    """Store the clips of a shard, uint8 (T, H, W, 3) RGB in 0..255, cropped to the person and resized.

    The box is that of the clip's points in the ``keypoints`` shard (see ``person_box``; ``margin`` is a share of the
    person's extent), and the full frame where the clip has none; its shorter side becomes ``size`` pixels. A clip whose
    frames cannot all be decoded has none and says why. ``root`` is the corpus's folder, or a file in it such as
    ``clips.csv``.
    """
    mine = clips.usable[clips.usable.shard == shard]
    folder = root.parent if root.is_file() else root
    poses = Shard(keypoints) if keypoints is not None else None

    def produce(todo: list[str]) -> Iterable[tuple[str, np.ndarray | UnusableClip]]:
        rows = mine[mine.clip_id.isin(todo)]
        cropped = _crop_clips(rows, folder, poses, size, margin)
        return progress(cropped, f"rgb {output.parent.name}/{output.stem}", len(rows))

    build_shard(output, scratch, list(mine.clip_id), produce, "jpeg")


def _crop_clips(
    rows: pd.DataFrame, folder: Path, poses: Shard | None, size: int, margin: float
) -> Iterator[tuple[str, np.ndarray | UnusableClip]]:
    for row in rows[rows.video.isna()].itertuples():
        yield row.clip_id, UnusableClip(f"{row.clip_id}: recording {row.recording} has no video under {folder}")
    for video, of_video in rows[rows.video.notna()].groupby("video", sort=False):
        wanted = [
            _OpenClip(row.clip_id, row.video_start, row.video_start + row.n_frames - 1) for row in of_video.itertuples()
        ]
        yield from _crop_video(folder / video, wanted, poses, size, margin)


def _crop_video(
    video: Path, wanted: list[_OpenClip], poses: Shard | None, size: int, margin: float
) -> Iterator[tuple[str, np.ndarray | UnusableClip]]:
    """The clips of one video, which may overlap, each as soon as its last frame is there."""
    todo = {clip.clip_id: clip for clip in wanted}
    try:
        for index, frame_HWC in decode_spans(video, [(clip.first, clip.last) for clip in wanted]):
            height, width = frame_HWC.shape[:2]
            for clip in [clip for clip in todo.values() if clip.first <= index <= clip.last]:
                clip.box = clip.box or person_box(_pose(poses, clip.clip_id), width, height, margin)
                clip.frames.append(crop(frame_HWC, clip.box, size))
                if index == clip.last:
                    yield clip.clip_id, np.stack(todo.pop(clip.clip_id).frames)
    except UnusableClip as reason:
        for clip_id in todo:
            yield clip_id, reason


def _pose(poses: Shard | None, clip_id: str) -> np.ndarray | None:
    return None if poses is None or poses.reason(clip_id) else poses.read(clip_id)
