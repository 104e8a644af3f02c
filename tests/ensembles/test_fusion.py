import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import softmax

from fixtures.made_up_scores import as_scores, made_up_stream
from microgesture.ensembles.calibration import fit_temperature, negative_log_likelihood
from microgesture.ensembles.fusion import Fitting, Fusion, cross_fit, fit_fusion, fuse, stack
from microgesture.ensembles.rules.search import search_weights
from microgesture.ensembles.rules.weighted_mean import WeightedMean
from microgesture.errors import InputError
from microgesture.storage.scores import Scores


def fusion_of(temperatures, weights):
    return Fusion(np.array(temperatures, float), WeightedMean(np.array(weights, float)))


@given(st.integers(0, 10_000), st.floats(0.1, 8))
@settings(max_examples=30, deadline=None)
def test_calibration_never_raises_the_likelihood_loss(seed, scale):
    logits_NK, labels_N = made_up_stream(seed)
    temperature = fit_temperature(logits_NK * scale, labels_N)
    before = negative_log_likelihood(softmax(logits_NK * scale, 1), labels_N)
    after = negative_log_likelihood(softmax(logits_NK * scale / temperature, 1), labels_N)
    assert after <= before + 1e-9


def test_a_stream_scaled_by_ten_is_the_same_after_calibration():
    logits_NK, labels_N = made_up_stream(1, skill=1.0)
    plain, scaled = fit_temperature(logits_NK, labels_N), fit_temperature(logits_NK * 10, labels_N)
    assert scaled == pytest.approx(10 * plain, rel=1e-3)


def objective(weights_S, temperature, probabilities_SNK, labels_N):
    """What the search minimises, written down once more: with one clip's worth of belief in each stream."""
    pooled_NK = np.tensordot(weights_S, probabilities_SNK, 1) ** (1 / temperature)
    fit = negative_log_likelihood(pooled_NK / pooled_NK.sum(1, keepdims=True), labels_N)
    return fit - np.log(weights_S).sum() / len(labels_N)


def best_objective(weights_S, probabilities_SNK, labels_N):
    return min(objective(weights_S, t, probabilities_SNK, labels_N) for t in np.geomspace(0.1, 3, 60))


def test_weights_are_the_best_of_a_fine_grid():
    streams = [made_up_stream(seed, skill=skill) for seed, skill in ((0, 2.0), (1, 0.2), (2, 1.5))]
    labels_N = streams[0][1]
    probabilities_SNK = np.array([softmax(logits_NK, 1) for logits_NK, _ in streams])
    grid = [
        np.array([a, b, 1 - a - b])
        for a in np.arange(0.04, 1, 0.04)
        for b in np.arange(0.04, 1 - a - 0.01, 0.04)
        if 1 - a - b > 0.01
    ]
    best = min(grid, key=lambda weights_S: best_objective(weights_S, probabilities_SNK, labels_N))
    found = search_weights(probabilities_SNK, labels_N)
    np.testing.assert_allclose(found, best, atol=0.03)
    assert found.sum() == pytest.approx(1)


@given(st.integers(0, 10_000), st.lists(st.floats(-0.5, 4), min_size=2, max_size=4))
@settings(max_examples=20, deadline=None)
def test_searched_weights_fit_at_least_as_well_as_equal_ones(seed, skills):
    streams = [made_up_stream(seed + number, skill=skill) for number, skill in enumerate(skills)]
    labels_N = streams[0][1]
    probabilities_SNK = np.array([softmax(logits_NK, 1) for logits_NK, _ in streams])
    equal = best_objective(np.full(len(skills), 1 / len(skills)), probabilities_SNK, labels_N)
    searched = best_objective(search_weights(probabilities_SNK, labels_N), probabilities_SNK, labels_N)
    assert searched <= equal + 2e-3  # as finely as the grid of temperatures tells them apart


def test_equal_streams_get_equal_weights_and_a_team_beats_the_surest():
    logits_NK, labels_N = made_up_stream(0, clips=200, skill=1.5)
    others = [made_up_stream(seed, clips=200, skill=1.5)[0] for seed in (1, 2)]
    probabilities_SNK = np.array([softmax(3 * logits_NK, 1), *(softmax(other_NK, 1) for other_NK in others)])
    twice = search_weights(probabilities_SNK[[0, 0, 1]], labels_N)
    assert twice[0] == pytest.approx(twice[1], abs=1e-3)
    assert search_weights(probabilities_SNK, labels_N).max() < 0.6


def test_fusing_is_the_weighted_mean_of_tempered_probabilities():
    logits_SNK = np.array([[[2.0, 0.0]], [[0.0, 1.0]]])
    fused_NK = fuse(logits_SNK, fusion_of([2, 1], [0.25, 0.75]))
    first, second = 1 / (1 + np.exp(-1.0)), 1 / (1 + np.exp(1.0))
    assert fused_NK[0, 0] == pytest.approx(0.25 * first + 0.75 * second)
    assert fused_NK.sum() == pytest.approx(1)


def test_a_clip_that_one_stream_could_not_use_is_left_to_the_others():
    scores = {"a": as_scores(np.array([[2.0, 0.0], [0.0, 3.0]])), "b": as_scores(np.ones((2, 2)), unusable=[0])}
    fused_NK = fuse(stack(scores, ["c0", "c1"], 2), fusion_of([1, 1], [0.1, 0.9]))
    np.testing.assert_allclose(fused_NK[0], softmax([2.0, 0.0]))
    np.testing.assert_allclose(fused_NK[1], 0.1 * softmax([0.0, 3.0]) + 0.9 * 0.5)


