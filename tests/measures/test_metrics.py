from dataclasses import asdict

import numpy as np
import pytest
from sklearn.metrics import balanced_accuracy_score, f1_score, top_k_accuracy_score

from microgesture.measures.metrics import count, measure


def test_metrics_agree_with_scikit_learn():
    generator = np.random.default_rng(0)
    probabilities_NK = generator.dirichlet(np.ones(8), 200)
    labels_N = generator.integers(0, 8, 200)
    probabilities_NK[np.arange(120), labels_N[:120]] += 1
    metrics = measure(probabilities_NK, labels_N)
    predicted_N = probabilities_NK.argmax(1)
    assert metrics.accuracy == (predicted_N == labels_N).mean()
    assert np.isclose(metrics.balanced_accuracy, balanced_accuracy_score(labels_N, predicted_N))
    assert np.isclose(metrics.macro_f1, f1_score(labels_N, predicted_N, average="macro"))
    assert np.isclose(metrics.top5, top_k_accuracy_score(labels_N, probabilities_NK, k=5))


@pytest.mark.filterwarnings("ignore:y_pred contains classes not in y_true")
def test_means_over_classes_are_of_those_that_occur():
    generator = np.random.default_rng(2)
    labels_N = generator.choice([0, 2, 3, 6], 40, p=[0.6, 0.2, 0.15, 0.05])
    scores_NK = generator.normal(size=(40, 8))  # all eight classes are predicted
    scores_NK[np.arange(30), labels_N[:30]] += 2
    predicted_N, metrics = scores_NK.argmax(1), measure(scores_NK, labels_N)
    assert set(predicted_N) > set(labels_N)
    assert np.isclose(metrics.balanced_accuracy, balanced_accuracy_score(labels_N, predicted_N))
    expected = f1_score(labels_N, predicted_N, labels=np.unique(labels_N), average="macro")
    assert np.isclose(metrics.macro_f1, expected)
    assert np.isclose(metrics.top5, top_k_accuracy_score(labels_N, scores_NK, k=5, labels=range(8)))
    assert metrics.clips == 40


def test_classes_that_do_not_occur_do_not_count():
    probabilities_NK = np.eye(32)[[0, 1, 31]]
    assert measure(probabilities_NK, np.array([0, 1, 1])).balanced_accuracy == 0.75


def test_groups_add_up_to_what_their_clips_measure():
    generator = np.random.default_rng(1)
    scores_NK, labels_N = generator.normal(size=(90, 8)), generator.integers(0, 8, 90)
    scores_NK[np.arange(60), labels_N[:60]] += 2
    group_N, times_G = generator.integers(0, 5, 90), np.array([3, 0, 1, 0, 2])
    rows_M = np.repeat(np.arange(90), times_G[group_N])
    added = count(scores_NK, labels_N, group_N, 5).sums(times_G[None]).metrics()
    measured = asdict(measure(scores_NK[rows_M], labels_N[rows_M]))
    assert {name: value_1.item() for name, value_1 in added.items()} == measured
