"""Temperatures, grids of weights, and what calibration and stacking do to made-up streams."""

import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import softmax

from fixtures.made_up_scores import as_scores, made_up_stream
from microgesture.ensembles.calibration import fit_pool_temperature, fit_temperature
from microgesture.ensembles.fusion import Fitting, fit_fusion, fuse, stack, stacked
from microgesture.ensembles.rules.grid import grid_weights
from microgesture.measures.metrics import expected_calibration_error, measure


def test_calibration_error_by_hand():
    # Two clips are said to be 0.9 sure and one of them is right; two 0.6 sure and both right: (0.8 + 0.8) / 4.
    probabilities_NK = np.array([[0.9, 0.1], [0.9, 0.1], [0.6, 0.4], [0.4, 0.6]])
    error = expected_calibration_error(probabilities_NK, np.array([0, 1, 0, 1]))
    assert error == pytest.approx((abs(1 - 1.8) + abs(2 - 1.2)) / 4)
    assert expected_calibration_error(np.eye(3), np.arange(3)) == 0
    assert expected_calibration_error(np.eye(3), (np.arange(3) + 1) % 3) == 1


@pytest.mark.parametrize("seed", range(5))
def test_calibration_halves_the_error_of_an_overconfident_stream(seed):
    logits_NK, labels_N = made_up_stream(seed, clips=600, skill=1.5)
    before, after = (
        expected_calibration_error(softmax(5 * logits_NK / temperature, 1), labels_N)
        for temperature in (1, fit_temperature(5 * logits_NK, labels_N))
    )
    assert after < before / 2


