"""NumPy archives with an array ``keypoints`` (T, V, 3)."""

import math
import zipfile
from pathlib import Path

import numpy as np

from ...errors import UnusableClip
from ..file_format import SkeletonFormat
from .archives import NO_ARCHIVE

POINTS = {137: "OpenPose body, face and hands", 35: "light_hand", 28: "OpenPose body and fingertips of MA-52"}


class Npz(SkeletonFormat):
    """An array ``keypoints`` of 137, 35 or 28 points; the header has its length."""

    name = "npz"
    ending = ".npz"

    def read(self, path: Path) -> np.ndarray:
        _shape(path)
        try:
            with np.load(path, allow_pickle=False) as archive:
                keypoints_TVC = archive["keypoints"]
        except NO_ARCHIVE as error:
            raise UnusableClip(f"{path}: no NumPy archive with an array 'keypoints' ({error})") from None
        return keypoints_TVC.astype(np.float32)

    def points(self, path: Path) -> int:
        return _shape(path)[1]

    def length(self, path: Path) -> int:
        return _shape(path)[0]


def _shape(path: Path) -> tuple[int, ...]:
    """Read the shape of the array from its header, and check that the archive has exactly that many bytes.

    So a false header cannot make the reader allocate memory.
    """
    try:
        with zipfile.ZipFile(path) as archive, archive.open("keypoints.npy") as member:
            version = np.lib.format.read_magic(member)
            read = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}[version]
            shape, _, dtype = read(member)
            held = archive.getinfo("keypoints.npy").file_size - member.tell()
    except NO_ARCHIVE as error:
        raise UnusableClip(f"{path}: no NumPy archive with an array 'keypoints' ({error})") from None
    if len(shape) != 3 or shape[1] not in POINTS or shape[2] != 3:
        layouts = ", ".join(f"{points} ({name})" for points, name in POINTS.items())
        raise UnusableClip(f"{path}: 'keypoints' is {shape}, expected (frames, points, 3) with points one of {layouts}")
    if shape[0] == 0:
        raise UnusableClip(f"{path}: the file has no frames")
    if dtype.kind not in "fiu":
        raise UnusableClip(f"{path}: 'keypoints' is {dtype}, expected float32")
    if held != (expected := math.prod(shape) * dtype.itemsize):
        raise UnusableClip(f"{path}: 'keypoints' is {shape}, {expected} bytes, but the archive has {held}")
    return shape
