"""What every format of skeleton files declares."""

from abc import ABC, abstractmethod
from pathlib import Path, PurePosixPath
from typing import ClassVar

import numpy as np

from ..errors import UnusableClip


class SkeletonFormat(ABC):
    """One kind of file with the skeleton of a recording.

    ``ending`` is what names of such files end in, in any case. ``known_by_suffix`` says that a file with that suffix
    can be nothing else, so that ``microgesture init`` takes it for keypoints. A format of folders, or one that is known
    by more than a name, has its own ``matches``.
    """

    name: ClassVar[str]
    ending: ClassVar[str]
    known_by_suffix: ClassVar[bool] = True

    @property
    def suffix(self) -> str:
        """The suffix of its files, with the dot."""
        return PurePosixPath(f"name{self.ending}").suffix

    def matches(self, path: Path) -> bool:
        """Whether a path, which need not exist, is of this format."""
        return path.name.lower().endswith(self.ending) and not path.is_dir()

    @abstractmethod
    def read(self, path: Path) -> np.ndarray:
        """The skeleton, float32 (T, V, 3): x, y in pixels and confidence, NaN kept; or (T, V, 6) with metres behind.

        V is one of the keys of ``keypoints.LAYOUTS``, which has the names of the points. Raises ``UnusableClip`` that
        names the file, the row and the column.
        """

    @abstractmethod
    def points(self, path: Path) -> int:
        """V, without reading the frames; raises ``UnusableClip``."""

    def length(self, path: Path) -> int:
        """T, without reading the frames; raises ``UnusableClip`` where that cannot be done."""
        raise UnusableClip(f"{path}: how many frames it has is not known before it is read; give n_frames")
