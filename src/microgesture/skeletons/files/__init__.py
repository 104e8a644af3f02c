"""Formats of skeleton files: one module of this package each, and their registry."""

from pathlib import Path

from ...config.extensions import declared
from ...errors import UnusableClip
from ..file_format import SkeletonFormat
from .kinect_csv import KinectCsv
from .light_hand_csv import LightHandCsv
from .npz import Npz
from .openpose_xlsx import OpenPoseXlsx

# The first match is used, so formats with longer endings come first.
SKELETON_FILES: dict[str, SkeletonFormat] = {
    entry.name: entry for entry in (*declared(SkeletonFormat), Npz(), OpenPoseXlsx(), KinectCsv(), LightHandCsv())
}
SUFFIXES = tuple(dict.fromkeys(entry.suffix for entry in SKELETON_FILES.values()))
MODULES = tuple(sorted({type(entry).__module__ for entry in SKELETON_FILES.values()}))


def format_of(path: Path) -> SkeletonFormat:
    """Return the format of a skeleton file; raises ``UnusableClip`` if no format matches."""
    for entry in SKELETON_FILES.values():
        if entry.matches(path):
            return entry
    raise UnusableClip(f"{path}: the name of a skeleton file must end in {', '.join(SUFFIXES[:-1])} or {SUFFIXES[-1]}")
