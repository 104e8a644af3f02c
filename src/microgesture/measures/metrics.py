"""Metrics of predictions."""

from dataclasses import asdict, dataclass

import numpy as np

from .class_groups import grouped

BINS = 15  # of confidence, for the calibration error


@dataclass(frozen=True)
class Metrics:
    """Metrics of a set of predictions, each in [0, 1].

    ``balanced_accuracy`` and ``macro_f1_present`` are means over the classes that the clips have. ``macro_f1`` is also
    over classes that are only predicted, as ``f1_score(average="macro")`` of scikit-learn is. The last three are None
    without groups of classes: ``f1_mean`` is the mean of micro and macro F1 of the classes and of their groups, as in
    the MAC challenge, and ``group_accuracy`` is the micro F1 of the groups.
    """

    clips: int
    accuracy: float
    balanced_accuracy: float
    macro_f1: float
    macro_f1_present: float
    top5: float
    f1_mean: float | None = None
    group_accuracy: float | None = None
    group_macro_f1: float | None = None

    def rounded(self) -> dict[str, float]:
        """The values rounded to four digits, for tables; without those that are None."""
        known = {name: value for name, value in asdict(self).items() if value is not None}
        return {name: value if name == "clips" else round(value, 4) for name, value in known.items()}


@dataclass(frozen=True)
class Counts:
    """Counts of clips by person and class, from which all metrics are computed; counts of people can be added.

    For each class: ``true_PK`` clips have it, ``predicted_PK`` are predicted to have it, ``right_PK`` are both, and
    ``top5_PK`` have it among their five most probable classes. ``of_groups`` are the same counts by group of classes.
    """

    true_PK: np.ndarray
    predicted_PK: np.ndarray
    right_PK: np.ndarray
    top5_PK: np.ndarray
    of_groups: "Counts | None" = None

    def sums(self, times_DP: np.ndarray) -> "Counts":
        """The counts of weighted sums of people: row d of ``times_DP`` has the weight of each person."""
        counted = self.true_PK, self.predicted_PK, self.right_PK, self.top5_PK
        return Counts(
            *(times_DP @ counts_PK for counts_PK in counted), self.of_groups and self.of_groups.sums(times_DP)
        )

    def metrics(self) -> dict[str, np.ndarray]:
        """The fields of ``Metrics`` that are known, each (P,); every person must have at least one clip."""
        clips_P = self.true_PK.sum(1)
        present_PK, occurs_PK = self.true_PK > 0, self.true_PK + self.predicted_PK > 0
        recall_PK = self.right_PK / np.maximum(self.true_PK, 1)
        f1_PK = 2 * self.right_PK / np.maximum(self.true_PK + self.predicted_PK, 1)
        found = {
            "clips": clips_P,
            "accuracy": self.right_PK.sum(1) / clips_P,
            "balanced_accuracy": recall_PK.sum(1) / present_PK.sum(1),
            "macro_f1": f1_PK.sum(1) / occurs_PK.sum(1),
            "macro_f1_present": f1_PK.sum(1) / present_PK.sum(1),
            "top5": self.top5_PK.sum(1) / clips_P,
        }
        if self.of_groups is None:
            return found
        of_groups = self.of_groups.metrics()
        parts = [each[name] for each in (found, of_groups) for name in ("accuracy", "macro_f1")]
        named = {f"group_{name}": of_groups[name] for name in ("accuracy", "macro_f1")}
        return found | {"f1_mean": np.mean(parts, 0)} | named


def count(
    scores_NK: np.ndarray, labels_N: np.ndarray, person_N: np.ndarray, people: int, group_K: np.ndarray | None = None
) -> Counts:
    """Count clips by person (0 to ``people`` - 1) and class.

    The scores may be logits or probabilities. With ``group_K``, the group of each class, they must be probabilities.
    """
    classes = scores_NK.shape[1]
    predicted_N = scores_NK.argmax(1)
    ranks_N = (scores_NK > scores_NK[np.arange(len(labels_N)), labels_N][:, None]).sum(1)

    def counted(classes_N: np.ndarray, among_N: np.ndarray | slice = slice(None)) -> np.ndarray:
        cells_N = (person_N * classes + classes_N)[among_N]
        return np.bincount(cells_N, minlength=people * classes).reshape(people, classes)

    return Counts(
        true_PK=counted(labels_N),
        predicted_PK=counted(predicted_N),
        right_PK=counted(labels_N, predicted_N == labels_N),
        top5_PK=counted(labels_N, ranks_N < 5),
        of_groups=None if group_K is None else count(grouped(scores_NK, group_K), group_K[labels_N], person_N, people),
    )


def measure(scores_NK: np.ndarray, labels_N: np.ndarray, group_K: np.ndarray | None = None) -> Metrics:
    """Compare scores (N, K), as in ``count``, with true labels (N,); N must not be 0."""
    found = count(scores_NK, labels_N, np.zeros(len(labels_N), int), 1, group_K).metrics()
    return Metrics(**{name: value_1.item() for name, value_1 in found.items()})


def expected_calibration_error(probabilities_NK: np.ndarray, labels_N: np.ndarray) -> float:
    """The mean absolute difference between accuracy and confidence over bins (Guo et al., ICML 2017, eq. 3).

    Clips are grouped into bins of equal width by their confidence, the probability of the predicted class. Each bin is
    weighted by its number of clips. The result is in [0, 1], and 0 is best.
    """
    sure_N, right_N = probabilities_NK.max(1), probabilities_NK.argmax(1) == labels_N
    bin_N = np.clip(np.ceil(sure_N * BINS).astype(int) - 1, 0, BINS - 1)
    gap_B = np.bincount(bin_N, right_N - sure_N, minlength=BINS)
    return float(np.abs(gap_B).sum() / len(labels_N))
