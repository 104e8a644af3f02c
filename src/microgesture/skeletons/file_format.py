"""The declaration of a format of skeleton files."""

from abc import ABC, abstractmethod
from pathlib import Path, PurePosixPath
from typing import ClassVar, NamedTuple

import numpy as np

from ..errors import UnusableClip


class People(NamedTuple):
    """Several people in the frames of a recording.

    ``keypoints_TPVC`` is float32 as in ``SkeletonFormat.read``, with one person in each place P, in any order, and all
    zero where a frame has fewer people. ``ids_TP`` are the ids of the file as texts, "" where there is no person or no
    id; None if the file has no ids.
    """

    keypoints_TPVC: np.ndarray
    ids_TP: np.ndarray | None = None


class SkeletonFormat(ABC):
    """One kind of file with the skeleton of a recording.

    ``ending`` is the end of the files' names; upper and lower case are equal. ``known_by_suffix`` is true if every file
    with that suffix has this format; ``microgesture init`` then treats such files as keypoints. A format of folders, or
    one that is not recognised by the name alone, overrides ``matches``.
    """

    name: ClassVar[str]
    ending: ClassVar[str]
    known_by_suffix: ClassVar[bool] = True
    layout: ClassVar[str | None] = None  # the layout of all files of the format

    @property
    def suffix(self) -> str:
        """The suffix of the files, with the dot."""
        return PurePosixPath(f"name{self.ending}").suffix

    def matches(self, path: Path) -> bool:
        """Whether a path is of this format; it need not exist."""
        return path.name.lower().endswith(self.ending) and not path.is_dir()

    def recognises(self, path: Path) -> bool:
        """Whether a file that exists is surely of this format; a suffix of many kinds of files does not tell."""
        return self.known_by_suffix and self.matches(path)

    @abstractmethod
    def read(self, path: Path) -> np.ndarray | People:
        """Read the skeleton, float32 (T, V, C), its points in the order of the file; NaN is kept.

        C is 3 for x, y in pixels and confidence, 4 for x, y, z in any unit and confidence, 6 for x, y in pixels,
        confidence, and x, y, z, where y points down and z away from the sensor. A format of files with several people
        returns ``People``, also if there is only one. Raises ``UnusableClip`` that names the file, the row and the
        column.
        """

    @abstractmethod
    def points(self, path: Path) -> int:
        """Return V without reading the frames; raises ``UnusableClip``."""

    def names(self, path: Path) -> tuple[str, ...] | None:
        """Return the names of the points in the file, None if it has none; raises ``UnusableClip``."""
        return None

    def in_space(self, path: Path) -> bool:
        """Return whether the points have three coordinates, without reading the frames; raises ``UnusableClip``."""
        return False

    def length(self, path: Path) -> int:
        """Return T without reading the frames; raises ``UnusableClip`` if this is not possible."""
        raise UnusableClip(f"{path}: the number of frames is only known after reading the file; give n_frames")
