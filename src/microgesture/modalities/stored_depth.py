"""How depth is stored: as nearness, uint8, by the range of the whole clip."""

import numpy as np


def to_stored(depth_THW: np.ndarray) -> np.ndarray:
    """Nearness as uint8 by the range of the whole clip: 0 the farthest, 255 the nearest; 0 if all is equally far."""
    lowest, highest = float(depth_THW.min()), float(depth_THW.max())
    stored_THW = np.zeros(depth_THW.shape, np.uint8)
    if highest > lowest:
        for depth_HW, stored_HW in zip(depth_THW, stored_THW, strict=True):
            stored_HW[:] = np.rint((depth_HW.astype(np.float32) - lowest) * (255 / (highest - lowest))).clip(0, 255)
    return stored_THW
