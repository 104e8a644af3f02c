"""Formats of skeleton files: one module of this package each, and their registry."""

from pathlib import Path

from ...config.extensions import by_name
from ...errors import UnusableClip
from ..file_format import SkeletonFormat
from .deeplabcut_csv import DeepLabCutCsv
from .deeplabcut_h5 import DeepLabCutH5
from .kinect_csv import KinectCsv
from .landmark_csv import LandmarkCsv
from .light_hand_csv import LightHandCsv
from .npz import Npy, Npz
from .openpose_json import OpenPoseJson
from .openpose_xlsx import OpenPoseXlsx
from .pose_json import PoseJson
from .sleap import Nwb, Sleap, SleapAnalysis

# The first match is used, so formats with longer endings come first.
_BUILT_IN = (
    *(Npz(), Npy(), OpenPoseXlsx(), OpenPoseJson(), PoseJson()),
    *(DeepLabCutH5(), Sleap(), SleapAnalysis(), Nwb()),
    *(KinectCsv(), DeepLabCutCsv(), LandmarkCsv(), LightHandCsv()),
)
SKELETON_FILES: dict[str, SkeletonFormat] = by_name(
    SkeletonFormat, _BUILT_IN, lambda entry: entry.name, extensions_first=True
)
SUFFIXES = tuple(dict.fromkeys(entry.suffix for entry in SKELETON_FILES.values()))
MODULES = tuple(sorted({type(entry).__module__ for entry in SKELETON_FILES.values()}))


def recognised(path: Path) -> bool:
    """Return whether a file that exists is one of keypoints, from its beginning if its name does not tell."""
    return any(entry.recognises(path) for entry in SKELETON_FILES.values())


def format_of(path: Path) -> SkeletonFormat:
    """Return the format of a skeleton file; raises ``UnusableClip`` if no format matches."""
    for entry in SKELETON_FILES.values():
        if entry.matches(path):
            return entry
    raise UnusableClip(f"{path}: the name of a skeleton file must end in {', '.join(SUFFIXES[:-1])} or {SUFFIXES[-1]}")
