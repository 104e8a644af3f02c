"""Gestures out of windows: which of the windows that overlap hold one, and which hold rest."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np


class Segment(NamedTuple):
    """A gesture in a recording: ``start`` and ``end`` are frames, from 0 and included; ``label`` indexes the classes.

    ``probability`` is that of the class, 0 to 1.
    """

    start: int
    end: int
    label: int
    probability: float


def find_segments(
    starts_N: np.ndarray, ends_N: np.ndarray, probabilities_NK: np.ndarray, threshold: float
) -> list[Segment]:
    """The windows without overlap that together have the most evidence, in order.

    The evidence of a window is the time that it explains, times what its likeliest class has above ``threshold``; one
    that has nothing above it is rest. So one window that shows a whole gesture beats two that show its halves, and a
    window that is sure beats its less sure neighbours. The best set is found exactly, in O(N log N), as the schedule of
    weighted intervals (Kleinberg and Tardos, Algorithm Design, 6.1); the measure of evidence is ours. Windows of NaN
    are rest.
    """
    peak_N = np.nan_to_num(probabilities_NK).max(1)
    evidence_N = (ends_N - starts_N + 1) * (peak_N - threshold)
    rows = np.flatnonzero(evidence_N > 0)
    rows = rows[np.lexsort((starts_N[rows], ends_N[rows]))]
    # How many of the windows before this one, in the order of their ends, are over when it starts.
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
    """The probabilities, NaN for windows with less than the share ``stillness`` of the motion of the liveliest ones.

    Those are the 95th percentile of ``motion_N``, of any unit and NaN where unknown. Networks that have only seen
    gestures call rest one, too, and are often sure of it. In a recording that is never still nothing is taken for rest.
    """
    known_N = np.isfinite(motion_N)
    least = stillness * np.quantile(motion_N[known_N], 0.95) if known_N.any() else 0.0
    return np.where((known_N & (motion_N < least))[:, None], np.nan, probabilities_NK)


def joined(segments: Sequence[Segment], gap: float) -> list[Segment]:
    """The segments in order, neighbours of one class at most ``gap`` frames apart made one.

    Its probability is their mean over time: longer ones count more.
    """
    whole: list[Segment] = []
    for one in segments:
        last = whole[-1] if whole else None
        if last is None or last.label != one.label or one.start - last.end - 1 > gap:
            whole.append(one)
            continue
        sizes = [segment.end - segment.start + 1 for segment in (last, one)]
        mean = float(np.average([last.probability, one.probability], weights=sizes))
        whole[-1] = Segment(last.start, one.end, one.label, mean)
    return whole
