"""Select gestures from overlapping windows, and separate them from rest."""

from collections.abc import Sequence
from itertools import groupby
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


def candidates(
    starts_N: np.ndarray, ends_N: np.ndarray, probabilities_NK: np.ndarray, threshold: float, overlap: bool = False
) -> list[Segment]:
    """The windows that may be gestures, in the order of their ends, starts and classes.

    Each window counts for its most probable class if that exceeds ``threshold``; with ``overlap``, for each class that
    does. Windows of NaN are rest.
    """
    known_NK = np.nan_to_num(probabilities_NK)
    if not overlap:
        best_N = known_NK.argmax(1)
        known_NK = np.where(np.arange(known_NK.shape[1]) == best_N[:, None], known_NK, 0)
    rows_M, labels_M = np.nonzero(known_NK > threshold)
    order_M = np.lexsort((labels_M, starts_N[rows_M], ends_N[rows_M]))
    rows_M, labels_M = rows_M[order_M], labels_M[order_M]
    columns = (starts_N[rows_M], ends_N[rows_M], labels_M, known_NK[rows_M, labels_M])
    return [Segment(*row) for row in zip(*(column.tolist() for column in columns), strict=True)]


def find_segments(
    found: Sequence[Segment], threshold: float, overlap: bool = False, join: tuple[float, FrameTimes] | None = None
) -> list[Segment]:
    """Select the ``candidates`` without overlap that have the largest total score, in order of time.

    The score of a candidate is its length times the amount by which its probability exceeds ``threshold``. So one
    window with a whole gesture is preferred to two with its halves, and a confident window to its less confident
    neighbours. The best set is found exactly, in O(N log N), by weighted interval scheduling (Kleinberg and Tardos,
    Algorithm Design, 6.1); the score is ours. With ``overlap``, only gestures of the same class exclude each other: the
    best set of each class is found by itself. ``join`` has the arguments ``gap`` and ``times`` of ``joined``.

    The page of a recording does the same in JavaScript, in ``selection.js``: keep both in step.
    """
    ordered = (
        sorted(found, key=lambda segment: segment.label) if overlap else found
    )  # stable: the order in a class stays
    sets = [list(of_one) for _, of_one in groupby(ordered, lambda segment: segment.label if overlap else None)]
    best = [_best_set(of_one, threshold) for of_one in sets]
    return sorted(segment for of_one in best for segment in (joined(of_one, *join) if join else of_one))


def _best_set(found: Sequence[Segment], threshold: float) -> list[Segment]:
    ends_N = [segment.end for segment in found]
    # The number of candidates before this one that end before it starts.
    before = np.searchsorted(ends_N, [segment.start for segment in found], side="left").tolist()
    best = [0.0]
    for place, segment in enumerate(found):
        evidence = (segment.end - segment.start + 1) * (segment.probability - threshold)
        best.append(max(best[place], best[before[place]] + evidence))
    chosen, place = [], len(found)
    while place:
        if best[place] > best[place - 1]:
            chosen.append(found[place - 1])
            place = before[place - 1]
        else:
            place -= 1
    return chosen[::-1]


def at_rest(motion_N: np.ndarray, stillness: float) -> np.ndarray:
    """Whether windows have so little motion that they are rest, bool (N,).

    The limit is ``stillness`` times the 95th percentile of ``motion_N``, which may be in any unit and is NaN where
    unknown. Networks that were trained on gestures only also predict a gesture for rest, often with high confidence. In
    a recording without rest, no window is below the limit.
    """
    known_N = np.isfinite(motion_N)
    least = stillness * np.quantile(motion_N[known_N], 0.95) if known_N.any() else 0.0
    return known_N & (motion_N < least)


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
        mean = (last.probability * sizes[0] + one.probability * sizes[1]) / sum(sizes)
        whole[-1] = Segment(last.start, one.end, one.label, mean)
    return whole
