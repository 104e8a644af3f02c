import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import softmax

from microgesture.clips import Clips
from microgesture.ensemble import (
    Fusion,
    fit_fusion,
    fit_temperature,
    fuse,
    negative_log_likelihood,
    predict_split,
    search_weights,
    summarise,
)
from microgesture.errors import InputError
from microgesture.scores import Scores


def made_up_stream(seed, clips=60, classes=4, skill=2.0):
    """Logits that know the label with a given skill, and the labels."""
    labels_N = np.arange(clips) % classes
    logits_NK = np.random.default_rng(seed).normal(size=(clips, classes))
    logits_NK[np.arange(clips), labels_N] += skill
    return logits_NK, labels_N


def as_scores(logits_NK):
    return Scores({f"c{n}": logits_K.astype(np.float32) for n, logits_K in enumerate(logits_NK)}, {})


def as_labels(labels_N):
    return {f"c{n}": int(label) for n, label in enumerate(labels_N)}


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


def test_weights_are_the_best_of_a_fine_grid():
    streams = [made_up_stream(seed, skill=skill) for seed, skill in ((0, 2.0), (1, 0.2), (2, 1.5))]
    labels_N = streams[0][1]
    probabilities_SNK = np.array([softmax(logits_NK, 1) for logits_NK, _ in streams])

    def objective(weights_S, temperature):
        pooled_NK = np.tensordot(weights_S, probabilities_SNK, 1) ** (1 / temperature)
        fit = negative_log_likelihood(pooled_NK / pooled_NK.sum(1, keepdims=True), labels_N)
        return fit - np.log(weights_S).sum() / len(labels_N)  # with one clip's worth of belief in each stream

    grid = [
        np.array([a, b, 1 - a - b])
        for a in np.arange(0.02, 1, 0.02)
        for b in np.arange(0.02, 1 - a - 0.01, 0.02)
        if 1 - a - b > 0.01
    ]
    best = min(grid, key=lambda weights_S: min(objective(weights_S, t) for t in np.geomspace(0.1, 3, 40)))
    found = search_weights(probabilities_SNK, labels_N)
    np.testing.assert_allclose(found, best, atol=0.03)
    assert found.sum() == pytest.approx(1)


def test_equal_streams_get_equal_weights_and_a_team_beats_the_surest():
    logits_NK, labels_N = made_up_stream(0, clips=200, skill=1.5)
    others = [made_up_stream(seed, clips=200, skill=1.5)[0] for seed in (1, 2)]
    probabilities_SNK = np.array([softmax(3 * logits_NK, 1), *(softmax(other_NK, 1) for other_NK in others)])
    twice = search_weights(probabilities_SNK[[0, 0, 1]], labels_N)
    assert twice[0] == pytest.approx(twice[1], abs=1e-3)
    assert search_weights(probabilities_SNK, labels_N).max() < 0.6


@given(st.integers(0, 10_000), st.randoms(use_true_random=False))
@settings(max_examples=20, deadline=None)
def test_the_order_of_rows_and_of_labels_changes_nothing(seed, random):
    logits_NK, labels_N = made_up_stream(seed, clips=20)
    other_NK, _ = made_up_stream(seed + 1, clips=20)
    order = list(range(20))
    random.shuffle(order)
    shuffled = Scores({f"c{n}": other_NK[n].astype(np.float32) for n in order}, {})
    straight = {"a": as_scores(logits_NK), "b": as_scores(other_NK)}
    mixed = {"a": as_scores(logits_NK), "b": shuffled}
    labels = as_labels(labels_N)
    fusion = fit_fusion(straight, labels, "search", calibrate=True)
    again = fit_fusion(mixed, {f"c{n}": labels[f"c{n}"] for n in order}, "search", calibrate=True)
    for stream in ("a", "b"):
        assert again.weights[stream] == pytest.approx(fusion.weights[stream], abs=1e-4)
    for clip_id in labels:
        np.testing.assert_array_equal(fuse(straight, fusion, clip_id)[0], fuse(mixed, fusion, clip_id)[0])


