"""OpenPose's points as iMiGUE has them: a spreadsheet without header, 411 columns."""

from pathlib import Path

import numpy as np

from ..file_format import SkeletonFormat
from .numbers import read_points
from .workbook import xlsx_rows


class OpenPoseXlsx(SkeletonFormat):
    """x, y and confidence of 137 points in each row; a line of column names is found and left out."""

    name = "openpose_xlsx"
    ending = ".xlsx"

    def read(self, path: Path) -> np.ndarray:
        return read_points(path, xlsx_rows(path), points=137, numbering=0)

    def points(self, path: Path) -> int:
        return 137
