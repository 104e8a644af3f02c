"""Formats that are read as a whole, because nothing in a file tells its length and its points before."""

from abc import abstractmethod
from collections.abc import Iterable, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from ...errors import UnusableClip
from ..file_format import People, SkeletonFormat
from .numbers import csv_header


class Parsed(NamedTuple):
    """What a file has: its people, and the names of the points if it has any."""

    people: People
    names: tuple[str, ...] | None = None


class Found(NamedTuple):
    """Someone in a frame: the id in the file or "", and the points (V, C)."""

    own: str
    points_VC: np.ndarray


class WholeFormat(SkeletonFormat):
    """A format whose files are small enough to be read for each question about them."""

    @abstractmethod
    def parse(self, path: Path) -> Parsed:
        """Read the file; missing joints are all zero. Raises ``UnusableClip``."""

    def read(self, path: Path) -> People:
        return self._parsed(path).people

    def points(self, path: Path) -> int:
        return self._parsed(path).people.keypoints_TPVC.shape[2]

    def names(self, path: Path) -> tuple[str, ...] | None:
        return self._parsed(path).names

    def length(self, path: Path) -> int:
        return len(self._parsed(path).people.keypoints_TPVC)

    def _parsed(self, path: Path) -> Parsed:
        return _parsed(self, path, _state(path))


class HeadedCsv(WholeFormat):
    """A format of csv files that are recognised by the names of their columns."""

    ending = ".csv"
    known_by_suffix = False

    @abstractmethod
    def has_columns(self, columns: Sequence[str]) -> bool:
        """Whether a file with these columns, in lower case, has this format."""

    def matches(self, path: Path) -> bool:
        return path.suffix.lower() == self.ending and path.is_file() and self.has_columns(csv_header(path))

    def recognises(self, path: Path) -> bool:
        return self.matches(path)


@lru_cache(1)  # several questions about one file are asked one after the other
def _parsed(entry: WholeFormat, path: Path, _state: Any) -> Parsed:
    try:
        return entry.parse(path)
    except (LookupError, ValueError, TypeError, AttributeError, OverflowError) as error:
        # Lists, numbers and texts may be anywhere in JSON; what the format does not expect ends here.
        raise UnusableClip(f"{path}: it has not the structure of its format ({error!r})") from None


def _state(path: Path) -> tuple[int, int]:
    try:
        state = path.stat()
    except OSError as error:
        raise UnusableClip(f"{path} cannot be read ({error.strerror})") from None
    return state.st_mtime_ns, state.st_size


def people_of(path: Path, frames: Sequence[Iterable[Found]]) -> People:
    """Return the people of all frames, each frame a sequence of those in it; raises ``UnusableClip`` if there are none.

    All must have equally many points.
    """
    frames = [list(frame) for frame in frames]
    shapes = {found.points_VC.shape for frame in frames for found in frame}
    if not shapes:
        raise UnusableClip(f"{path}: no person was found in any frame; find the keypoints again")
    if len(shapes) > 1:
        counts = " and ".join(str(points) for points, _ in sorted(shapes))
        raise UnusableClip(f"{path}: people have {counts} points; all need equally many")
    most = max(map(len, frames))
    keypoints_TPVC = np.zeros((len(frames), most, *shapes.pop()), np.float32)
    ids_TP = np.full((len(frames), most), "", object)
    for t, frame in enumerate(frames):
        for place, (own, points_VC) in enumerate(frame):
            keypoints_TPVC[t, place], ids_TP[t, place] = points_VC, own
    return People(keypoints_TPVC, ids_TP.astype(str) if (ids_TP != "").any() else None)


def with_confidence(points_VC: np.ndarray) -> np.ndarray:
    """Append the confidence 1 to points without one, and set those that are not numbers to zero."""
    found_V1 = np.isfinite(points_VC).all(-1, keepdims=True)
    return np.concatenate((np.where(found_V1, points_VC, 0), found_V1), -1).astype(np.float32)
