"""Sampling of frames: random in training, at fixed positions in testing."""

import numpy as np


def uniform_frames(n_frames: int, length: int, generator: np.random.Generator) -> np.ndarray:
    """``length`` random frames spread over a clip, in order, int (length,) (PoseConv3D's UniformSampleFrames).

    A clip of at least 2 ``length`` frames is divided into ``length`` equal parts, with one random frame from each. In a
    clip of at least ``length`` frames, random frames are skipped. A shorter clip is repeated from a random start.
    """
    steps = np.arange(length)
    if n_frames < length:
        return (generator.integers(n_frames) + steps) % n_frames
    if n_frames < 2 * length:
        gaps = np.zeros(length + 1, int)
        gaps[generator.choice(length + 1, n_frames - length, replace=False)] = 1
        return steps + np.cumsum(gaps)[:-1]
    edges = np.arange(length + 1) * n_frames // length
    return edges[:-1] + generator.integers(np.diff(edges))


def uniform_views(n_frames: int, length: int, views: int) -> list[np.ndarray]:
    """``views`` fixed samplings like ``uniform_frames``, at evenly spaced phases; some may be equal."""
    phases = (np.arange(views) + 0.5) / views
    steps = np.arange(length)
    if n_frames < length:
        return [(int(phase * n_frames) + steps) % n_frames for phase in phases]
    return [((steps + phase) * n_frames / length).astype(int) for phase in phases]


def interval_frames(n_frames: int, length: int, interval: int, generator: np.random.Generator) -> np.ndarray:
    """``length`` frames, ``interval`` apart, from a random start, int (length,); a short clip is repeated."""
    start = generator.integers(max(n_frames - _span(length, interval), 0) + 1)
    return (start + interval * np.arange(length)) % n_frames


def interval_views(n_frames: int, length: int, interval: int, views: int) -> list[np.ndarray]:
    """``views`` samplings like ``interval_frames``, with starts evenly spaced over the clip; some may be equal.

    This is the testing of Video Swin (open-mmlab/mmaction2's SampleFrames). If the clip is not longer than one
    sampling, all are equal.
    """
    last = max(n_frames - _span(length, interval), 0)
    starts = [last // 2] if views == 1 else np.linspace(0, last, views).round().astype(int)
    return [(start + interval * np.arange(length)) % n_frames for start in starts]


def _span(length: int, interval: int) -> int:
    return (length - 1) * interval + 1
