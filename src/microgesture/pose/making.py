"""The stage that makes skeletons of recordings out of their videos, in place of reading them."""

from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np

from ..clips import Clips
from ..errors import UnusableClip
from ..isolation import Isolated, ProcessEnded
from ..progress import progress
from ..shards import build_shard
from ..video import DECODER_MEMORY, decoding_seconds
from .holistic import Spans, finder, require_mediapipe

MEMORY = DECODER_MEMORY + (2 << 30)  # bytes that a process may take; MediaPipe takes a sixth of its part
SECONDS = 2  # the longest for a frame, over its decoding; it is 0.05 s on one core at 256 x 256


def make_pose(clips: Clips, shard: int, root: Path, output: Path, scratch: Path) -> None:
    """Store keypoints of a shard's recordings, float32 (T, 137, 3) in OpenPose's order, keyed by their video.

    That is how ``read_skeletons`` stores those of skeleton files; see ``in_openpose_order`` for the numbers. Frames
    that no clip shows have no keypoints. A recording whose video cannot be decoded or that takes more than two seconds
    a frame or 6 GiB has no frames and says why; the others go on. ``root`` is the corpus's folder, or a file in it such
    as ``clips.csv``. Raises ``InputError`` without MediaPipe.
    """
    require_mediapipe()
    mine = clips.usable[clips.usable.shard == shard]
    folder = root.parent if root.is_file() else root
    spans: dict[str, Spans] = {}
    for row in mine[mine.video.notna()].itertuples():
        spans.setdefault(row.video, []).append((row.video_start, row.video_start + row.n_frames - 1))

    def produce(todo: list[str]) -> Iterable[tuple[str, np.ndarray | UnusableClip]]:
        each = _each_recording({video: spans[video] for video in todo}, folder)
        return progress(each, f"pose {output.parent.name}/{output.stem}", len(todo), "recording")

    build_shard(output, scratch, sorted(spans), produce, "zstd")


def _each_recording(spans: dict[str, Spans], folder: Path) -> Iterator[tuple[str, np.ndarray | UnusableClip]]:
    with Isolated(finder, MEMORY) as isolated:
        for video, of_video in spans.items():
            length = 1 + max(last for _, last in of_video)
            try:
                yield video, isolated.do(folder / video, of_video, seconds=decoding_seconds(length) + SECONDS * length)
            except ProcessEnded as ending:
                yield video, UnusableClip(f"{folder / video}: {ending}")
            except UnusableClip as reason:
                yield video, reason
