"""Metrics of predictions."""

from dataclasses import asdict, astuple, dataclass

import numpy as np

BINS = 15  # of confidence, for the calibration error


@dataclass(frozen=True)
class Metrics:
    """Metrics of a set of predictions, each in [0, 1]; class means are over the classes that occur."""

    clips: int
    accuracy: float
    balanced_accuracy: float
    macro_f1: float
    top5: float

    def rounded(self) -> dict[str, float]:
        """The values rounded to four digits, for tables."""
        return {name: value if name == "clips" else round(value, 4) for name, value in asdict(self).items()}


@dataclass(frozen=True)
class Counts:
    """Counts of clips by group and class, from which all metrics are computed; counts of groups can be added.

    For each class: ``true_GK`` clips have it, ``predicted_GK`` are predicted to have it, ``right_GK`` are both, and
    ``top5_GK`` have it among their five most probable classes.
    """

    true_GK: np.ndarray
    predicted_GK: np.ndarray
    right_GK: np.ndarray
    top5_GK: np.ndarray

    def sums(self, times_DG: np.ndarray) -> "Counts":
        """The counts of weighted sums of groups: row d of ``times_DG`` has the weight of each group."""
        return Counts(*(times_DG @ counts_GK for counts_GK in astuple(self)))

    def metrics(self) -> dict[str, np.ndarray]:
        """The fields of ``Metrics``, each (G,); every group must have at least one clip."""
        clips_G = self.true_GK.sum(1)
        present_GK = self.true_GK > 0
        recall_GK = self.right_GK / np.maximum(self.true_GK, 1)
        f1_GK = present_GK * 2 * self.right_GK / np.maximum(self.true_GK + self.predicted_GK, 1)
        return {
            "clips": clips_G,
            "accuracy": self.right_GK.sum(1) / clips_G,
            "balanced_accuracy": recall_GK.sum(1) / present_GK.sum(1),
            "macro_f1": f1_GK.sum(1) / present_GK.sum(1),
            "top5": self.top5_GK.sum(1) / clips_G,
        }


def count(scores_NK: np.ndarray, labels_N: np.ndarray, group_N: np.ndarray, groups: int) -> Counts:
    """Count clips by group (0 to ``groups`` - 1) and class; the scores may be logits or probabilities."""
    classes = scores_NK.shape[1]
    predicted_N = scores_NK.argmax(1)
    ranks_N = (scores_NK > scores_NK[np.arange(len(labels_N)), labels_N][:, None]).sum(1)

    def counted(classes_N: np.ndarray, among_N: np.ndarray | slice = slice(None)) -> np.ndarray:
        cells_N = (group_N * classes + classes_N)[among_N]
        return np.bincount(cells_N, minlength=groups * classes).reshape(groups, classes)

    return Counts(
        true_GK=counted(labels_N),
        predicted_GK=counted(predicted_N),
        right_GK=counted(labels_N, predicted_N == labels_N),
        top5_GK=counted(labels_N, ranks_N < 5),
    )


def measure(scores_NK: np.ndarray, labels_N: np.ndarray) -> Metrics:
    """Compare probabilities or logits (N, K) with true labels (N,); N must not be 0."""
    found = count(scores_NK, labels_N, np.zeros(len(labels_N), int), 1).metrics()
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
