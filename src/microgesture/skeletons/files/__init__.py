"""Formats of skeleton files: one file of this package each, and the registry of all."""

from pathlib import Path

from ...config.extensions import declared
from ...errors import UnusableClip
from ..file_format import SkeletonFormat
from .kinect_csv import KinectCsv
from .light_hand_csv import LightHandCsv
from .npz import Npz
from .openpose_xlsx import OpenPoseXlsx

# The first that matches counts: what is known by a longer ending comes first.
SKELETON_FILES: dict[str, SkeletonFormat] = {
    entry.name: entry for entry in (*declared(SkeletonFormat), Npz(), OpenPoseXlsx(), KinectCsv(), LightHandCsv())
}
SUFFIXES = tuple(dict.fromkeys(entry.suffix for entry in SKELETON_FILES.values()))
MODULES = tuple(sorted({type(entry).__module__ for entry in SKELETON_FILES.values()}))


def format_of(path: Path) -> SkeletonFormat:
    """The format of a skeleton file; raises ``UnusableClip`` if there is none for it."""
    for entry in SKELETON_FILES.values():
        if entry.matches(path):
            return entry
    raise UnusableClip(f"{path}: a skeleton file ends in {', '.join(SUFFIXES[:-1])} or {SUFFIXES[-1]}")
