"""The 133 points of COCO-WholeBody in the order of OpenPose-137.

Both have the same 68 points of the face and 21 of each hand (arXiv 2007.11858; github.com/jin-s13/COCO-WholeBody).
"""

import numpy as np

from ..skeletons.layouts import layout_named
from .mapping import NAMES

LAYOUT = layout_named("coco_wholebody")
WHOLEBODY = LAYOUT.table.in_order
_SHARED = [name for name in NAMES if name in LAYOUT.names]


def in_openpose_order(points_PVC: np.ndarray) -> np.ndarray:
    """Convert points float32 (P, 133, 3) of COCO-WholeBody to OpenPose-137, (P, 137, 3).

    A point that was not found is (0, 0, 0). Neck and mid hip are means, as sure as their less sure point, and missing
    if one of the two is. The pupils are always missing.
    """
    found_PVC = np.zeros((len(points_PVC), len(NAMES), 3), np.float32)
    shared = [LAYOUT.names.index(name) for name in _SHARED]
    found_PVC[:, [NAMES.index(name) for name in _SHARED]] = LAYOUT.named(points_PVC)[:, shared]
    return found_PVC
