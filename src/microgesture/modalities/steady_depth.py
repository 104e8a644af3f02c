"""Align the depth of single frames over time.

A network that estimates depth frame by frame does so only up to a scale and a shift, which differ from frame to frame,
so the depth flickers. Here every frame is fitted to the scale and shift of its neighbours by least squares, in
overlapping windows as in Video Depth Anything (arXiv 2501.12375: 32 frames, 10 of them shared).
"""

from collections.abc import Iterable, Iterator
from itertools import islice

import numpy as np

WINDOW, OVERLAP = 32, 10  # frames
# Moving parts of the scene must not affect the fit of the rest. So the 20 % of the pixels with the largest errors are
# left out, as in MiDaS's trimmed loss (Ranftl et al., 2022). These pixels, and the median of the window, are updated in
# a few rounds.
KEPT, ROUNDS, PASSES = 0.8, 4, 2
THIN = np.s_[..., ::2, ::2]  # depth is smooth, so every second pixel in each direction is enough


def steady(maps: Iterable[np.ndarray], window: int = WINDOW, overlap: int = OVERLAP) -> Iterator[np.ndarray]:
    """Bring the depth maps float32 (h, w) of a clip, one for each frame, to one common scale and shift.

    Within a window each frame is fitted to the median of the window's frames. Each window is fitted to the one before
    on the ``overlap`` frames that they share, and blended with it linearly over these frames. The output for a static
    scene is the same in every frame, whatever the scale and shift of the input. Memory depends on the length of the
    window, not of the clip.
    """
    maps = iter(maps)
    shared: list[np.ndarray] = []  # the last input maps of the previous window
    before_OHW = None  # the same maps after the fit
    while fresh := list(islice(maps, window - len(shared))):
        window_THW = on_one_scale(np.stack([*shared, *fresh]))
        if before_OHW is not None:
            window_THW = joined(before_OHW, window_THW)
        yield from window_THW[:-overlap]
        shared, before_OHW = [*shared, *fresh][-overlap:], window_THW[-overlap:]
    if before_OHW is not None:
        yield from before_OHW


def on_one_scale(maps_THW: np.ndarray) -> np.ndarray:
    """Fit each map of a window to the median of all; at the start each has mean 0 and standard deviation 1.

    All maps are fitted to the same target, not each to the one before: a least-squares scale is slightly too small
    whenever the frames differ, and this error would accumulate from frame to frame.
    """
    thin_THW = maps_THW[THIN].astype(np.float64)
    deviation_T = thin_THW.std((1, 2))
    scale_T = 1 / np.where(deviation_T > 0, deviation_T, 1)
    shift_T = -thin_THW.mean((1, 2)) * scale_T
    for _ in range(PASSES):
        placed_THW = _placed(thin_THW, scale_T, shift_T)
        median_HW = np.median(placed_THW, axis=0)
        more_T, shifted_T = np.transpose([scale_and_shift(map_HW, median_HW) for map_HW in placed_THW])
        scale_T, shift_T = scale_T * more_T, shift_T * more_T + shifted_T
    return _placed(maps_THW, scale_T.astype(np.float32), shift_T.astype(np.float32))


def _placed(maps_THW: np.ndarray, scale_T: np.ndarray, shift_T: np.ndarray) -> np.ndarray:
    return maps_THW * scale_T[:, None, None] + shift_T[:, None, None]


def joined(before_OHW: np.ndarray, window_THW: np.ndarray) -> np.ndarray:
    """Fit a window to the previous one, whose last frames ``before_OHW`` are the first of this window, and blend them.

    The first of the shared frames is as in the previous window, the last as in this one.
    """
    overlap = len(before_OHW)
    scale, shift = scale_and_shift(window_THW[:overlap][THIN], before_OHW[THIN])
    window_THW = window_THW * np.float32(scale) + np.float32(shift)
    share_O11 = np.linspace(0, 1, overlap, dtype=np.float32)[:, None, None]
    window_THW[:overlap] = (1 - share_O11) * before_OHW + share_O11 * window_THW[:overlap]
    return window_THW


def scale_and_shift(source: np.ndarray, target: np.ndarray) -> tuple[float, float]:
    """Fit ``source`` to ``target`` by least squares over the best-fitting pixels; return the scale and the shift.

    They are 1 and 0 if the best scale is not positive, which would exchange near and far.
    """
    x, y = source.ravel().astype(np.float64), target.ravel().astype(np.float64)
    scale, shift = _least_squares(x, y)
    for _ in range(ROUNDS):
        error = np.abs(scale * x + shift - y)
        fitting = error <= np.quantile(error, KEPT)
        scale, shift = _least_squares(x[fitting], y[fitting])
    return (scale, shift) if scale > 0 else (1.0, 0.0)


def _least_squares(x: np.ndarray, y: np.ndarray) -> tuple[float, float]:
    from_mean = x - x.mean()
    square = from_mean @ from_mean
    scale = float(from_mean @ y / square) if square > 0 else 0.0
    return scale, float(y.mean() - scale * x.mean())
