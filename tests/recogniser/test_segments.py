"""Segments out of windows: against every possible choice, and by hand."""

from itertools import combinations, pairwise

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from microgesture.recogniser.segments import Segment, at_rest, candidates, find_segments, joined
from microgesture.recogniser.timeline import write_timeline
from microgesture.videos.timestamps import FrameTimes

SPAN = st.tuples(st.integers(0, 20), st.integers(1, 8), st.integers(1, 99))


def select(starts_N, ends_N, probabilities_NK, threshold, overlap=False):
    return find_segments(candidates(starts_N, ends_N, probabilities_NK, threshold, overlap), threshold, overlap)


@given(st.lists(st.tuples(SPAN, st.integers(0, 2)), min_size=1, max_size=9), st.integers(0, 90))
def test_no_other_choice_of_windows_has_more_evidence(labelled_spans, percent):
    spans, labels_N = zip(*labelled_spans, strict=True)
    starts_N, sizes_N, peaks_N = map(np.array, zip(*spans, strict=True))
    ends_N, peak_N, threshold = starts_N + sizes_N - 1, peaks_N / 100, percent / 100
    probabilities_NK = np.eye(3)[list(labels_N)] * peak_N[:, None]

    def evidence(size, peak, threshold=threshold):
        return size * (peak - threshold)

    best = 0.0
    for count in range(len(spans) + 1):
        for chosen in combinations(range(len(spans)), count):
            ordered = sorted((starts_N[i], ends_N[i]) for i in chosen)
            if all(one[1] < other[0] for one, other in pairwise(ordered)):
                best = max(best, sum(evidence(sizes_N[i], peak_N[i]) for i in chosen))

    found = select(starts_N, ends_N, probabilities_NK, threshold)

    assert all(one.end < other.start for one, other in pairwise(found))
    assert all(segment.probability > threshold for segment in found)
    total = sum(evidence(segment.end - segment.start + 1, segment.probability) for segment in found)
    assert total == pytest.approx(best)


def test_windows_that_nothing_was_said_of_are_rest():
    found = select(np.array([0, 4]), np.array([3, 7]), np.array([[np.nan, np.nan], [0.2, 0.8]]), 0.5)
    assert found == [Segment(4, 7, 1, 0.8)]


def test_without_any_evidence_all_is_rest():
    assert select(np.array([0]), np.array([3]), np.array([[0.4, 0.3]]), 0.5) == []


@given(st.lists(SPAN, min_size=1, max_size=9), st.data())
def test_with_overlap_each_class_has_what_it_would_have_alone(spans, data):
    starts_N, sizes_N, _ = map(np.array, zip(*spans, strict=True))
    percent = st.lists(st.integers(0, 100), min_size=3, max_size=3)
    probabilities_NK = np.array([data.draw(percent) for _ in spans]) / 100
    found = select(starts_N, starts_N + sizes_N - 1, probabilities_NK, 0.3, overlap=True)
    for label in range(3):
        alone = select(starts_N, starts_N + sizes_N - 1, probabilities_NK[:, [label]], 0.3)
        assert [segment for segment in found if segment.label == label] == [one._replace(label=label) for one in alone]


def test_what_hardly_moves_is_rest_unless_nothing_is_still():
    motion_N = np.r_[np.full(30, 0.2), np.full(9, 1.0), np.nan]
    assert at_rest(motion_N, 0.25).tolist() == [True] * 30 + [False] * 10
    for never_still in (motion_N + 1, np.full(40, np.nan)):
        assert not at_rest(never_still, 0.25).any()
    assert not at_rest(motion_N, 0).any()
    for unit in (0.125, 64):  # in any unit
        assert (at_rest(unit * motion_N, 0.25) == at_rest(motion_N, 0.25)).all()
    assert not at_rest(np.r_[np.full(30, 0.25), np.full(10, 1.0)], 0.25).any()


def test_pieces_of_one_gesture_are_joined_across_short_gaps_alone():
    pieces = [Segment(0, 9, 1, 0.9), Segment(12, 31, 1, 0.6), Segment(40, 49, 1, 0.7), Segment(50, 59, 0, 0.7)]
    second = FrameTimes.constant(1, 60)  # a frame a second
    assert joined(pieces, 2, second) == [Segment(0, 31, 1, pytest.approx(0.7)), *pieces[2:]]
    assert joined(pieces, 1.9, second) == pieces
    assert [segment[:3] for segment in joined(pieces, 8, second)] == [(0, 49, 1), (50, 59, 0)]
    assert joined([], 5, second) == []


def test_what_is_found_is_joined_within_its_class():
    found = [Segment(0, 3, 0, 0.9), Segment(0, 9, 1, 0.9), Segment(6, 9, 0, 0.9), Segment(12, 15, 1, 0.9)]
    second = FrameTimes.constant(1, 16)
    whole = find_segments(found, 0.5, overlap=True, join=(2, second))
    assert [segment[:3] for segment in whole] == [(0, 9, 0), (0, 15, 1)]
    apart = find_segments(found, 0.5, overlap=False, join=(2, second))
    assert [segment[:3] for segment in apart] == [(0, 15, 1)]  # the two longest windows


def test_a_timeline_ends_with_the_last_frame(tmp_path):
    write_timeline(tmp_path / "talk.csv", [Segment(0, 24, 1, 0.123456)], ("wave", "nod"), FrameTimes.constant(25, 25))
    table = pd.read_csv(tmp_path / "talk.csv")
    assert table.iloc[0].tolist() == [0.0, 1.0, 0, 24, "nod", 0.1235]