@pytest.mark.parametrize("fit", [fit_temperature, lambda *given: fit_pool_temperature(softmax(given[0], 1), given[1])])
def test_a_temperature_lies_between_a_twentieth_and_twenty(fit):
    labels_N = np.arange(1000) % 2
    right_NK = np.where(np.eye(2)[labels_N] > 0, 0.01, 0.0)
    assert fit(right_NK, labels_N) == pytest.approx(0.05, rel=1e-3)  # too little confidence
    assert fit(3000 * right_NK, (labels_N + np.arange(1000) // 2) % 2) == pytest.approx(20, rel=1e-3)  # too much


def test_what_is_calibrated_stays_exactly_as_it_is():
    """Three of four are right at 0.75; and with two clips, the target of Platt scaling is 0.75."""
    logits_NK = np.log(np.tile([0.75, 0.25], (4, 1)))
    assert fit_temperature(logits_NK, np.array([0, 0, 0, 1])) == 1
    assert fit_pool_temperature(np.exp(logits_NK[:2]), np.array([0, 0])) == 1


def test_where_no_temperature_is_better_than_another_it_is_one():
    labels_N = np.array([0, 1, 2, 0])
    assert fit_temperature(np.full((4, 3), 2.0), labels_N) == 1
    assert fit_pool_temperature(np.full((4, 3), 1 / 3), labels_N) == 1


def test_a_fixed_temperature_is_the_same_for_all_streams_and_needs_no_labels():
    logits_SNK = np.array([made_up_stream(seed)[0] for seed in (0, 1)])
    labels_N = made_up_stream(0)[1]
    assert fit_fusion(logits_SNK, labels_N, Fitting("search", 2.5)).temperatures_S.tolist() == [2.5, 2.5]
    assert fit_fusion(logits_SNK[:, :0], labels_N[:0], Fitting("search", 2.5)).temperatures_S.tolist() == [2.5, 2.5]
    assert fit_fusion(logits_SNK, labels_N, Fitting("search", False)).temperatures_S.tolist() == [1, 1]


def test_a_stream_scaled_by_ten_changes_nothing_after_calibration():
    logits_SNK = np.array([made_up_stream(seed, skill=1.0)[0] for seed in (0, 1)])
    labels_N, scales_S11 = made_up_stream(0)[1], np.array([10.0, 1.0])[:, None, None]
    plain, scaled = (
        fit_fusion(log_probabilities, labels_N, Fitting("search"))
        for log_probabilities in (logits_SNK, scales_S11 * logits_SNK)
    )
    np.testing.assert_allclose(fuse(scales_S11 * logits_SNK, scaled), fuse(logits_SNK, plain), atol=2e-3)


@pytest.mark.parametrize(("streams", "steps"), [(2, 20), (4, 20), (6, 10), (7, 5)])
def test_the_grid_is_as_fine_as_its_number_of_points_allows(streams, steps):
    made = [[made_up_stream(seed + 100 * s, clips=40, skill=0.8)[0] for s in range(streams)] for seed in range(6)]
    found = [grid_weights(softmax(logits_SNK, 2), made_up_stream(0, clips=40)[1]) for logits_SNK in made]
    places = steps * np.array(found)
    np.testing.assert_allclose(places, places.round(), atol=1e-9)
    assert (places.round() % 2 == 1).any()  # no coarser grid has them all


def test_of_very_many_streams_the_best_one_or_two_are_found():
    labels_N = np.array([0, 0, 1, 1])
    probabilities_SNK = np.full((100, 4, 2), 0.5)
    probabilities_SNK[7] = np.eye(2)[labels_N] * 0.8 + 0.1
    weights_S = grid_weights(probabilities_SNK, labels_N)
    assert weights_S.tolist() == [float(stream == 7) for stream in range(100)]


@given(st.integers(0, 10_000), st.lists(st.floats(-0.5, 3), min_size=1, max_size=9))
@settings(max_examples=15, deadline=None)
def test_a_grid_s_weights_are_on_the_simplex_and_no_corner_beats_them(seed, skills):
    streams = [made_up_stream(seed + number, clips=24, skill=skill) for number, skill in enumerate(skills)]
    labels_N = streams[0][1]
    probabilities_SNK = np.array([softmax(logits_NK, 1) for logits_NK, _ in streams])
    weights_S = grid_weights(probabilities_SNK, labels_N)
    assert weights_S.min() >= 0
    assert weights_S.sum() == pytest.approx(1)
    right = np.mean(np.tensordot(weights_S, probabilities_SNK, 1).argmax(1) == labels_N)
    assert right >= max(np.mean(probabilities_NK.argmax(1) == labels_N) for probabilities_NK in probabilities_SNK)


def test_the_grid_of_two_streams_is_searched_in_full():
    streams = [made_up_stream(seed, skill=skill) for seed, skill in ((0, 1.0), (1, 1.2))]
    labels_N = streams[0][1]
    first_NK, second_NK = (softmax(logits_NK, 1) for logits_NK, _ in streams)
    right = [
        np.mean((share * first_NK + (1 - share) * second_NK).argmax(1) == labels_N) for share in np.linspace(0, 1, 21)
    ]
    found = grid_weights(np.array([first_NK, second_NK]), labels_N)
    assert right[round(found[0] * 20)] == max(right)


@given(st.integers(0, 10_000), st.sampled_from(["search", "grid", "equal"]), st.randoms(use_true_random=False))
@settings(max_examples=10, deadline=None)
def test_the_order_of_clips_in_a_stream_changes_nothing(seed, weights, random):
    given_scores = {name: as_scores(made_up_stream(seed + n, clips=20)[0]) for n, name in enumerate("ab")}
    labels_N, clip_ids = made_up_stream(seed, clips=20)[1], [f"c{n}" for n in range(20)]
    rows = list(given_scores["a"].log_probabilities.items())
    random.shuffle(rows)
    given_scores["a"].log_probabilities.clear()
    before = stack({"a": as_scores(made_up_stream(seed, clips=20)[0]), "b": given_scores["b"]}, clip_ids, 4)
    given_scores["a"].log_probabilities.update(rows)
    after = stack(given_scores, clip_ids, 4)
    one, other = (fit_fusion(logits_SNK, labels_N, Fitting(weights)) for logits_SNK in (before, after))
    np.testing.assert_array_equal(fuse(before, one), fuse(after, other))


def test_stacking_says_of_a_fold_what_the_others_teach():
    logits_SNK = np.array([made_up_stream(seed, skill=2.0)[0] for seed in (0, 1)])
    labels_N, fold_N = made_up_stream(0)[1], np.arange(60) // 4 % 3
    said_NK = stacked(logits_SNK, labels_N, fold_N)
    np.testing.assert_allclose(said_NK.sum(1), 1)
    assert measure(said_NK, labels_N).accuracy > 0.7
    other_N = np.where(fold_N == 1, 0, labels_N)
    again_NK = stacked(logits_SNK, other_N, fold_N)
    np.testing.assert_array_equal(again_NK[fold_N == 1], said_NK[fold_N == 1])


def test_stacking_never_names_a_class_that_it_was_not_taught():
    logits_SNK, labels_N = made_up_stream(0)[0][None], made_up_stream(0)[1]
    said_NK = stacked(logits_SNK, labels_N, np.equal(labels_N, 3).astype(int))
    assert (said_NK[labels_N == 3, 3] == 0).all()


def test_stacking_sees_probabilities_and_not_logits():
    """A constant that is added to all logits of a clip changes none of its probabilities."""
    logits_SNK = np.array([made_up_stream(seed, skill=2.0)[0] for seed in (0, 1)])
    labels_N, fold_N = made_up_stream(0)[1], np.arange(60) // 4 % 3
    shifted_SNK = logits_SNK + np.random.default_rng(0).normal(0, 5, (2, 60, 1))
    expected_NK = stacked(logits_SNK, labels_N, fold_N)
    np.testing.assert_allclose(stacked(shifted_SNK, labels_N, fold_N), expected_NK, atol=1e-6)


def test_stacking_copes_with_streams_of_any_scale():
    logits_SNK = np.array([made_up_stream(seed, clips=90, classes=8)[0] for seed in range(4)])
    logits_SNK *= np.array([1, 30, 1000, 1])[:, None, None]
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # scikit-learn warns when it gives up
        stacked(logits_SNK, made_up_stream(0, clips=90, classes=8)[1], np.arange(90) // 8 % 5)
