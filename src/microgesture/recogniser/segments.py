"""Select gestures from overlapping windows, and separate them from rest."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from ..videos.timestamps import FrameTimes

ROUNDING = 1e-6  # seconds


class Segment(NamedTuple):
    """A gesture in a recording: ``start`` and ``end`` are its first and last frame, from 0; ``label`` is its class.

    ``label`` is an index into the classes, and ``probability`` is that of the class, 0 to 1.
    """

    start: int
    end: int
    label: int
    probability: float


def find_segments(
    starts_N: np.ndarray, ends_N: np.ndarray, probabilities_NK: np.ndarray, threshold: float
) -> list[Segment]:
    """Select the windows without overlap that have the largest total score, in order of time.

    The score of a window is its length times the amount by which its highest probability exceeds ``threshold``; a
    window below the threshold is rest. So one window with a whole gesture is preferred to two with its halves, and a
    confident window to its less confident neighbours. The best set is found exactly, in O(N log N), by weighted
    interval scheduling (Kleinberg and Tardos, Algorithm Design, 6.1); the score is ours. Windows of NaN are rest.
    """
    peak_N = np.nan_to_num(probabilities_NK).max(1)
    evidence_N = (ends_N - starts_N + 1) * (peak_N - threshold)
    rows = np.flatnonzero(evidence_N > 0)
    rows = rows[np.lexsort((starts_N[rows], ends_N[rows]))]
    # The number of windows before this one, in the order of their ends, that end before it starts.
    before = np.searchsorted(ends_N[rows], starts_N[rows], side="left")
    best = np.zeros(len(rows) + 1)
    for place, row in enumerate(rows):
        best[place + 1] = max(best[place], best[before[place]] + evidence_N[row])
    chosen, place = [], len(rows)
    while place:
        if best[place] > best[place - 1]:
            chosen.append(rows[place - 1])
            place = before[place - 1]
        else:
            place -= 1
    return [
        Segment(int(starts_N[row]), int(ends_N[row]), int(probabilities_NK[row].argmax()), float(peak_N[row]))
        for row in reversed(chosen)
    ]


def without_rest(probabilities_NK: np.ndarray, motion_N: np.ndarray, stillness: float) -> np.ndarray:
    """Set the probabilities of windows with little motion to NaN.

    The limit is ``stillness`` times the 95th percentile of ``motion_N``, which may be in any unit and is NaN where
    unknown. Networks that were trained on gestures only also predict a gesture for rest, often with high confidence. In
    a recording without rest, no window is below the limit.
    """
    known_N = np.isfinite(motion_N)
    least = stillness * np.quantile(motion_N[known_N], 0.95) if known_N.any() else 0.0
    return np.where((known_N & (motion_N < least))[:, None], np.nan, probabilities_NK)


def joined(segments: Sequence[Segment], gap: float, times: FrameTimes) -> list[Segment]:
    """Merge consecutive segments of the same class that are at most ``gap`` seconds apart.

    The probability of the result is the mean of theirs, weighted by their lengths.
    """
    whole: list[Segment] = []
    for one in segments:
        last = whole[-1] if whole else None
        apart = times.starts_T[one.start] - times.ends_T[last.end] if last else 0.0
        if last is None or last.label != one.label or apart > gap + ROUNDING:
            whole.append(one)
            continue
        sizes = [segment.end - segment.start + 1 for segment in (last, one)]
        mean = float(np.average([last.probability, one.probability], weights=sizes))
        whole[-1] = Segment(last.start, one.end, one.label, mean)
    return whole
