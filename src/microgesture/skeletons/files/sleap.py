"""Files of SLEAP and NWB, read with the package sleap-io (extra animals)."""

import importlib.util
from pathlib import Path

import numpy as np

from ...errors import UnusableClip
from ...machine.extras import install_hint
from ..file_format import People
from .whole import Parsed, WholeFormat


class Sleap(WholeFormat):
    """Labels of SLEAP; points without a position are missing."""

    name = "sleap"
    ending = ".slp"

    def parse(self, path: Path) -> Parsed:
        if importlib.util.find_spec("sleap_io") is None:
            raise UnusableClip(f"{path} needs packages that are not installed: {install_hint('animals')}")
        import sleap_io

        try:
            labels = sleap_io.load_file(str(path))
            keypoints_TPVC = labels.numpy(return_confidence=True)
        except Exception as error:  # the package raises many kinds for damaged files
            raise UnusableClip(f"{path}: sleap-io cannot read it ({error}); export it again") from None
        if keypoints_TPVC.ndim != 4 or not keypoints_TPVC.size:
            raise UnusableClip(f"{path}: it has no keypoints")
        found_TPV = np.isfinite(keypoints_TPVC[..., :2]).all(-1)
        clean_TPVC = np.where(found_TPV[..., None], np.nan_to_num(keypoints_TPVC, nan=1.0), 0).astype(np.float32)
        names = tuple(node.name for node in labels.skeleton.nodes)
        return Parsed(People(clean_TPVC, _ids(labels, found_TPV)), names)


def _ids(labels, found_TPV: np.ndarray) -> np.ndarray | None:
    """The names of the tracks, which ``Labels.numpy`` puts in their order."""
    if not labels.tracks or len(labels.tracks) != found_TPV.shape[1]:
        return None
    names = np.array([track.name or str(place) for place, track in enumerate(labels.tracks)])
    return np.where(found_TPV.any(-1), names, "")


class SleapAnalysis(Sleap):
    """SLEAP's export for analysis."""

    name = "sleap_analysis"
    ending = ".h5"


class Nwb(Sleap):
    """Neurodata Without Borders, with the extension ndx-pose."""

    name = "nwb"
    ending = ".nwb"
