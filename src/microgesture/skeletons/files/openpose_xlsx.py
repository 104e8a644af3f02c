"""OpenPose's points as in iMiGUE: a spreadsheet of 411 columns without a header."""

from pathlib import Path

import numpy as np

from ..file_format import SkeletonFormat
from .numbers import read_points
from .workbook import xlsx_rows


class OpenPoseXlsx(SkeletonFormat):
    """Each row has x, y and confidence of 137 points; a row of column names is detected and skipped."""

    name = "openpose_xlsx"
    ending = ".xlsx"
    layout = "openpose_137"

    def read(self, path: Path) -> np.ndarray:
        return read_points(path, xlsx_rows(path), points=137, numbering=0)

    def points(self, path: Path) -> int:
        return 137
