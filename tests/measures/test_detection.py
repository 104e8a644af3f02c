"""Measures of found gestures: hand cases, and every possible pairing."""

from itertools import permutations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import cohen_kappa_score

from microgesture.measures.detection import Gesture, detect, detection_table, frame_kappa, temporal_overlap


def gesture(start, end, label="nod", recording="talk"):
    return Gesture(recording, label, start, end)


@pytest.mark.parametrize(
    ("one", "other", "overlap"), [((0, 10), (0, 10), 1), ((0, 10), (5, 15), 1 / 3), ((0, 4), (6, 10), -0.2)]
)
def test_the_overlap_is_that_of_the_organisers(one, other, overlap):
    assert temporal_overlap(gesture(*one), gesture(*other)) == pytest.approx(overlap)


def test_one_gesture_that_hits_two_counts_once_but_twice_by_the_organisers_rule():
    counts = detect([gesture(0, 10)], [gesture(0, 5), gesture(5, 10), gesture(20, 30)])
    assert counts == (1, 3, 1, 2)
    assert counts.scores() == pytest.approx((1, 1 / 3, 1 / 2))
    assert counts.scores(counts.true_hit) == pytest.approx((2, 2 / 3, 1))


def test_an_overlap_of_exactly_the_least_and_another_class_or_recording_are_no_hits():
    assert detect([gesture(0, 13)], [gesture(7, 20)], least=0.3).hits == 0  # 6 / 20
    assert detect([gesture(0, 13)], [gesture(6.9, 20)], least=0.3).hits == 1
    assert detect([gesture(0, 9)], [gesture(0, 9, "wave"), gesture(0, 9, recording="other")]).hits == 0
    assert np.isnan(detect([], []).scores()).all()


SPANS = st.lists(st.tuples(st.integers(0, 8), st.integers(1, 6), st.sampled_from("ab")), max_size=5)


@given(SPANS, SPANS)
def test_no_pairing_has_more_hits(found, true):
    found, true = ([gesture(start, start + size, label) for start, size, label in spans] for spans in (found, true))
    few, many = sorted((found, true), key=len)

    def is_hit(one, other):
        return one.label == other.label and temporal_overlap(one, other) > 0.3

    best = max(sum(map(is_hit, few, order)) for order in permutations(many, len(few)))
    counts = detect(found, true)
    assert counts.hits == best
    assert counts.true_hit == sum(any(is_hit(one, other) for one in found) for other in true)


@given(SPANS, SPANS)
def test_kappa_is_that_of_the_moments(found, true):
    marks = np.zeros((2, 15), bool)
    found, true = ([gesture(start, start + size) for start, size, _ in spans] for spans in (found, true))
    for row, gestures in zip(marks, (found, true), strict=True):
        for one in gestures:
            row[one.start : one.end] = True
    expected = cohen_kappa_score(*marks, labels=[False, True])
    np.testing.assert_allclose(frame_kappa(found, true, 15, 1), expected, atol=1e-12)


def test_the_table_has_a_row_for_all_for_each_class_and_for_each_person():
    true = [gesture(0, 1), gesture(2, 3, "wave"), gesture(0, 1, recording="walk"), gesture(0, 1, recording="nowhere")]
    found = [gesture(0, 1), gesture(2, 3, "wave"), gesture(5, 6, recording="walk")]
    table = detection_table(found, true, {"talk": 10.0, "walk": 10.0}, {"talk": "ann", "walk": "bob"})
    rows = table.set_index(["of", "name"])
    assert [*rows.index] == [("all", ""), ("class", "nod"), ("class", "wave"), ("person", "ann"), ("person", "bob")]
    assert rows.loc[("all", ""), ["found", "true", "hits"]].tolist() == [3, 3, 2]
    assert rows.loc[("class", "nod"), ["found", "true", "hits"]].tolist() == [2, 2, 1]
    assert rows.f1.tolist() == pytest.approx([2 / 3, 0.5, 1, 1, 0], abs=1e-4)
    assert rows.kappa[("person", "ann")] == 1
    assert rows.kappa[("person", "bob")] < 0


def test_the_table_tells_hits_one_to_one_and_by_the_organisers_rule():
    found, true = [gesture(0, 10)], [gesture(0, 5), gesture(5, 10), gesture(20, 30)]
    first = detection_table(found, true, {"talk": 40.0}, {}).iloc[0].to_dict()
    kappa = first.pop("kappa")
    assert first == {
        **{"of": "all", "name": "", "found": 1, "true": 3, "hits": 1, "precision": 1, "recall": 0.3333, "f1": 0.5},
        **{"miga_precision": 2, "miga_recall": 0.6667, "miga_f1": 1},
    }
    assert kappa == pytest.approx(0.5)  # 3 of 4 moments agree, 1 of 2 by chance
