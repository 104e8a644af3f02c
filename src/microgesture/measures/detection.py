"""Measures of gestures found in recordings, compared with those that people have annotated."""

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy.sparse import csr_matrix
from scipy.sparse.csgraph import maximum_bipartite_matching

STEP = 0.04  # seconds between the moments at which kappa compares
LEAST = 0.3  # temporal overlap that a hit must exceed, as in the MiGA challenge


class Gesture(NamedTuple):
    """A gesture in a recording, in seconds; the end is not included."""

    recording: str
    label: str
    start: float
    end: float


class Detection(NamedTuple):
    """Counts of gestures: found, true, and hits.

    ``hits`` are pairs of a found and a true gesture, each in at most one pair; as many as possible. ``true_hit`` are
    the true gestures that any found one hits, as the organisers of MiGA count them.
    """

    found: int
    true: int
    hits: int
    true_hit: int

    def scores(self, hits: int | None = None) -> tuple[float, float, float]:
        """Precision, recall and F1, each NaN where nothing was found or nothing is true; default: of one-to-one hits.

        With ``true_hit`` as ``hits`` they are those of the organisers, whose precision can exceed 1.
        """
        hits = self.hits if hits is None else hits
        precision = hits / self.found if self.found else np.nan
        recall = hits / self.true if self.true else np.nan
        return precision, recall, 2 * hits / (self.found + self.true) if self.found + self.true else np.nan


def temporal_overlap(one: Gesture, other: Gesture) -> float:
    """The time of both divided by the time from the first start to the last end; negative if they are apart.

    This is the rule of the MiGA organisers (mikecheninoulu/SMG). Where both overlap, it is the intersection over union.
    """
    whole = max(one.end, other.end) - min(one.start, other.start)
    return (min(one.end, other.end) - max(one.start, other.start)) / whole if whole > 0 else 0.0


def detect(found: Sequence[Gesture], true: Sequence[Gesture], least: float = LEAST) -> Detection:
    """Count hits: a found and a true gesture of one recording and class that overlap by more than ``least``."""
    rows, columns = [], []
    places: dict[tuple[str, str], list[int]] = {}
    for column, one in enumerate(true):
        places.setdefault((one.recording, one.label), []).append(column)
    for row, one in enumerate(found):
        for column in places.get((one.recording, one.label), ()):
            if temporal_overlap(one, true[column]) > least:
                rows.append(row)
                columns.append(column)
    if not rows:
        return Detection(len(found), len(true), 0, 0)
    graph = csr_matrix((np.ones(len(rows), bool), (rows, columns)), (len(found), len(true)))
    matched = maximum_bipartite_matching(graph, perm_type="column")
    return Detection(len(found), len(true), int((matched >= 0).sum()), len(set(columns)))


def frame_kappa(found: Iterable[Gesture], true: Iterable[Gesture], seconds: float, step: float) -> float:
    """Cohen's kappa of one class over moments at equal steps: does each moment show it (Cohen, 1960).

    ``seconds`` is the length of the recordings together, whose gestures must have been moved onto one time axis. NaN if
    both say the same of all moments.
    """
    n = max(round(seconds / step), 1)
    marks = np.zeros((2, n), bool)
    for row, gestures in zip(marks, (found, true), strict=True):
        for one in gestures:
            row[round(one.start / step) : round(one.end / step)] = True
    agreed = float((marks[0] == marks[1]).mean())
    shares = marks.mean(1)
    expected = float(shares.prod() + (1 - shares).prod())
    return (agreed - expected) / (1 - expected) if expected < 1 else np.nan


def detection_table(
    found: Sequence[Gesture], true: Sequence[Gesture], lengths: Mapping[str, float], people: Mapping[str, str]
) -> pd.DataFrame:
    """The measures over all recordings, and of each class and each person, one row each.

    ``lengths`` are those of the recordings in seconds, ``people`` who is in each; gestures of other recordings are not
    counted. Kappa over several classes is that of each class on a time axis of its own.
    """
    found, true = ([one for one in gestures if one.recording in lengths] for gestures in (found, true))
    labels = sorted({one.label for one in (*found, *true)})
    groups = [("all", "", labels, list(lengths))]
    groups += [("class", label, [label], list(lengths)) for label in labels]
    for person in sorted(set(people.values())):
        groups.append(("person", person, labels, [name for name in lengths if people.get(name) == person]))
    rows = []
    for of, name, own_labels, recordings in groups:
        own_lengths = {name: lengths[name] for name in recordings}
        one, other = (
            [each for each in gestures if each.label in own_labels and each.recording in own_lengths]
            for gestures in (found, true)
        )
        counts = detect(one, other)
        kappa = _kappa(one, other, own_labels, own_lengths)
        of_organisers = counts.scores(counts.true_hit)
        rows.append((of, name, *counts[:3], *counts.scores(), *of_organisers, kappa))
    columns = ["of", "name", "found", "true", "hits", "precision", "recall", "f1"]
    columns += ["miga_precision", "miga_recall", "miga_f1", "kappa"]
    return pd.DataFrame(rows, columns=columns).round(4)


def _kappa(
    found: Sequence[Gesture], true: Sequence[Gesture], labels: Sequence[str], lengths: Mapping[str, float]
) -> float:
    """Kappa of the gestures of all labels and recordings, one after the other on one time axis."""
    begins, total = {}, 0.0
    for label in labels:
        for name, seconds in lengths.items():
            begins[name, label] = total
            total += -(-seconds // STEP) * STEP
    moved = []
    for gestures in (found, true):
        shifted = [(one, begins[one.recording, one.label]) for one in gestures]
        moved.append([one._replace(start=begin + one.start, end=begin + one.end) for one, begin in shifted])
    return frame_kappa(*moved, total, STEP) if total else np.nan