@pytest.mark.parametrize("weights", [[-0.5, 1.5], [0.0, 0.0], [np.nan, 1.0]])
def test_weights_that_cannot_be_are_refused(weights):
    stored = {
        "rule": "equal",
        "temperatures": {"one": 1, "two": 1},
        "weights": dict(zip(("one", "two"), weights, strict=True)),
    }
    with pytest.raises(InputError, match="weights"):
        Fusion.from_json(stored, ["one", "two"])


def test_numbers_of_other_streams_are_not_stored():
    for temperatures, weights in (([1, 1], [1.0]), ([1], [0.5, 0.5])):
        with pytest.raises(ValueError, match="zip"):
            fusion_of(temperatures, weights).to_json(["one"])


def test_a_clip_that_no_stream_could_use_has_no_probabilities():
    scores = {"a": as_scores(np.ones((1, 2)), unusable=[0]), "b": as_scores(np.ones((1, 2)), unusable=[0])}
    assert np.isnan(fuse(stack(scores, ["c0"], 2), fusion_of([1, 1], [0.5, 0.5]))).all()


def test_a_clip_without_scores_or_reason_is_named():
    scores = {"a": as_scores(np.zeros((1, 2))), "b": Scores({}, {})}
    with pytest.raises(InputError, match="'b' has no scores for clip c0"):
        stack(scores, ["c0"], 2)


def test_scores_that_are_no_numbers_are_refused():
    with pytest.raises(InputError, match="'a' has scores for clip c1"):
        stack({"a": as_scores(np.array([[0, 1], [np.nan, 1]]))}, ["c0", "c1"], 2)


def test_without_labels_the_weights_are_equal_and_nothing_is_calibrated():
    fusion = fit_fusion(np.zeros((2, 0, 3)), np.zeros(0, int), Fitting("search"))
    assert fusion.temperatures_S.tolist() == [1, 1]
    assert fusion.rule.weights_S.tolist() == [0.5, 0.5]


def test_a_clip_that_some_stream_lacks_is_not_fitted_on():
    logits_SNK = np.array([made_up_stream(seed, skill=skill)[0] for seed, skill in ((0, 2.0), (1, 1.0))])
    labels_N = made_up_stream(0)[1]
    lacking_SNK = logits_SNK.copy()
    lacking_SNK[1, 40:] = np.nan
    fusion = fit_fusion(lacking_SNK, labels_N, Fitting("search"))
    expected = fit_fusion(logits_SNK[:, :40], labels_N[:40], Fitting("search"))
    np.testing.assert_array_equal(fusion.temperatures_S, expected.temperatures_S)
    np.testing.assert_array_equal(fusion.rule.weights_S, expected.rule.weights_S)


def test_given_weights_are_kept_and_scaled():
    """0.2 for each of five streams and 0.5 for each of two, as published, sum to 2."""
    logits_NK, labels_N = made_up_stream(0)
    published = np.array([0.2] * 5 + [0.5] * 2)
    fusion = fit_fusion(np.array([logits_NK] * 7), labels_N, Fitting(published, False))
    np.testing.assert_allclose(fusion.rule.weights_S, [0.1] * 5 + [0.25] * 2)
    assert fusion.temperatures_S.tolist() == [1] * 7


@given(st.integers(0, 10_000), st.integers(0, 2), st.randoms(use_true_random=False))
@settings(max_examples=15, deadline=None)
def test_a_fold_is_predicted_without_its_labels(seed, fold, random):
    logits_SNK = np.array([made_up_stream(seed + number, skill=skill)[0] for number, skill in enumerate((2.0, 0.5))])
    labels_N, fold_N = made_up_stream(0)[1], np.arange(60) // 4 % 3
    shuffled_N = labels_N.copy()
    its = shuffled_N[fold_N == fold].tolist()
    random.shuffle(its)
    shuffled_N[fold_N == fold] = its
    before, after = (cross_fit(logits_SNK, known_N, fold_N, Fitting("search")) for known_N in (labels_N, shuffled_N))
    np.testing.assert_array_equal(before[fold].rule.weights_S, after[fold].rule.weights_S)
    np.testing.assert_array_equal(before[fold].temperatures_S, after[fold].temperatures_S)
    others = [other for other in range(3) if other != fold]
    if its != labels_N[fold_N == fold].tolist():
        assert any((before[other].temperatures_S != after[other].temperatures_S).any() for other in others)


@pytest.mark.parametrize(("clips", "classes"), [(30, 8), (44, 24)])
def test_streams_that_know_nothing_but_are_sure_do_no_harm_if_they_are_weighed_on_few_clips(clips, classes):
    """What first configurations rely on: without labelled clips, the same average falls to nearly chance."""
    skills, sureness = (2.5, 0, 0, 0), (1, 5, 5, 5)

    def made_up(clips, seed):
        made = [made_up_stream(seed + 10 * n, clips, classes, skill) for n, skill in enumerate(skills)]
        return np.array([sure * logits_NK for sure, (logits_NK, _) in zip(sureness, made, strict=True)]), made[0][1]

    for seed in range(3):
        new_SNK, true_N = made_up(1000, seed)
        best = (new_SNK[0].argmax(1) == true_N).mean()
        accuracy = {
            weights: (fuse(new_SNK, fit_fusion(*made_up(known, seed + 1000), how)).argmax(1) == true_N).mean()
            for weights, known, how in (
                ("search", clips, Fitting("search")),
                ("equal", 0, Fitting("equal", calibrate=False)),
            )
        }
        assert accuracy["search"] > best - 0.02
        assert accuracy["equal"] < best / 2
