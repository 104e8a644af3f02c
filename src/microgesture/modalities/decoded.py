"""Store frames of videos as clips; each video is decoded once, in another process. The rgb and face stages use it."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from ..errors import UnusableClip
from ..progress import progress
from ..storage.clips import Clips, folder_of, frames_of
from ..storage.shards import build_shard
from ..videos.isolation import Isolated, ProcessEnded
from ..videos.reading import DECODER_MEMORY, decoding_seconds
from .cutting import Cutter

Made = tuple[str, np.ndarray | UnusableClip]
Frames = Mapping[str, Sequence[int]]  # by clip id: its frames in the video, in order


def store_decoded(
    kind: str, clips: Clips, shard: int, root: Path, start: Callable[[], Cutter], output: Path, scratch: Path
) -> None:
    """Store the clips of a shard as jpeg, uint8 (T, H, W, 3) RGB in 0..255.

    ``start`` returns the ``Cutter`` that cuts the clips. A clip is stored without frames, with the reason, if one of
    its frames cannot be decoded, or if it ends the decoding process, whose time and memory are limited. ``root`` is the
    corpus's folder, or a file in it such as ``clips.csv``; ``kind`` names the stage.
    """
    mine = clips.usable[clips.usable.shard == shard]
    folder = folder_of(root)

    def produce(todo: list[str]) -> Iterator[Made]:
        rows = mine[mine.clip_id.isin(todo)]
        with Isolated(start, DECODER_MEMORY) as isolated:
            cut = cut_clips(rows, folder, isolated)
            yield from progress(cut, f"{kind} {output.parent.name}/{output.stem}", len(rows))

    build_shard(output, scratch, list(mine.clip_id), produce, "jpeg")


def cut_clips(rows: pd.DataFrame, folder: Path, isolated: Isolated) -> Iterator[Made]:
    """Yield the clips in these rows of a clips table, video by video."""
    for row in rows[rows.video.isna()].itertuples():
        yield row.clip_id, UnusableClip(f"{row.clip_id}: recording {row.recording} has no video under {folder}")
    for video, of_video in rows[rows.video.notna()].groupby("video", sort=False):
        frames = {row.clip_id: frames_of(row, row.video_start) for row in of_video.itertuples()}
        yield from cut_video(folder / video, frames, isolated)


def cut_video(video: Path, frames: Frames, isolated: Isolated) -> Iterator[Made]:
    """Yield the clips of one video, which may overlap, each as soon as its last frame is decoded.

    ``isolated`` runs a ``Cutter``. When its process ends, the next expected clip becomes unusable, and the others are
    tried again. If the process then ends before it gives any clip, the video itself is bad, and all its remaining clips
    become unusable.
    """
    todo = dict(sorted(frames.items(), key=lambda item: item[1][-1]))
    has_ended = False
    while todo:
        before = len(todo)
        try:
            for clip_id, made in _whole_clips(video, todo, isolated):
                yield clip_id, made
                del todo[clip_id]
            return
        except ProcessEnded as ending:
            reason = UnusableClip(f"{video}: {ending}")
            lost = list(todo) if has_ended and len(todo) == before else list(todo)[:1]
            has_ended = True
        except UnusableClip as damage:
            reason, lost = damage, list(todo)
        for clip_id in lost:
            yield clip_id, reason
            del todo[clip_id]


def _whole_clips(video: Path, frames: Frames, isolated: Isolated) -> Iterator[Made]:
    """Collect the frames, which come one by one, into whole clips; whole clips are held in memory only here."""
    parts: dict[str, tuple[np.ndarray, int]] = {}  # frames (T, H, W, 3), and how many of them are filled
    seconds = decoding_seconds(1 + max(int(of_clip[-1]) for of_clip in frames.values()))
    for clip_id, made in isolated.each(video, dict(frames), seconds=seconds):
        if isinstance(made, UnusableClip):
            yield clip_id, made
            continue
        frames_THWC, there = parts.get(clip_id) or (np.empty((len(frames[clip_id]), *made.shape), made.dtype), 0)
        frames_THWC[there] = made
        if there + 1 == len(frames_THWC):
            parts.pop(clip_id, None)
            yield clip_id, frames_THWC
        else:
            parts[clip_id] = frames_THWC, there + 1
