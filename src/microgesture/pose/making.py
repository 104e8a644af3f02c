"""The stage that makes skeletons of recordings out of their videos, in place of reading them."""

from collections.abc import Iterable
from pathlib import Path

import numpy as np

from ..errors import UnusableClip
from ..progress import progress
from ..storage.clips import Clips
from ..storage.shards import build_shard
from .holistic import Spans, require_mediapipe
from .videos import keypoints_of_videos


def make_pose(clips: Clips, shard: int, root: Path, output: Path, scratch: Path) -> None:
    """Store keypoints of a shard's recordings, float32 (T, 137, 3) in OpenPose's order, keyed by their video.

    That is how ``read_skeletons`` stores those of skeleton files; see ``keypoints_of_videos`` for the numbers, and for
    videos that are damaged or show nobody: the others go on. Frames that no clip shows are not looked at. ``root`` is
    the corpus's folder, or a file in it such as ``clips.csv``. Raises ``InputError`` without MediaPipe.
    """
    require_mediapipe()
    mine = clips.usable[clips.usable.shard == shard]
    folder = root.parent if root.is_file() else root
    spans: dict[str, Spans] = {}
    for row in mine[mine.video.notna()].itertuples():
        spans.setdefault(row.video, []).append((row.video_start, row.video_start + row.n_frames - 1))

    def produce(todo: list[str]) -> Iterable[tuple[str, np.ndarray | UnusableClip]]:
        of_paths = {folder / video: spans[video] for video in todo}
        each = progress(
            keypoints_of_videos(of_paths), f"pose {output.parent.name}/{output.stem}", len(todo), "recording"
        )
        return ((video, found) for video, (_, found) in zip(todo, each, strict=True))

    build_shard(output, scratch, sorted(spans), produce, "zstd")
