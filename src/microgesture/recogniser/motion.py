"""The amount of motion in a video, to distinguish rest from gestures."""

from collections.abc import Callable
from contextlib import suppress
from functools import partial

import cv2
import numpy as np

from ..errors import UnusableClip
from ..videos.reading import DECODER_MEMORY, decode, decoding_seconds
from .windows import Recording, isolated

SIZE = (160, 120)  # pixels; frames are compared at this size, which removes most of the camera's noise


def motion_of(recording: Recording, starts_N: np.ndarray, ends_N: np.ndarray) -> np.ndarray:
    """Compute the motion in windows, given by their first and last frames, (N,), in grey levels; see ``mean_change``.

    The video is decoded once, in a separate process. All values are NaN for a recording without a video.
    """
    changes_T = np.full(recording.n_frames, np.nan)
    if recording.video is not None:
        watch = partial(_watcher, recording.n_frames)
        with suppress(UnusableClip):
            changes_T = isolated(recording.video, watch, decoding_seconds(recording.n_frames), DECODER_MEMORY)
    return mean_change(changes_T, starts_N, ends_N, recording.times.starts_T * recording.times.rate)


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
