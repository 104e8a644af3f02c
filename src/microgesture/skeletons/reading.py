"""Read skeleton files: one array for each recording, (frames, points, 3), or (frames, points, 6) with metres."""

from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path

import numpy as np

from ..errors import UnusableClip
from ..progress import progress
from ..storage.clips import Clips
from ..storage.shards import build_shard
from ..videos.isolation import each_clip_isolated
from .files import format_of

SECONDS = 900  # limit for reading one recording
MEMORY = 4 << 30  # limit in bytes for reading one recording; a table of an hour of frames fits


def read_skeleton(path: Path | str) -> np.ndarray:
    """Read a recording's skeleton, float32 (T, V, 3): x, y in pixels and confidence, unchanged (NaN is kept).

    With metres it is (T, V, 6); see ``SkeletonFormat.read``. Raises ``UnusableClip`` that names the file, the row and
    the column.
    """
    return format_of(_there(path)).read(Path(path))


def skeleton_length(path: Path | str) -> int:
    """Return the number of frames of a skeleton, from its header alone; raises ``UnusableClip``."""
    return format_of(_there(path)).length(Path(path))


def skeleton_points(path: Path | str) -> int:
    """Return the number of points of a skeleton, from the file's name or header; raises ``UnusableClip``."""
    return format_of(Path(path)).points(Path(path))


def _there(path: Path | str) -> Path:
    if not Path(path).exists():
        raise UnusableClip(f"{path}: no such file")
    return Path(path)


def read_skeletons(clips: Clips, shard: int, root: Path, output: Path, scratch: Path) -> None:
    """Store the skeletons of a shard's recordings, keyed by their path relative to ``root``, each read once.

    ``root`` is the corpus's folder, or a file in it such as ``clips.csv``. A recording that cannot be read, or that
    takes more than 15 minutes or 4 GiB, is stored without frames, with the reason; the others are not affected.
    """
    mine = clips.usable[clips.usable.shard == shard]
    paths = sorted(set(mine.skeleton.dropna()))
    folder = root.parent if root.is_file() else root

    def produce(todo: list[str]) -> Iterable[tuple[str, np.ndarray | UnusableClip]]:
        each = each_clip_isolated(todo, partial(_reader, folder), SECONDS, MEMORY)
        return progress(each, f"skeletons {output.parent.name}/{output.stem}", len(todo), "recording")

    build_shard(output, scratch, paths, produce, "zstd")


def _reader(folder: Path) -> Callable[[str], np.ndarray]:
    return lambda path: read_skeleton(folder / path)
