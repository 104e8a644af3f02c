"""NumPy archives with an array ``keypoints``, and optionally the names of its points and the unit."""

import math
import zipfile
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

import numpy as np

from ...errors import UnusableClip
from ..file_format import SkeletonFormat
from .archives import NO_ARCHIVE

PIXELS = ("px", "pixel", "pixels")
LENGTHS = ("m", "metre", "metres", "meter", "meters", "cm", "mm", "in", "ft")
CHANNELS = {2: "x, y", 3: "x, y, confidence", 4: "x, y, z, confidence", 6: "x, y, confidence, x, y, z"}


class _Header(NamedTuple):
    shape: tuple[int, ...]
    dtype: np.dtype
    held: int
    members: frozenset[str]


class Npz(SkeletonFormat):
    """An array ``keypoints`` (frames, points, channels), also with ``names`` (points) and ``unit``.

    Two channels are x and y, three add the confidence, or z if the unit is a length. Four are x, y, z and confidence.
    """

    name = "npz"
    ending = ".npz"

    def read(self, path: Path) -> np.ndarray:
        header = _header(path)
        try:
            with np.load(path, allow_pickle=False) as archive:
                keypoints_TVC = archive["keypoints"].astype(np.float32)
        except NO_ARCHIVE as error:
            raise UnusableClip(f"{path}: no NumPy archive with an array 'keypoints' ({error})") from None
        return _with_confidence(keypoints_TVC, deep=header.shape[2] == 3 and self.in_space(path))

    def points(self, path: Path) -> int:
        return _header(path).shape[1]

    def length(self, path: Path) -> int:
        return _header(path).shape[0]

    def names(self, path: Path) -> tuple[str, ...] | None:
        return _texts(path, "names") if "names.npy" in _header(path).members else None

    def in_space(self, path: Path) -> bool:
        header = _header(path)
        return header.shape[2] > 3 or (header.shape[2] == 3 and _unit(path, header) in LENGTHS)


def _with_confidence(keypoints_TVC: np.ndarray, deep: bool) -> np.ndarray:
    """Append the confidence of points that have only x and y, or with ``deep`` x, y and z."""
    if keypoints_TVC.shape[2] != 2 + deep:
        return keypoints_TVC
    found_TV1 = np.isfinite(keypoints_TVC).all(-1, keepdims=True) & keypoints_TVC.any(-1, keepdims=True)
    return np.concatenate((np.where(found_TV1, keypoints_TVC, 0), found_TV1), -1, dtype=np.float32)


def _unit(path: Path, header: _Header) -> str:
    for key in ("unit", "units"):
        if f"{key}.npy" in header.members:
            unit = " ".join(_texts(path, key)).strip().lower()
            if unit not in (*PIXELS, *LENGTHS):
                raise UnusableClip(f"{path}: '{key}' is {unit!r}, expected one of {', '.join((*PIXELS, *LENGTHS))}")
            if unit in PIXELS and header.shape[2] == 4:
                raise UnusableClip(f"{path}: '{key}' is {unit!r}, but 'keypoints' has x, y, z; correct one of them")
            return unit
    return ""


def _texts(path: Path, key: str) -> tuple[str, ...]:
    try:
        with np.load(path, allow_pickle=False) as archive:
            return tuple(map(str, archive[key].ravel()))
    except NO_ARCHIVE as error:
        raise UnusableClip(f"{path}: '{key}' is not an array of texts ({error})") from None


def _header(path: Path) -> _Header:
    """Read the shape of the array from its header, and check that the archive has exactly that many bytes.

    So a false header cannot make the reader allocate memory.
    """
    try:
        state = path.stat()
    except OSError as error:
        raise UnusableClip(f"{path}: no NumPy archive with an array 'keypoints' ({error})") from None
    return _header_of(path, state.st_mtime_ns, state.st_size)


@lru_cache(4)  # several questions about one file are asked one after the other
def _header_of(path: Path, _time: int, _size: int) -> _Header:
    try:
        with zipfile.ZipFile(path) as archive, archive.open("keypoints.npy") as member:
            version = np.lib.format.read_magic(member)
            read = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}[version]
            shape, _, dtype = read(member)
            held = archive.getinfo("keypoints.npy").file_size - member.tell()
            members = frozenset(archive.namelist())
    except NO_ARCHIVE as error:
        raise UnusableClip(f"{path}: no NumPy archive with an array 'keypoints' ({error})") from None
    _check(path, shape, dtype)
    if held != (expected := math.prod(shape) * dtype.itemsize):
        raise UnusableClip(f"{path}: 'keypoints' is {shape}, {expected} bytes, but the archive has {held}")
    return _Header(shape, dtype, held, members)


def _check(path: Path, shape: tuple[int, ...], dtype: np.dtype) -> None:
    if len(shape) != 3 or shape[2] not in CHANNELS or shape[1] == 0:
        channels = ", ".join(f"{count} ({what})" for count, what in CHANNELS.items())
        raise UnusableClip(f"{path}: 'keypoints' is {shape}, expected (frames, points, channels), channels {channels}")
    if shape[0] == 0:
        raise UnusableClip(f"{path}: the file has no frames")
    if dtype.kind not in "fiu":
        raise UnusableClip(f"{path}: 'keypoints' is {dtype}, expected float32")


class Npy(SkeletonFormat):
    """One array (frames, points, channels), as in an archive, without names."""

    name = "npy"
    ending = ".npy"

    def read(self, path: Path) -> np.ndarray:
        return _with_confidence(_plain(path).astype(np.float32), deep=False)

    def points(self, path: Path) -> int:
        return _plain(path).shape[1]

    def length(self, path: Path) -> int:
        return len(_plain(path))

    def in_space(self, path: Path) -> bool:
        return _plain(path).shape[2] > 3


def _plain(path: Path) -> np.ndarray:
    """Map the array of a file, of which nothing is read yet."""
    try:
        array_TVC = np.load(path, mmap_mode="r", allow_pickle=False)
    except NO_ARCHIVE as error:
        raise UnusableClip(f"{path}: no NumPy array ({error})") from None
    if not isinstance(array_TVC, np.ndarray):
        raise UnusableClip(f"{path}: it has several arrays; name it .npz")
    _check(path, array_TVC.shape, array_TVC.dtype)
    return array_TVC
