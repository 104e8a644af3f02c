"""The storage of optical flow: (u, v) as int16, in fractions of a pixel."""

import numpy as np

from ..config.modalities import MODALITIES

# Rounding to 1/32 pixel is far below the error of any estimator, and int16 still reaches +-1023 pixels.
STEPS_PER_PIXEL = MODALITIES["flow"].unit


def to_stored(flow_THWC: np.ndarray) -> np.ndarray:
    """Convert flow in pixels to int16 in 1/32 pixel, rounded to the nearest and limited to +-1023 pixels."""
    limit = np.iinfo(np.int16)
    return np.rint(flow_THWC * STEPS_PER_PIXEL).clip(limit.min + 1, limit.max).astype(np.int16)


def from_stored(stored_THWC: np.ndarray) -> np.ndarray:
    """Convert stored flow back to pixels, float32."""
    return stored_THWC.astype(np.float32) / STEPS_PER_PIXEL


def mirror_flow(flow_THWC: np.ndarray) -> np.ndarray:
    """Mirror flow, stored or in pixels: exchange left and right and negate u."""
    return flow_THWC[..., ::-1, :] * np.array([-1, 1], flow_THWC.dtype)
