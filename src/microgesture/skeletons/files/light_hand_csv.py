"""iMiGUE's light_hand files: a column of frame numbers and 35 points."""

from pathlib import Path

import numpy as np

from ..file_format import SkeletonFormat
from .numbers import csv_cells, read_points


class LightHandCsv(SkeletonFormat):
    """Each row has a frame number, then x, y and confidence of 35 points; column names are optional."""

    name = "light_hand_csv"
    ending = ".csv"
    known_by_suffix = False
    layout = "light_hand"

    def read(self, path: Path) -> np.ndarray:
        return read_points(path, csv_cells(path), points=35, numbering=1)

    def points(self, path: Path) -> int:
        return 35
