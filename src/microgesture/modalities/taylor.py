"""Taylor videos: the motion around each frame as three channels (Wang et al., Taylor Videos for Action Recognition,
ICML 2024, arXiv 2402.03019).

Over a window of grey frames F_1 .. F_T in [0, 1], with forward differences D^k = D^{k-1}_{next} - D^{k-1} at the first
frame, channel c of displacement, velocity and acceleration (0, 1, 2) is

    M_c = 1/T * sum over tau = 1..T and k = 0..K-1 of  D^{c+1+k} * (F_tau - F_1)^k / k!
"""

from pathlib import Path

import cv2
import numba
import numpy as np

from ..errors import InputError
from ..progress import progress
from ..storage.shards import Shard, build_shard, each_clip
from .work import Work

SCALINGS = ("joint", "channel")
CHUNK = 256  # pixels whose window fits into the first-level cache of the processor


def taylor_video(
    frames_THWC: np.ndarray, terms: int = 3, window: int = 6, signed: bool = False, scaling: str = "joint"
) -> np.ndarray:
    """Compute the Taylor video of RGB frames uint8 (T, H, W, 3).

    The result is uint8 (T, H, W, 3): displacement, velocity and acceleration. Frame i describes the ``window`` frames
    that start at i, with the last frame repeated past the end; so frame i is the same instant in both videos. ``terms``
    is K above. Values are divided by their largest magnitude in the frame, over the three channels together
    (``scaling`` "joint") or for each channel separately ("channel"). Negative values become 0 as in the authors' video;
    with ``signed`` they are kept, and 128 is no motion. A frame without motion is all 0 (signed: 128). Raises
    ``InputError`` if the settings are not valid.
    """
    check_settings(terms, window, scaling)
    gray_TP = np.stack([cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY).ravel() for frame in frames_THWC])
    taylor_TPC = np.empty((*gray_TP.shape, 3), np.uint8)
    _taylor(gray_TP, terms, window, signed, scaling == "joint", taylor_TPC)
    return taylor_TPC.reshape(frames_THWC.shape)


def check_settings(terms: int, window: int, scaling: str) -> None:
    """Raise ``InputError`` if ``window`` is too short for K = ``terms``, or if ``scaling`` does not exist."""
    if terms < 1:
        raise InputError(f"taylor.terms is {terms}; it must be at least 1")
    if window < terms + 3:
        raise InputError(f"taylor.window is {window}; {terms} terms need a window of at least {terms + 3} frames")
    if scaling not in SCALINGS:
        raise InputError(f"taylor.scaling is '{scaling}'; choose one of {', '.join(SCALINGS)}")


# The loops go chunk by chunk, with the pixels innermost, so that each step is a vector instruction on cached data.
# The function has one signature only: several processes may fill Numba's cache at once, which is safe as long as none
# of them adds a second signature to the same file.
@numba.njit(cache=True, nogil=True, fastmath=True)
def _taylor(gray_TP, terms, window, signed, joint, taylor_TPC):
    frames, pixels = gray_TP.shape
    orders = terms + 2
    values = np.empty((window, CHUNK), np.float32)
    delta = np.empty(CHUNK, np.float32)
    power = np.empty(CHUNK, np.float32)
    means = np.empty((terms, CHUNK), np.float32)  # of (F_tau - F_1)^k / k! over the window
    motion_CP = np.empty((3, pixels), np.float32)
    highest = np.empty((3, CHUNK), np.float32)  # by place in the chunk: one maximum could not be vectorised
    peak = np.empty(3, np.float32)
    share = np.float32(1 / window)
    for frame in range(frames):
        highest[:] = 0
        for start in range(0, pixels, CHUNK):
            width = min(CHUNK, pixels - start)
            for tau in range(window):
                gray = gray_TP[min(frame + tau, frames - 1), start : start + width]
                for x in range(width):
                    values[tau, x] = np.float32(gray[x]) * np.float32(1 / 255)
            means[0] = 1
            means[1:] = 0
            for tau in range(1, window):
                for x in range(width):
                    delta[x] = values[tau, x] - values[0, x]
                    power[x] = share
                for k in range(1, terms):
                    over_k = np.float32(1 / k)
                    for x in range(width):
                        power[x] *= delta[x] * over_k
                        means[k, x] += power[x]
            motion = motion_CP[:, start : start + width]
            motion[:] = 0
            for order in range(1, orders + 1):
                for tau in range(orders + 1 - order):
                    for x in range(width):
                        values[tau, x] = values[tau + 1, x] - values[tau, x]
                for channel in range(max(0, order - terms), min(3, order)):
                    for x in range(width):
                        motion[channel, x] += values[0, x] * means[order - 1 - channel, x]
            for channel in range(3):
                for x in range(width):
                    value = motion[channel, x]
                    highest[channel, x] = max(highest[channel, x], abs(value) if signed else value)
        for channel in range(3):
            peak[channel] = highest[channel].max()
        if joint:
            peak[:] = peak.max()
        for channel in range(3):
            still = np.float32(128.5 if signed else 0)
            scale = np.float32((127 if signed else 255) / peak[channel]) if peak[channel] > 0 else np.float32(0)
            for p in range(pixels):
                value = motion_CP[channel, p] * scale
                if not signed:
                    value = max(value, np.float32(0))
                taylor_TPC[frame, p, channel] = np.uint8(value + still)


def make_taylor(rgb: Path, output: Path, scratch: Path, *, terms: int, window: int, signed: bool, scaling: str) -> None:
    """Write the Taylor videos of one rgb shard, in its order; a clip without frames there keeps its reason.

    The settings are as in ``taylor_video``.
    """
    check_settings(terms, window, scaling)
    frames = Shard(rgb)

    def produce(clip_ids: list[str]):
        title = f"taylor {output.parent.name}/{output.stem}"
        return each_clip(
            progress(clip_ids, title, total=len(clip_ids)),
            lambda clip_id: taylor_video(frames.read(clip_id), terms, window, signed, scaling),
        )

    build_shard(output, scratch, frames.clip_ids, produce, "jpeg")


def make(work: Work) -> None:
    """Run the stage; see ``make_taylor``."""
    make_taylor(work.source("rgb"), work.output, work.scratch, **work.settings["taylor"].model_dump())
