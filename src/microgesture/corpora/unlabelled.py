"""Whole recordings without labels: files of keypoints, cut into windows of equal length for pretraining."""

from collections.abc import Iterator
from pathlib import Path

from ..errors import InputError, UnusableClip
from ..skeletons.files import format_of
from ..skeletons.reading import skeleton_length
from .listing import Listing, Row, walk
from .recordings import recording_named


def read(root: Path, seconds: float = 4.0, rate: float = 30.0) -> Listing:
    """List windows of ``seconds`` of every file of keypoints under ``root``, one after the other.

    ``rate`` is the number of frames a second. A shorter rest at the end of a file is a clip of its own if it is at
    least half a window; a file that is shorter than a window is one clip. A file whose length is unknown is
    quarantined. Raises ``InputError`` if there is no file of keypoints.
    """
    rows = [row for path in _files(root) for row in _windows(root, path, max(round(seconds * rate), 1))]
    if not rows:
        raise InputError(f"{root}: there is no file of keypoints; set root to the folder of the recordings")
    for row in rows:
        row.fps = rate
    return Listing(rows, (), ())


def provides(root: Path, seconds: float = 4.0, rate: float = 30.0) -> frozenset[str]:
    """Return what every corpus of this format has: keypoints."""
    return frozenset({"keypoints"})


def _files(root: Path) -> Iterator[Path]:
    for path in walk(root):
        try:
            format_of(root / path)
        except UnusableClip:
            continue
        yield path


def _windows(root: Path, path: Path, length: int) -> list[Row]:
    name = recording_named(path.as_posix())
    try:
        frames = skeleton_length(root / path)
    except UnusableClip as error:
        row = _row(name, path, 0, 0)
        row.refuse(str(error))
        return [row]
    least = -(-length // 2)  # frames of the shortest rest
    starts = range(0, max(frames - least + 1, 1), length)
    return [_row(name, path, start, min(start + length, frames) - 1) for start in starts]


def _row(recording: str, path: Path, start: int, end: int) -> Row:
    file = path.as_posix()
    return Row(f"{recording}_{start}", file, recording, "train", start=start, end=end, skeleton=file)
