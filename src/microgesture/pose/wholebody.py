"""The 133 points of COCO-WholeBody in the order of OpenPose-137.

Both have the same 68 points of the face and 21 of each hand (arXiv 2007.11858; github.com/jin-s13/COCO-WholeBody).
"""

import numpy as np

from ..skeletons.keypoints import present
from .mapping import NAMES

_BODY_17 = (
    *("nose", "left eye", "right eye", "left ear", "right ear"),
    *(
        f"{side} {joint}"
        for joint in ("shoulder", "elbow", "wrist", "hip", "knee", "ankle")
        for side in ("left", "right")
    ),
)
_FEET_6 = tuple(f"{side} {part}" for side in ("left", "right") for part in ("big toe", "small toe", "heel"))
WHOLEBODY = (*_BODY_17, *_FEET_6, *NAMES[25:93], *NAMES[95:])
MEANS = {"neck": ("right shoulder", "left shoulder"), "mid hip": ("right hip", "left hip")}  # as OpenPose was taught


def in_openpose_order(points_PVC: np.ndarray) -> np.ndarray:
    """Convert points float32 (P, 133, 3) of COCO-WholeBody to OpenPose-137, (P, 137, 3).

    A point that was not found is (0, 0, 0). Neck and mid hip are means, as sure as their less sure point, and missing
    if one of the two is. The pupils are always missing.
    """
    found_PVC = np.zeros((len(points_PVC), len(NAMES), 3), np.float32)
    for position, name in enumerate(NAMES):
        if name in MEANS or name in WHOLEBODY:
            sources_PVC = points_PVC[:, [WHOLEBODY.index(source) for source in MEANS.get(name, (name,))]]
            there_P = present(sources_PVC).all(1)
            found_PVC[there_P, position, :2] = sources_PVC[there_P, :, :2].mean(1)
            found_PVC[there_P, position, 2] = sources_PVC[there_P, :, 2].min(1)
    return found_PVC
