"""What an accuracy is compared with: guessing, the most frequent class, and the error of a small sample."""

import numpy as np
import pandas as pd

from .metrics import measure

CHANCE, MOST_FREQUENT = "guessing", "most frequent class"


def baselines(labels_N: np.ndarray) -> pd.DataFrame:
    """One row for guessing among the classes of these clips, and one for always the most frequent of them.

    A corpus may have more classes than occur among the clips; to guess among fewer is a higher bar. The columns are
    ``name`` and metrics in [0, 1]. The F1 of guessing is NaN, because its expected value is not simple. The top 5 of
    the second row are the five most frequent classes.
    """
    among = len(np.unique(labels_N))
    guessed = {"accuracy": 1 / among, "balanced_accuracy": 1 / among, "top5": min(5, among) / among}
    rank_K = np.argsort(np.argsort(np.bincount(labels_N), kind="stable"))
    constant = measure(np.tile(rank_K, (len(labels_N), 1)), labels_N).rounded()
    return pd.DataFrame([{"name": CHANCE, **guessed}, {"name": MOST_FREQUENT, **constant}])


def baseline_accuracies(labels_N: np.ndarray) -> dict[str, float]:
    """The accuracies of both baselines, by the columns that tables have for them; NaN without clips."""
    both = baselines(labels_N).accuracy if len(labels_N) else (np.nan, np.nan)
    return dict(zip(("chance", "most_frequent"), both, strict=True))


def in_words(chance: float, most_frequent: float) -> str:
    """The accuracies of both baselines, as a sentence."""
    return f"Guessing a class: {chance:.3f}; always the most frequent class: {most_frequent:.3f}."


def wilson_interval(fraction: float, clips: int) -> tuple[float, float]:
    """The 95 % interval of a fraction of independent clips (Wilson, 1927)."""
    from scipy.stats import binomtest  # takes half a second to import

    found = binomtest(round(fraction * clips), clips).proportion_ci(0.95, method="wilson")
    return found.low, found.high
