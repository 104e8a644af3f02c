"""The probabilities of a fused ensemble: their temperature, and the linear and the logarithmic pool."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax, softmax

from microgesture.config.ensembles import Ensemble
from microgesture.ensembles.calibration import fit_pool_temperature, negative_log_likelihood, sharpened
from microgesture.ensembles.fusion import Fitting, Fusion, cross_fit, fit_fusion, fuse
from microgesture.ensembles.rules.weighted_mean import WeightedMean
from microgesture.errors import InputError
from microgesture.measures.metrics import expected_calibration_error


def experts(seed, clips=1200, streams=4, classes=5):
    """Streams that each see a part of the truth and are calibrated: the case of Ranjan and Gneiting."""
    random = np.random.default_rng(seed)
    parts_SNK = random.normal(size=(streams, clips, classes)) * 1.5
    chances_NK = softmax(parts_SNK.sum(0), axis=1)
    labels_N = np.array([random.choice(classes, p=chances_K) for chances_K in chances_NK])
    # What a stream knows without the other parts, up to a temperature, which is fitted.
    return parts_SNK, labels_N


def test_the_mean_of_calibrated_streams_is_not_confident_enough_and_its_temperature_mends_that():
    logits_SNK, labels_N = experts(0)
    fold_N = np.arange(len(labels_N)) % 4
    held_out = {}
    for recalibrate in (False, True):
        fused_NK = np.empty(logits_SNK.shape[1:])
        for fold, fusion in enumerate(
            cross_fit(logits_SNK, labels_N, fold_N, Fitting("equal", recalibrate=recalibrate))
        ):
            fused_NK[fold_N == fold] = fuse(logits_SNK[:, fold_N == fold], fusion)
            assert (fusion.temperature < 1) == recalibrate
        held_out[recalibrate] = fused_NK
    np.testing.assert_array_equal(held_out[False].argmax(1), held_out[True].argmax(1))
    errors = {key: expected_calibration_error(said_NK, labels_N) for key, said_NK in held_out.items()}
    likelihoods = {key: negative_log_likelihood(said_NK, labels_N) for key, said_NK in held_out.items()}
    assert errors[False] > 0.1 > 0.05 > errors[True]
    assert likelihoods[True] < likelihoods[False] - 0.05


def test_the_product_of_independent_experts_is_their_bayes_rule():
    """Parts that are independent add their logits: the log pool with weights 1/S at temperature 1/S."""
    logits_SNK, labels_N = experts(1)
    fusion = fit_fusion(logits_SNK, labels_N, Fitting("search", calibrate=False, pool="log"))
    bayes_NK = softmax(logits_SNK.sum(0), axis=1)
    assert fusion.temperature == pytest.approx(1 / len(logits_SNK), rel=0.2)
    np.testing.assert_allclose(fusion.rule.weights_S, 1 / len(logits_SNK), atol=0.05)
    assert np.abs(fuse(logits_SNK, fusion) - bayes_NK).mean() < 0.03
    linear = fit_fusion(logits_SNK, labels_N, Fitting("search", calibrate=False))
    assert negative_log_likelihood(fuse(logits_SNK, fusion), labels_N) < negative_log_likelihood(
        fuse(logits_SNK, linear), labels_N
    )


@given(st.integers(0, 1000), st.floats(0.1, 8))
@settings(max_examples=20, deadline=None)
def test_sharpening_keeps_the_order_of_classes_and_the_sum(seed, temperature):
    said_NK = softmax(np.random.default_rng(seed).normal(size=(9, 6)) * 3, axis=1)
    sharp_NK = sharpened(said_NK, temperature)
    np.testing.assert_array_equal(said_NK.argsort(1), sharp_NK.argsort(1))
    np.testing.assert_allclose(sharp_NK.sum(1), 1)
    np.testing.assert_allclose(sharp_NK, said_NK ** (1 / temperature) / (said_NK ** (1 / temperature)).sum(1)[:, None])


def test_the_temperature_is_the_best_for_targets_as_in_platt_scaling():
    logits_SNK, labels_N = experts(2, clips=60)
    said_NK, clips, classes = softmax(logits_SNK[0], axis=1), 60, 5
    targets_NK = np.full((clips, classes), (1 - 61 / 62) / 4)
    targets_NK[np.arange(clips), labels_N] = 61 / 62

    def loss(temperature):
        return -(targets_NK * log_softmax(np.log(said_NK) / temperature, axis=1)).sum()

    best = minimize_scalar(loss, bounds=(0.05, 20), method="bounded", options={"xatol": 1e-6}).x
    assert fit_pool_temperature(said_NK, labels_N) == pytest.approx(best, rel=1e-2)


@pytest.mark.parametrize("clips", [5, 90, 1000])
def test_clips_that_are_all_right_do_not_make_it_certain(clips):
    said_NK = np.full((clips, 4), 0.1)
    labels_N = np.arange(clips) % 4
    said_NK[np.arange(clips), labels_N] = 0.7
    sharp_NK = sharpened(said_NK, fit_pool_temperature(said_NK, labels_N))
    np.testing.assert_allclose(sharp_NK.max(1), (clips + 1) / (clips + 2), atol=1e-3)


def test_a_stored_fusion_predicts_the_same_and_a_wrong_one_is_refused():
    logits_SNK, labels_N = experts(3, clips=80)
    fusion = fit_fusion(logits_SNK, labels_N, Fitting("search", pool="log"))
    stored = fusion.to_json("abcd")
    np.testing.assert_array_equal(fuse(logits_SNK, Fusion.from_json(stored, "abcd")), fuse(logits_SNK, fusion))
    for key, value in (("temperature", 0), ("temperature", "x"), ("pool", "mean")):
        with pytest.raises(InputError):
            Fusion.from_json(stored | {key: value}, "abcd")


@pytest.mark.parametrize("pool", ["linear", "log"])
def test_a_stream_that_could_not_use_a_clip_is_left_out_of_either_pool(pool):
    logits_SNK, labels_N = experts(4, clips=30)
    fusion = fit_fusion(logits_SNK, labels_N, Fitting("equal", pool=pool))
    lacking_SNK = logits_SNK.copy()
    lacking_SNK[0, :3], lacking_SNK[:, 5] = np.nan, np.nan
    rest = Fusion(fusion.temperatures_S[1:], WeightedMean(np.full(3, 1 / 3)), "equal", fusion.temperature, pool)
    fused_NK = fuse(lacking_SNK, fusion)
    np.testing.assert_allclose(fused_NK[:3], fuse(logits_SNK[1:, :3], rest))
    assert np.isnan(fused_NK[5]).all()
    np.testing.assert_allclose(fused_NK[6:], fuse(logits_SNK[:, 6:], fusion))


def test_an_ensemble_without_its_own_temperature_is_the_published_mean():
    logits_SNK, labels_N = experts(5, clips=40)
    fusion = fit_fusion(logits_SNK, labels_N, Fitting(np.ones(4), calibrate=2.5, recalibrate=False))
    np.testing.assert_allclose(fuse(logits_SNK, fusion), softmax(logits_SNK / 2.5, axis=2).mean(0))
    assert Ensemble(streams=["a"]).recalibrated
    assert not any(Ensemble(streams=["a"], calibrate=given).recalibrated for given in (False, 2.5))
    assert Ensemble(streams=["a"], calibrate=2.5, recalibrate=True).recalibrated


def test_the_log_pool_predicts_what_the_sum_of_raw_scores_predicts():
    """As 2s-AGCN sums them."""
    logits_SNK = np.random.default_rng(6).normal(size=(2, 200, 7)) * np.array([1, 4])[:, None, None] + 3
    fusion = fit_fusion(
        logits_SNK, np.zeros(200, int), Fitting("equal", calibrate=False, recalibrate=False, pool="log")
    )
    np.testing.assert_array_equal(fuse(logits_SNK, fusion).argmax(1), logits_SNK.sum(0).argmax(1))
