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
from ..shards import Shard, build_shard, each_clip

SCALINGS = ("joint", "channel")


def taylor_video(
    frames_THWC: np.ndarray, terms: int = 3, window: int = 6, signed: bool = False, scaling: str = "joint"
) -> np.ndarray:
    """The Taylor video of RGB frames uint8 (T, H, W, 3): uint8 (T, H, W, 3), displacement, velocity, acceleration.

    Frame i describes the ``window`` frames that start at i; where they run past the end the last frame is repeated, so
    frame i is the same instant in both videos. ``terms`` is K above. Values are divided by their largest magnitude in
    the frame, over the three channels together (``scaling`` "joint") or each by its own ("channel").
    Negative values become 0 as in the authors' video; ``signed`` keeps them, no motion being 128. Without motion a
    frame is 0 (signed: 128) throughout. Raises ``InputError`` if the settings make no Taylor video.
    """
    check_settings(terms, window, scaling)
    gray_THW = np.stack([cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY) for frame in frames_THWC])
    taylor_THWC = np.empty((*gray_THW.shape, 3), np.uint8)
    _taylor(gray_THW, terms, window, signed, scaling == "joint", taylor_THWC)
    return taylor_THWC


def check_settings(terms: int, window: int, scaling: str) -> None:
    """Raise ``InputError`` unless K = ``terms`` has the differences that it needs and ``scaling`` exists."""
    if terms < 1:
        raise InputError(f"taylor.terms is {terms}: at least 1 is needed")
    if window < terms + 3:
        raise InputError(f"taylor.window is {window}: {terms} terms take differences over {terms + 3} frames or more")
    if scaling not in SCALINGS:
        raise InputError(f"taylor.scaling is '{scaling}': choose one of {', '.join(SCALINGS)}")


# Row by row, so that a row's window stays in the processor's first cache, and with the columns innermost, so that every
# step is a vector instruction. Called with this one signature only: several processes may fill the cache at once, which
# is safe while none of them can add a second signature to the same cache file.
@numba.njit(cache=True, nogil=True, fastmath=True)
def _taylor(gray_THW, terms, window, signed, joint, taylor_THWC):  # pragma: no cover (compiled)
    frames, height, width = gray_THW.shape
    orders = terms + 2
    values = np.empty((window, width), np.float32)
    delta = np.empty(width, np.float32)
    power = np.empty(width, np.float32)
    means = np.empty((terms, width), np.float32)  # of (F_tau - F_1)^k / k! over the window
    motion_CHW = np.empty((3, height, width), np.float32)
    peak = np.empty(3, np.float32)
    share = np.float32(1 / window)
    for frame in range(frames):
        peak[:] = 0
        for y in range(height):
            for tau in range(window):
                source = min(frame + tau, frames - 1)
                for x in range(width):
                    values[tau, x] = np.float32(gray_THW[source, y, x]) * np.float32(1 / 255)
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
            motion_CHW[:, y] = 0
            for order in range(1, orders + 1):
                for tau in range(orders + 1 - order):
                    for x in range(width):
                        values[tau, x] = values[tau + 1, x] - values[tau, x]
                for channel in range(max(0, order - terms), min(3, order)):
                    for x in range(width):
                        motion_CHW[channel, y, x] += values[0, x] * means[order - 1 - channel, x]
            for channel in range(3):
                highest = peak[channel]
                for x in range(width):
                    value = motion_CHW[channel, y, x]
                    highest = max(highest, abs(value) if signed else value)
                peak[channel] = highest
        if joint:
            peak[:] = peak.max()
        for channel in range(3):
            still = np.float32(128.5 if signed else 0)
            scale = np.float32((127 if signed else 255) / peak[channel]) if peak[channel] > 0 else np.float32(0)
            for y in range(height):
                for x in range(width):
                    value = motion_CHW[channel, y, x] * scale
                    if not signed:
                        value = max(value, np.float32(0))
                    taylor_THWC[frame, y, x, channel] = np.uint8(value + still)


def make_taylor(rgb: Path, output: Path, scratch: Path, *, terms: int, window: int, signed: bool, scaling: str) -> None:
    """Write the Taylor videos of one rgb shard, in its order; a clip without frames there is passed on with its reason.

    Settings as in ``taylor_video``.
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
