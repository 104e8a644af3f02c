"""How optical flow is stored: (u, v) as int16, in fractions of a pixel."""

import numpy as np

from ..config.modalities import MODALITIES

# 1/32 pixel rounds off far less than any estimator errs, and int16 still reaches +-1023 pixels.
STEPS_PER_PIXEL = MODALITIES["flow"].unit


def to_stored(flow_THWC: np.ndarray) -> np.ndarray:
    """Flow in pixels as int16 in 1/32 pixel, rounded to the nearest and limited to +-1023 pixels."""
    limit = np.iinfo(np.int16)
    return np.rint(flow_THWC * STEPS_PER_PIXEL).clip(limit.min + 1, limit.max).astype(np.int16)


def from_stored(stored_THWC: np.ndarray) -> np.ndarray:
    """Stored flow back in pixels, float32."""
    return stored_THWC.astype(np.float32) / STEPS_PER_PIXEL


def mirror_flow(flow_THWC: np.ndarray) -> np.ndarray:
    """The flow of the mirrored video: left and right exchanged and u with the opposite sign; stored flow or pixels."""
    return flow_THWC[..., ::-1, :] * np.array([-1, 1], flow_THWC.dtype)
