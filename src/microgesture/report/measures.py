"""Measures of a report beyond those of the ablation table: pure functions of arrays."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from scipy.cluster.hierarchy import leaves_list, linkage, optimal_leaf_ordering
from scipy.spatial.distance import squareform

BINS = 15  # the same number as for the expected calibration error


def count_confusion(labels_N: np.ndarray, predicted_N: np.ndarray, classes: int) -> np.ndarray:
    """The confusion matrix, int (K, K): clips by true class (row) and predicted class (column)."""
    return np.bincount(labels_N * classes + predicted_N, minlength=classes**2).reshape(classes, classes)


def class_table(confusion_KK: np.ndarray, classes: Sequence[str], train_counts_K: Sequence[int]) -> pd.DataFrame:
    """One row for each class that occurs, sorted by its number of training clips, largest first.

    The columns are ``number, name, train, clips, precision, recall, f1``. The measures are in [0, 1]. Precision is NaN
    if no clip is predicted as the class; recall and f1 are NaN if the class has no held-out clip.
    """
    right_K, clips_K, predicted_K = np.diag(confusion_KK), confusion_KK.sum(1), confusion_KK.sum(0)
    with np.errstate(invalid="ignore", divide="ignore"):
        table = pd.DataFrame(
            {
                "number": np.arange(len(classes)),
                "name": list(classes),
                "train": np.array(train_counts_K, int),
                "clips": clips_K,
                "precision": right_K / predicted_K,
                "recall": right_K / clips_K,
                "f1": np.where(clips_K > 0, 2 * right_K / (clips_K + predicted_K), np.nan),
            }
        )
    occurs = (table.train > 0) | (table.clips > 0) | (predicted_K > 0)
    return table[occurs].sort_values(["train", "clips", "number"], ascending=[False, False, True], ignore_index=True)


def confused_pairs(confusion_KK: np.ndarray) -> pd.DataFrame:
    """The confused pairs of classes, most frequent first.

    The columns are ``true``, ``predicted``, ``clips``, and ``share``, their fraction of the true class.
    """
    wrong_KK = confusion_KK * (1 - np.eye(len(confusion_KK), dtype=int))
    true, predicted = np.nonzero(wrong_KK)
    clips = wrong_KK[true, predicted]
    share = clips / confusion_KK.sum(1)[true]
    table = pd.DataFrame({"true": true, "predicted": predicted, "clips": clips, "share": share})
    return table.sort_values(
        ["clips", "share", "true", "predicted"], ascending=[False, False, True, True], ignore_index=True
    )


def orders(confusion_KK: np.ndarray, numbers: Sequence[int]) -> dict[str, list[int]]:
    """Orders of the classes ``numbers``, by name of the order.

    ``mistakes``: by the number of wrong predictions, largest first; ``clips``: by the number of clips, largest first;
    ``neighbours``: confused classes side by side, by average linkage with optimal leaf order (Bar-Joseph et al., 2001).
    """
    numbers = sorted(numbers)
    part_KK = confusion_KK[np.ix_(numbers, numbers)]
    clips_K, wrong_K = part_KK.sum(1), part_KK.sum(1) - np.diag(part_KK)
    ways = {
        "number": np.arange(len(numbers)),
        "mistakes": np.lexsort((np.arange(len(numbers)), -wrong_K)),
        "clips": np.lexsort((np.arange(len(numbers)), -clips_K)),
        "neighbours": _neighbours(part_KK),
    }
    return {way: [int(numbers[place]) for place in order] for way, order in ways.items()}


def _neighbours(confusion_KK: np.ndarray) -> np.ndarray:
    if len(confusion_KK) < 3:
        return np.arange(len(confusion_KK))
    share_KK = confusion_KK / np.maximum(confusion_KK.sum(1, keepdims=True), 1)
    alike_KK = (share_KK + share_KK.T) / 2
    distance_P = squareform(1 - alike_KK, checks=False)
    return leaves_list(optimal_leaf_ordering(linkage(distance_P, "average"), distance_P))


def reliability(probabilities_NK: np.ndarray, labels_N: np.ndarray) -> pd.DataFrame:
    """A reliability diagram: one row for each bin of the predicted class's probability that has clips.

    The columns are ``clips``, ``promised`` (mean confidence) and ``kept`` (accuracy). The bins are those of
    ``metrics.expected_calibration_error``, which is the mean of ``|promised - kept|`` weighted by ``clips``.
    """
    sure_N, right_N = probabilities_NK.max(1), probabilities_NK.argmax(1) == labels_N
    bin_N = np.clip(np.ceil(sure_N * BINS).astype(int) - 1, 0, BINS - 1)
    found = pd.DataFrame({"bin": bin_N, "promised": sure_N, "kept": right_N.astype(float)}).groupby("bin")
    return found.mean().assign(clips=found.size())[["clips", "promised", "kept"]].reset_index(drop=True)


def by_person(person_N: np.ndarray, labels_N: np.ndarray, probabilities: Mapping[str, np.ndarray]) -> pd.DataFrame:
    """One row for each person: ``person``, ``clips``, and the accuracy of each of the ``probabilities`` (N, K).

    The rows are sorted by the last of these accuracies, lowest first.
    """
    right = {name: each_NK.argmax(1) == labels_N for name, each_NK in probabilities.items()}
    right = pd.DataFrame(right, dtype=float)
    found = right.groupby(pd.Series(person_N, name="person"))
    table = found.mean()
    table.insert(0, "clips", found.size())
    return table.reset_index().sort_values([list(probabilities)[-1], "person"], ignore_index=True)


def missed_by_all(labels_N: np.ndarray, probabilities_SNK: np.ndarray) -> np.ndarray:
    """The indices of the clips that every stream predicts wrongly, sorted by mean confidence, highest first."""
    predicted_SN = probabilities_SNK.argmax(2)
    missed_M = np.flatnonzero((predicted_SN != labels_N).all(0))
    sure_M = probabilities_SNK[:, missed_M].max(2).mean(0)
    return missed_M[np.lexsort((missed_M, -sure_M))]
