"""The stage that computes the skeletons of recordings from their videos, instead of reading skeleton files."""

from collections.abc import Iterable
from pathlib import Path

from ..errors import UnusableClip
from ..progress import progress
from ..skeletons.layouts import Skeleton, layout_named
from ..skeletons.person import Crowd, noted
from ..skeletons.tracks import Followed
from ..storage.clips import Clips, folder_of
from ..storage.shards import Made, build_shard
from .methods import Pose, Spans, require
from .videos import Found, keypoints_of_videos


def make_pose(clips: Clips, shard: int, root: Path, output: Path, scratch: Path, pose: Pose) -> None:
    """Store keypoints of a shard's recordings, (T, V, 3 or 6) in the layout of the method, keyed by their video.

    ``read_skeletons`` stores those of skeleton files in the same way. See ``keypoints_of_videos`` for the values, and
    for videos that are damaged or show no person; these do not affect the others. Only frames of clips are processed.
    ``root`` is the corpus's folder, or a file in it such as ``clips.csv``. Raises ``InputError`` if the
    packages of the method are missing.
    """
    require(pose)
    mine = clips.usable[clips.usable.shard == shard]
    folder = folder_of(root)
    spans: dict[str, Spans] = {}
    for row in mine[mine.video.notna()].itertuples():
        spans.setdefault(row.video, []).append((row.video_start, row.video_start + row.end - row.start))

    def produce(todo: list[str]) -> Iterable[tuple[str, Made]]:
        of_paths = {folder / video: spans[video] for video in todo}
        each = progress(
            keypoints_of_videos(of_paths, pose), f"pose {output.parent.name}/{output.stem}", len(todo), "recording"
        )
        return ((video, stored(found, pose)) for video, (_, found) in zip(todo, each, strict=True))

    build_shard(output, scratch, sorted(spans), produce, "zstd")


def stored(found: Found, pose: Pose) -> Made:
    """What a shard of skeletons stores of the keypoints that were found in a video."""
    if isinstance(found, UnusableClip):
        return found
    layout = layout_named(pose.method.layout)
    return noted(Crowd(found, layout) if isinstance(found, Followed) else Skeleton(found, layout))
