"""SMG's Kinect v2 files: 275 columns, 11 for each of 25 joints."""

from pathlib import Path

import numpy as np

from ..file_format import SkeletonFormat
from ..kinect import COLUMNS, JOINTS, kinect_joints
from .numbers import csv_cells, read_numbers


class KinectCsv(SkeletonFormat):
    """Read as (T, 25, 6): pixels, confidence and metres, see ``kinect_joints``."""

    name = "kinect_csv"
    ending = "_skeleton.csv"
    known_by_suffix = False
    layout = "kinect_v2"

    def read(self, path: Path) -> np.ndarray:
        return kinect_joints(read_numbers(path, csv_cells(path), COLUMNS, "11 of each of 25 joints"))

    def points(self, path: Path) -> int:
        return JOINTS

    def in_space(self, path: Path) -> bool:
        return True