def test_fusing_is_the_weighted_mean_of_tempered_probabilities():
    scores = {"a": as_scores(np.array([[2.0, 0.0]])), "b": as_scores(np.array([[0.0, 1.0]]))}
    fused_K, used = fuse(scores, Fusion({"a": 2.0, "b": 1.0}, {"a": 0.25, "b": 0.75}), "c0")
    first = 1 / (1 + np.exp(-1.0))
    second = 1 / (1 + np.exp(1.0))
    assert fused_K[0] == pytest.approx(0.25 * first + 0.75 * second)
    assert used == 2


def test_a_clip_that_one_stream_could_not_use_is_left_to_the_others():
    scores = {"a": as_scores(np.array([[2.0, 0.0]])), "b": Scores({}, {"c0": "the video is truncated"})}
    fused_K, used = fuse(scores, Fusion({"a": 1.0, "b": 1.0}, {"a": 0.1, "b": 0.9}), "c0")
    np.testing.assert_allclose(fused_K, softmax([2.0, 0.0]))
    assert used == 1


def test_a_clip_without_scores_or_reason_is_named():
    scores = {"a": as_scores(np.zeros((1, 2))), "b": Scores({}, {})}
    with pytest.raises(InputError, match="'b' has no scores for clip c0"):
        fuse(scores, Fusion({"a": 1.0, "b": 1.0}, {"a": 0.5, "b": 0.5}), "c0")


def test_without_labels_the_weights_are_equal_and_nothing_is_calibrated():
    scores = {"a": as_scores(np.zeros((1, 2))), "b": as_scores(np.ones((1, 2)))}
    assert fit_fusion(scores, {}, "search", True) == Fusion({"a": 1.0, "b": 1.0}, {"a": 0.5, "b": 0.5})


def test_given_weights_are_kept_and_scaled():
    scores = {"a": as_scores(np.zeros((1, 2))), "b": as_scores(np.ones((1, 2)))}
    assert fit_fusion(scores, {"c0": 1}, {"a": 3, "b": 1}, False).weights == {"a": 0.75, "b": 0.25}


def test_the_summary_tells_what_each_stream_adds():
    good_NK, labels_N = made_up_stream(0, skill=20)
    noise_NK, _ = made_up_stream(1, skill=0)
    scores = {"good": as_scores(good_NK), "noise": as_scores(noise_NK)}
    fusion = Fusion({"good": 1.0, "noise": 1.0}, {"good": 0.9, "noise": 0.1})
    rows = summarise(scores, fusion, as_labels(labels_N), "final").set_index("name")
    assert rows.accuracy["good"] == rows.accuracy["final"] == 1
    assert rows.without["noise"] == 1
    assert rows.without["good"] == rows.accuracy["noise"] < 0.6


def test_a_clip_that_nothing_could_use_gets_the_class_prior():
    table = pd.DataFrame(
        {
            "clip_id": ["t0", "t1", "t2", "c0", "c1", "c2"],
            "split": ["train"] * 3 + ["test"] * 3,
            "label": pd.array([0, 1, 1, None, None, None], "Int32"),
            "status": ["ok"] * 4 + ["quarantined", "ok"],
        }
    )
    scores = {"a": Scores({"c0": np.array([3.0, 0.0], np.float32)}, {"c2": "the video is truncated"})}
    clips = Clips(table, ("x", "y"), ("0", "1"))
    predicted = predict_split(scores, Fusion({"a": 1.0}, {"a": 1.0}), clips, "test").to_pandas().set_index("clip_id")
    assert list(predicted.index) == ["c0", "c1", "c2"]
    assert predicted.streams.tolist() == [1, 0, 0]
    np.testing.assert_allclose(predicted.probabilities["c0"], softmax([3.0, 0.0]), rtol=1e-6)
    np.testing.assert_allclose(predicted.probabilities["c1"], [1 / 3, 2 / 3], rtol=1e-6)
    np.testing.assert_allclose(predicted.probabilities["c2"], [1 / 3, 2 / 3], rtol=1e-6)
