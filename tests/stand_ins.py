"""Networks whose results can be told by hand, in a module of their own quick to import in other processes."""

import os
import signal

import numpy as np
import torch

KILLER, GREEDY = 250, 251  # the red of a clip's first pixel


def suffer(frames_THWC: np.ndarray, size: int, room: int) -> None:
    """Play a GPU that holds ``room`` of what ``size`` counts; some clips end the process or do not even fit alone."""
    if frames_THWC[0, 0, 0, 0] == KILLER:
        os.kill(os.getpid(), signal.SIGKILL)
    if size > room or frames_THWC[0, 0, 0, 0] == GREEDY:
        raise torch.cuda.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.\nSee the documentation")


class Differences:
    """A flow network: u and v are the changes of red and green. It notes how many frames it got at a time."""

    pairs = 16
    room = 1000

    def __init__(self, model: str, weights: str, precision: str, device: str, threads: int) -> None:
        self.calls: list[tuple[int, bool]] = []

    def __call__(self, frames_THWC: np.ndarray, first: bool) -> np.ndarray:
        self.calls.append((len(frames_THWC), first))
        suffer(frames_THWC, len(frames_THWC) - 1, self.room)
        return differences(frames_THWC)


class SmallDifferences(Differences):
    """On a small GPU."""

    room = 5


def differences(frames_THWC: np.ndarray) -> np.ndarray:
    return np.diff(frames_THWC[..., :2].astype(np.float32), axis=0)


class Brightness:
    """A depth network: nearness is the green of a pixel, on a scale that each frame's first blue says."""

    frames = 8
    room = 1000

    def __init__(self, model: str, precision: str, device: str, threads: int) -> None:
        self.calls: list[int] = []

    def __call__(self, frames_THWC: np.ndarray) -> np.ndarray:
        self.calls.append(len(frames_THWC))
        suffer(frames_THWC, len(frames_THWC), self.room)
        scale_T11 = 1 + frames_THWC[:, :1, :1, 2] / 100
        return (frames_THWC[..., 1] * scale_T11 - scale_T11).astype(np.float32)


class SmallBrightness(Brightness):
    """On a small GPU."""

    room = 3
