"""The unweighted mean of the streams' probabilities."""

import numpy as np

from .weighted_mean import WeightedMean, from_json

__all__ = ["fit", "from_json"]


def fit(probabilities_SNK: np.ndarray, labels_N: np.ndarray) -> WeightedMean:
    """The mean with equal weights."""
    return WeightedMean.scaled(np.full(len(probabilities_SNK), 1 / len(probabilities_SNK)))
