"""Read skeleton files: one array for each recording, (frames, points, 3), or (frames, points, 6) with metres.

A recording of a file with several people is a ``Crowd``, an array (frames, people, points, 3 or 6) with their tracks.
"""

import logging
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd

from ..config.corpus_format import LARGEST
from ..config.layouts import LayoutTable
from ..errors import UnusableClip
from ..progress import progress
from ..storage.clips import Clips, folder_of
from ..storage.shards import Made, build_shard
from ..videos.isolation import each_clip_isolated
from ..videos.reading import probe
from .file_format import People
from .files import format_of
from .keypoints import from_space
from .layouts import Layout, Skeleton, layout_named, layout_of_file
from .person import Crowd, Recording, choose, noted, only
from .plausibility import DEFAULTS, Doubt, Picture, Rules, doubts, in_pixels, rows_differ
from .tracks import follow

log = logging.getLogger(__name__)

SECONDS = 900  # limit for reading one recording
MEMORY = 4 << 30  # limit in bytes for reading one recording; a table of an hour of frames fits
SPREAD, SAMPLE = 25, 5  # files of which a sample is taken, and files in it


def read_skeleton(path: Path | str, rules: Rules = DEFAULTS) -> Recording:
    """Read a recording's skeleton, float32 (T, V, 3): x, y in pixels and confidence, unchanged (NaN is kept).

    Points in space are (T, V, 6), see ``from_space``. A file with several people is a ``Crowd``. Raises
    ``UnusableClip`` that names the file, the row and the column.
    """
    path = Path(path)
    found = format_of(_there(path)).read(path)
    several = isinstance(found, People)
    layout = skeleton_layout(path, rules.layout)
    keypoints = layout.named(found.keypoints_TPVC if several else found)
    projected = keypoints.shape[-1] == 4
    if projected:
        keypoints = from_space(keypoints, rules.up)
    if several:
        return Crowd(follow(found._replace(keypoints_TPVC=keypoints)), layout, projected)
    return Skeleton(keypoints, layout, projected)


def skeleton_layout(path: Path | str, told: str | LayoutTable | None = None) -> Layout:
    """Return the layout of a skeleton file, from the file alone or as ``told``; raises ``UnusableClip``."""
    path = Path(path)
    entry = format_of(path)
    if entry.layout and told is None:
        return layout_named(entry.layout)
    try:
        return layout_of_file(entry.points(path), entry.names(path), told, entry.in_space(path))
    except UnusableClip as reason:
        raise reason if str(reason).startswith(str(path)) else UnusableClip(f"{path}: {reason}") from None


def in_space(path: Path | str) -> bool:
    """Return whether a skeleton file has points in space; raises ``UnusableClip``."""
    return format_of(Path(path)).in_space(Path(path))


def skeleton_length(path: Path | str) -> int:
    """Return the number of frames of a skeleton, from its header alone; raises ``UnusableClip``."""
    return format_of(_there(path)).length(Path(path))


def _there(path: Path | str) -> Path:
    if not Path(path).exists():
        raise UnusableClip(f"{path}: no such file")
    return Path(path)


def read_skeletons(clips: Clips, shard: int, root: Path, output: Path, scratch: Path, rules: Rules = DEFAULTS) -> None:
    """Store the skeletons of a shard's recordings, keyed by their path relative to ``root``, each read once.

    ``root`` is the corpus's folder, or a file in it such as ``clips.csv``. A recording that cannot be read, that takes
    more than 15 minutes or 4 GiB, or that does not belong to its video (see ``plausibility``) is stored without frames,
    with the reason; the others are not affected. With ``rules.normalized``, x and y are converted from fractions of the
    video's width and height to pixels.
    """
    mine = clips.usable[clips.usable.shard == shard]
    paths = sorted(set(mine.skeleton.dropna()))
    folder = folder_of(root)
    doubted: dict[str, list[str]] = {}

    def produce(todo: list[str]) -> Iterator[tuple[str, Made]]:
        each = each_compared(todo, clips.table, folder, rules)
        for path, found, of_file in progress(
            each, f"skeletons {output.parent.name}/{output.stem}", len(todo), "recording"
        ):
            for doubt in (doubt for doubt in of_file if not doubt.refused):
                doubted.setdefault(doubt.kind, []).append(f"{path}: {doubt.text}")
            yield path, found if isinstance(found, UnusableClip) else noted(found)

    build_shard(output, scratch, paths, produce, "zstd")
    for texts in doubted.values():
        others = f" (and {len(texts) - 1} more files)" if len(texts) > 1 else ""
        log.warning("%s%s", texts[0], others)


