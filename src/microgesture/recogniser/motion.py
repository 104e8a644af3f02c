"""The amount of motion in a video, to distinguish rest from gestures."""

from collections.abc import Callable
from contextlib import suppress
from functools import partial

import cv2
import numpy as np

from ..errors import UnusableClip
from ..videos.reading import DECODER_MEMORY, decode, decoding_seconds
from .windows import Recording, isolated

AROUND = 2  # frames before and after one, over which the median of changes is taken
SIZE = (160, 120)  # pixels; frames are compared at this size, which removes most of the camera's noise


def motion_of(recording: Recording, starts_N: np.ndarray, ends_N: np.ndarray) -> np.ndarray:
    """Compute the motion in windows, given by their first and last frames, (N,), in grey levels; see ``mean_change``.

    A cut or a flash is no motion, so it does not count (see ``without_cuts``). The video is decoded once, in a separate
    process. All values are NaN for a recording without a video, and from damage on.
    """
    changes_T = np.full(recording.n_frames, np.nan)
    if recording.video is not None:
        watch = partial(_watcher, recording.n_frames)
        with suppress(UnusableClip):
            changes_T = isolated(recording.video, watch, decoding_seconds(recording.n_frames), DECODER_MEMORY)
    return mean_change(without_cuts(changes_T), starts_N, ends_N, recording.times.starts_T * recording.times.rate)


def without_cuts(changes_T: np.ndarray) -> np.ndarray:
    """Replace each change by the median of those from two frames before to two frames after.

    One or two successive frames that differ from their neighbours, as at a cut or a flash, leave no trace. Motion of
    three frames or more stays. The first value, and all from the first later NaN on, stay as they are.
    """
    unknown = np.flatnonzero(np.isnan(changes_T[1:]))
    known = slice(1, 1 + int(unknown[0]) if len(unknown) else len(changes_T))
    robust_T = changes_T.copy()
    if len(changes_T[known]):
        padded_T = np.pad(changes_T[known], AROUND, mode="reflect" if len(changes_T[known]) > AROUND else "edge")
        robust_T[known] = np.median(np.lib.stride_tricks.sliding_window_view(padded_T, 2 * AROUND + 1), axis=1)
    return robust_T


def mean_change(changes_T: np.ndarray, starts_N: np.ndarray, ends_N: np.ndarray, times_T: np.ndarray) -> np.ndarray:
    """The change in a window per unit of ``times_T``; NaN if unknown or of a single frame.

    ``changes_T`` are the changes from the frame before, and ``times_T`` the times of the frames, for example in frames
    of the mean rate: motion has the same strength at any rate.
    """
    total_T = np.cumsum(np.r_[0.0, changes_T[1:]])
    steps_N = times_T[ends_N] - times_T[starts_N]
    return np.divide(total_T[ends_N] - total_T[starts_N], steps_N, out=np.full_like(steps_N, np.nan), where=steps_N > 0)


def _watcher(n_frames: int) -> Callable[[str], np.ndarray]:
    return lambda path: _changes(path, n_frames)


def _changes(path: str, n_frames: int) -> np.ndarray:
    """Compute the mean change of a pixel in each frame (T,), in grey levels; NaN in the first, and from damage on."""
    changes_T, before_HW = np.full(n_frames, np.nan), None
    try:
        for number, frame_HWC in enumerate(decode(path, 0, n_frames - 1)):
            grey_HW = cv2.resize(cv2.cvtColor(frame_HWC, cv2.COLOR_RGB2GRAY), SIZE, interpolation=cv2.INTER_AREA)
            grey_HW = grey_HW.astype(np.float32)
            if before_HW is not None:
                changes_T[number] = np.abs(grey_HW - before_HW).mean()
            before_HW = grey_HW
    except UnusableClip:
        pass  # the streams report it
    return changes_T
