import numpy as np
import pytest
from scipy.stats import norm
from sklearn.metrics import balanced_accuracy_score, f1_score, top_k_accuracy_score

from microgesture.errors import InputError
from microgesture.measures.baselines import baselines, wilson_interval
from microgesture.measures.class_groups import group_of_classes
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
    present = f1_score(labels_N, predicted_N, labels=np.unique(labels_N), average="macro")
    assert np.isclose(metrics.macro_f1_present, present)
    assert np.isclose(metrics.macro_f1, f1_score(labels_N, predicted_N, average="macro"))
    assert metrics.macro_f1 < metrics.macro_f1_present
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
    scores_NK, group_K = np.abs(scores_NK), np.array([0, 0, 1, 2, 1, 2, 2, 0])
    added = count(scores_NK, labels_N, group_N, 5, group_K).sums(times_G[None]).metrics()
    measured = vars(measure(scores_NK[rows_M], labels_N[rows_M], group_K))
    assert {name: value_1.item() for name, value_1 in added.items()} == measured


def test_f1_mean_is_that_of_scikit_learn_and_of_a_hand_count():
    # Classes 0 and 1 are one group, 2 and 3 another. The group of the third clip, of class 2, is predicted correctly,
    # although class 1 is most probable.
    said_NK = np.array([[0.9, 0.1, 0, 0], [0.4, 0.5, 0.1, 0], [0, 0.4, 0.3, 0.3], [0.6, 0, 0.2, 0.2]])
    labels_N, group_K = np.array([0, 0, 2, 3]), np.array([0, 0, 1, 1])
    found = measure(said_NK, labels_N, group_K)
    actions = [1 / 4, (2 * 1 / (2 + 2) + 0 + 0 + 0) / 4]  # class 0 is true twice, predicted twice, right once
    groups = [3 / 4, (2 * 2 / (2 + 3) + 2 * 1 / (2 + 1)) / 2]
    assert np.isclose(found.f1_mean, np.mean([*actions, *groups]))
    said_of_groups_N = np.array([0, 0, 1, 0])
    expected = [
        f1_score(true_N, said_N, average=average)
        for true_N, said_N in ((labels_N, said_NK.argmax(1)), (group_K[labels_N], said_of_groups_N))
        for average in ("micro", "macro")
    ]
    assert np.isclose(found.f1_mean, np.mean(expected))
    assert (found.group_accuracy, found.group_macro_f1) == (expected[2], expected[3])
    assert measure(said_NK, labels_N).f1_mean is None


def test_groups_have_every_class_once():
    assert group_of_classes({}, ("a", "b")) is None
    for groups in ({"two": ["c", "a"], "one": ["b"]}, {"one": ["b"], "two": ["a", "c"]}):
        assert group_of_classes(groups, ("a", "b", "c")).tolist() == [0, 1, 0]
    for groups, named in (({"x": ["a"]}, "'b' is in no group"), ({"x": ["a", "b"], "y": ["b"]}, "in 'x' and in 'y'")):
        with pytest.raises(InputError, match=named):
            group_of_classes(groups, ("a", "b"))
    with pytest.raises(InputError, match="'q' in group 'x' is not a class"):
        group_of_classes({"x": ["a", "q"]}, ("a",))


def test_baselines_are_what_trivial_classifiers_score():
    labels_N = np.repeat([0, 1, 2, 3, 4, 5, 6], [4, 1, 9, 2, 2, 1, 1])
    guessing, constant = baselines(labels_N).to_dict("records")
    assert (guessing["accuracy"], guessing["balanced_accuracy"], guessing["top5"]) == (1 / 7, 1 / 7, 5 / 7)
    assert (constant["accuracy"], constant["balanced_accuracy"], constant["top5"]) == (0.45, round(1 / 7, 4), 0.9)
    assert np.isclose(constant["macro_f1"], f1_score(labels_N, np.full(20, 2), average="macro"), atol=1e-4)
    assert baselines(np.arange(10)).top5.tolist() == [0.5, 0.5]


def test_a_binomial_interval_is_wilsons():
    z, clips, fraction = norm.ppf(0.975), 24, 0.5
    centre, half = fraction + z**2 / (2 * clips), z * np.sqrt(fraction * 0.5 / clips + z**2 / (4 * clips**2))
    expected = (np.array([centre - half, centre + half])) / (1 + z**2 / clips)
    np.testing.assert_allclose(wilson_interval(fraction, clips), expected)