def each_compared(
    paths: Sequence[str], table: pd.DataFrame, folder: Path, rules: Rules = DEFAULTS
) -> Iterator[tuple[str, Recording | UnusableClip, list[Doubt]]]:
    """Yield each skeleton file with its keypoints in pixels, or why it cannot be used, and the doubts about it.

    Of several people, the largest is compared with the video.

    ``table`` is a clips table with the videos of the skeletons, and ``folder`` that to which all paths are relative. A
    file for which a doubt says so is refused, and then has no other doubts.
    """
    pictures = pictures_of(table, set(paths))
    for path, found in each_clip_isolated(paths, partial(_reader, folder, rules), SECONDS, MEMORY):
        if isinstance(found, UnusableClip):
            yield path, found, [Doubt("unreadable", str(found), True)]
            continue
        several = isinstance(found, Crowd)
        picture, video = pictures[path]
        if video is not None and rows_differ(found.length, picture.frames):
            picture = replace(picture, frames=_counted(folder / video))
        of_file = doubts(_largest(found) if several else found, picture, rules)
        if several and found.followed.mended:
            of_file.append(_mended(found.followed.mended))
        if of_file and of_file[0].refused:
            yield path, UnusableClip(f"{folder / path}: {of_file[0].text}"), of_file[:1]
            continue
        if rules.normalized and not found.projected:
            found = found.converted(partial(in_pixels, picture=picture))
        yield path, found, of_file


def _largest(crowd: Crowd) -> Skeleton:
    """Return the largest person of a recording, all zero if there is none."""
    keypoints_TPVC, tracks = crowd.followed.keypoints_TPVC, crowd.followed.tracks
    T, _, V, C = keypoints_TPVC.shape
    alone_TVC = np.zeros((T, V, C), np.float32)
    if tracks:
        alone_TVC = only(keypoints_TPVC, choose(keypoints_TPVC, tracks, range(T), LARGEST, None).track)
    return Skeleton(alone_TVC, crowd.layout, crowd.projected)


def _mended(frames: Sequence[int]) -> Doubt:
    told = ", ".join(map(str, frames[:SAMPLE])) + (" and others" if len(frames) > SAMPLE else "")
    text = f"ids of people change from one frame to the next (at {told}), although the people do not; corrected"
    return Doubt("ids", text, False)


def sample(paths: Iterable[str], folder: Path) -> list[str]:
    """Choose a few skeleton files that are quickly read, always the same: of 25 spread over all, the 5 smallest."""
    every = sorted(set(paths))
    spread = every[:: max(1, len(every) // SPREAD)]
    return sorted(sorted(spread, key=lambda path: _size(folder / path))[:SAMPLE])


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def pictures_of(table: pd.DataFrame, skeletons: set[str]) -> dict[str, tuple[Picture, str | None]]:
    """Return the picture of each skeleton file, and its video if each row belongs to one frame of that video.

    It does not if several videos, such as clips that were cut before, have one file of keypoints, or if video and
    keypoints begin at different frames of the recording.
    """
    rows: dict[str, list] = {path: [] for path in skeletons}
    for row in table.itertuples():
        if row.skeleton in rows and isinstance(row.video, str):
            rows[row.skeleton].append(row)
    found = {}
    for path, filmed in rows.items():
        sizes = {(int(row.width), int(row.height)) for row in filmed if not pd.isna(row.width)}
        videos = {row.video for row in filmed}
        together = len(videos) == 1 and all(row.video_start == row.skeleton_start for row in filmed)
        width, height = sizes.pop() if len(sizes) == 1 else (None, None)
        frames = {int(row.video_frames) for row in filmed if not pd.isna(row.video_frames)} if together else set()
        found[path] = Picture(width, height, max(frames, default=None)), videos.pop() if together else None
    return found


def _counted(video: Path) -> int | None:
    """Count the frames of a video, whose header may be wrong; None if it cannot be read."""
    [(_, found)] = each_clip_isolated([str(video)], partial(partial, _count), SECONDS, MEMORY)
    return None if isinstance(found, UnusableClip) else found


def _count(video: str) -> int | None:
    return probe(video, count=True).n_frames


def _reader(folder: Path, rules: Rules) -> Callable[[str], Recording]:
    return lambda path: read_skeleton(folder / path, rules)
