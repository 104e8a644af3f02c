"""The storage of depth: nearness as uint8, scaled by the range of the whole clip."""

import numpy as np


def to_stored(depth_THW: np.ndarray) -> np.ndarray:
    """Scale nearness to uint8 by the range of the whole clip: 0 is farthest, 255 nearest; all 0 if it is constant."""
    lowest, highest = float(depth_THW.min()), float(depth_THW.max())
    stored_THW = np.zeros(depth_THW.shape, np.uint8)
    if highest > lowest:
        for depth_HW, stored_HW in zip(depth_THW, stored_THW, strict=True):
            stored_HW[:] = np.rint((depth_HW.astype(np.float32) - lowest) * (255 / (highest - lowest))).clip(0, 255)
    return stored_THW
