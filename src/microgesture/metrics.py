"""How good predictions are."""

from dataclasses import asdict, dataclass

import numpy as np
from sklearn.metrics import f1_score


@dataclass(frozen=True)
class Metrics:
    """Scores of a set of predictions, each in [0, 1]; the class means are over the classes that occur."""

    clips: int
    accuracy: float
    balanced_accuracy: float
    macro_f1: float
    top5: float

    def rounded(self) -> dict[str, float]:
        """The values to four digits, for tables."""
        return {name: value if name == "clips" else round(value, 4) for name, value in asdict(self).items()}


def measure(probabilities_NK: np.ndarray, labels_N: np.ndarray) -> Metrics:
    """Compare probabilities (N, K) with true labels (N,); N must not be 0."""
    predicted_N = probabilities_NK.argmax(1)
    correct_N = predicted_N == labels_N
    present = np.unique(labels_N)
    ranks_N = (probabilities_NK > probabilities_NK[np.arange(len(labels_N)), labels_N][:, None]).sum(1)
    return Metrics(
        clips=len(labels_N),
        accuracy=float(correct_N.mean()),
        balanced_accuracy=float(np.mean([correct_N[labels_N == label].mean() for label in present])),
        macro_f1=float(f1_score(labels_N, predicted_N, labels=present, average="macro", zero_division=0)),
        top5=float((ranks_N < 5).mean()),
    )
