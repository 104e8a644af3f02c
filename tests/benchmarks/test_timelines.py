"""How the benchmark of timelines compares found gestures with true ones."""

import importlib.util
from pathlib import Path

import pytest

from microgesture.recogniser.segments import Segment

_SPEC = importlib.util.spec_from_file_location("timelines", Path(__file__).parents[2] / "benchmarks/timelines.py")
timelines = importlib.util.module_from_spec(_SPEC)
_SPEC.loader.exec_module(timelines)


def test_overlap_is_the_share_of_frames_in_both():
    assert timelines.overlap(Segment(0, 9, 0, 1), Segment(5, 14, 0, 1)) == pytest.approx(5 / 15)
    assert timelines.overlap(Segment(0, 9, 0, 1), Segment(0, 9, 0, 1)) == 1
    assert timelines.overlap(Segment(0, 3, 0, 1), Segment(4, 9, 0, 1)) == 0


def test_a_gesture_is_found_once_and_by_its_own_class():
    ground_truth = [Segment(0, 9, 0, 1), Segment(20, 29, 1, 1)]
    found = [Segment(0, 9, 0, 0.9), Segment(1, 9, 0, 0.8), Segment(20, 29, 0, 0.9)]
    assert timelines.count_found(found, ground_truth) == 1
    assert (
        timelines.count_found([Segment(20, 22, 1, 0.9)], ground_truth) == 0
    )  # three frames of ten are not more than 0.3


def test_the_best_overlap_is_paired_first():
    # The first found one meets both true ones, the second only the first, with less than the first has.
    ground_truth = [Segment(0, 9, 0, 1), Segment(10, 13, 0, 1)]
    found = [Segment(0, 13, 0, 0.9), Segment(0, 4, 0, 0.9)]
    assert [[round(timelines.overlap(a, b), 2) for b in ground_truth] for a in found] == [[0.71, 0.29], [0.5, 0]]
    assert timelines.count_found(found, ground_truth, least=0.2) == 1
