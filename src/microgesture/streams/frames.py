"""Sampling of frames: random in training, at fixed positions in testing."""

from collections.abc import Callable
from functools import lru_cache

import numpy as np

TEST_SEED = 255  # of pyskl's UniformSampleFrames


def uniform_frames(n_frames: int, length: int, generator: np.random.Generator) -> np.ndarray:
    """``length`` random frames spread over a clip, in order, int (length,) (PoseConv3D's UniformSampleFrames).

    A clip of at least 2 ``length`` frames is divided into ``length`` equal parts, with one random frame from each. In a
    clip of at least ``length`` frames, random frames are skipped. A shorter clip is repeated from a random start.
    """
    if n_frames < length:
        return (generator.integers(n_frames) + np.arange(length)) % n_frames
    return _spread(n_frames, length, generator.choice, generator.integers)


@lru_cache(maxsize=4096)
def uniform_views(n_frames: int, length: int, views: int) -> tuple[np.ndarray, ...]:
    """``views`` fixed samplings like ``uniform_frames``; some may be equal.

    They are those of testing in pyskl: drawn with one seed for every clip and every input. A clip shorter than
    ``length`` is repeated from starts that are evenly spaced, or from each of its frames in turn.
    """
    if n_frames < length:
        starts = np.arange(views) if n_frames < views else np.arange(views) * n_frames // views
        return tuple((start + np.arange(length)) % n_frames for start in starts)
    drawn, samplings = np.random.RandomState(TEST_SEED), []
    for _ in range(views):
        drawn.random_sample()  # pyskl draws here the part of the clip to use, which is always the whole
        samplings.append(_spread(n_frames, length, drawn.choice, drawn.randint))
    return tuple(samplings)


def _spread(n_frames: int, length: int, choice: Callable, integers: Callable) -> np.ndarray:
    """``length`` of at least as many frames; ``choice`` and ``integers`` are those of a generator of NumPy."""
    if n_frames < 2 * length:
        gaps = np.zeros(length + 1, int)
        gaps[choice(length + 1, n_frames - length, replace=False)] = 1
        return np.arange(length) + np.cumsum(gaps)[:-1]
    edges = np.arange(length + 1) * n_frames // length
    return edges[:-1] + integers(np.diff(edges))


def interval_frames(n_frames: int, length: int, interval: int, generator: np.random.Generator) -> np.ndarray:
    """``length`` frames, ``interval`` apart, from a random start, int (length,) (open-mmlab/mmaction2's SampleFrames).

    A clip shorter than ``length`` times ``interval`` is repeated from its first frame.
    """
    start = generator.integers(max(n_frames - length * interval, 0) + 1)
    return (start + interval * np.arange(length)) % n_frames


def interval_views(n_frames: int, length: int, interval: int, views: int) -> list[np.ndarray]:
    """``views`` samplings like ``interval_frames``, with starts evenly spaced over the clip; some may be equal.

    This is the testing of Video Swin (open-mmlab/mmaction2's SampleFrames). If the clip is not longer than one
    sampling, all are equal.
    """
    last = max(n_frames - (length - 1) * interval - 1, 0)
    starts = [last // 2] if views == 1 else np.linspace(0, last, views).round().astype(int)
    return [(start + interval * np.arange(length)) % n_frames for start in starts]
