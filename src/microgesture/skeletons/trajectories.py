"""The paths of joints through a recording: short gaps interpolated, and jitter smoothed."""

import numpy as np

from .keypoints import present

DEGREE = 2  # of the polynomials that smoothing fits
_CONFIDENCE = 2  # the channel of the confidence, which is not smoothed


def steady(keypoints_TVC: np.ndarray, fill_gaps: int, smoothing: int | None) -> np.ndarray:
    """Return keypoints (T, V, C) with gaps of up to ``fill_gaps`` frames filled, then smoothed in a window.

    See ``without_gaps`` and ``smoothed``; 0 fills nothing, and None does not smooth.
    """
    if fill_gaps:
        keypoints_TVC = without_gaps(keypoints_TVC, fill_gaps)
    return smoothed(keypoints_TVC, smoothing) if smoothing else keypoints_TVC


def without_gaps(keypoints_TVC: np.ndarray, longest: int) -> np.ndarray:
    """Return keypoints with short gaps filled, linearly in time.

    A joint is filled if it is missing in at most ``longest`` consecutive frames, and found before and after them. Its
    confidence is the lower of the two. A gap with a value that is not a number stays, because the file is damaged.
    """
    T = len(keypoints_TVC)
    found_TV = present(keypoints_TVC)
    frame_TV = np.broadcast_to(np.arange(T)[:, None], found_TV.shape)
    before_TV = np.maximum.accumulate(np.where(found_TV, frame_TV, -1), 0)
    after_TV = np.minimum.accumulate(np.where(found_TV, frame_TV, T)[::-1], 0)[::-1]
    t, v = np.nonzero(~found_TV & (before_TV >= 0) & (after_TV < T) & (after_TV - before_TV - 1 <= longest))
    first, last = before_TV[t, v], after_TV[t, v]
    damaged_TV = np.cumsum(~np.isfinite(keypoints_TVC).all(-1), 0)
    whole = damaged_TV[last, v] == damaged_TV[first, v]
    t, v, first, last = t[whole], v[whole], first[whole], last[whole]
    share_N1 = ((t - first) / (last - first))[:, None]
    one_NC, other_NC = keypoints_TVC[first, v], keypoints_TVC[last, v]
    filled_TVC = keypoints_TVC.astype(np.float32)
    filled_TVC[t, v] = (1 - share_N1) * one_NC + share_N1 * other_NC
    filled_TVC[t, v, _CONFIDENCE] = np.minimum(one_NC, other_NC)[:, _CONFIDENCE]
    return filled_TVC


def smoothed(keypoints_TVC: np.ndarray, window: int) -> np.ndarray:
    """Return keypoints whose positions are smoothed in time by the filter of Savitzky and Golay, of degree 2.

    A joint is smoothed in a frame if it is found in all frames of the ``window`` around it, an odd number; near the
    ends of the recording, in all of the first or the last window (Anal. Chem. 36:1627, 1964).
    """
    from scipy.ndimage import minimum_filter1d  # slow to import, and smoothing is rare
    from scipy.signal import savgol_filter

    T, half = len(keypoints_TVC), window // 2
    if window > T:
        return keypoints_TVC
    whole_TV = minimum_filter1d(present(keypoints_TVC).astype(np.uint8), window, axis=0) > 0
    whole_TV[:half], whole_TV[T - half :] = whole_TV[half], whole_TV[T - 1 - half]
    places = [channel for channel in range(keypoints_TVC.shape[-1]) if channel != _CONFIDENCE]
    places_TVD = keypoints_TVC[..., places].astype(np.float64)
    # Without values that are not numbers, which would reach joints that are found.
    fitted_TVD = savgol_filter(np.where(np.isfinite(places_TVD), places_TVD, 0), window, DEGREE, axis=0)
    smoothed_TVC = keypoints_TVC.astype(np.float32)
    smoothed_TVC[..., places] = np.where(whole_TV[..., None], fitted_TVD, places_TVD)
    return smoothed_TVC
