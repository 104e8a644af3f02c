"""The weighted mean with the highest accuracy on labelled clips, found by grid search."""

import math
from itertools import combinations

import numpy as np

from ..calibration import negative_log_likelihood
from .weighted_mean import WeightedMean, from_json, pooled

__all__ = ["fit", "from_json"]

GRIDS, MOST_POINTS = (20, 10, 5, 4, 3, 2), 5000  # steps of a weight from 0 to 1, finest first; grid points at most


def fit(probabilities_SNK: np.ndarray, labels_N: np.ndarray, pool: str = "linear") -> WeightedMean:
    """The mean with the weights of ``grid_weights``."""
    return WeightedMean.scaled(grid_weights(probabilities_SNK, labels_N, pool))


def grid_weights(probabilities_SNK: np.ndarray, labels_N: np.ndarray, pool: str = "linear") -> np.ndarray:
    """The weights (S,) with the highest accuracy on a regular grid over the simplex; ties go to the highest likelihood.

    Many published ensembles use it, for example the fourth-placed method of MiGA 2026. The step of the grid is 0.05,
    and larger for more than 4 streams.
    """
    streams = len(probabilities_SNK)
    steps = next((steps for steps in GRIDS if math.comb(steps + streams - 1, streams - 1) <= MOST_POINTS), GRIDS[-1])
    best, found_S = (-1.0, 0.0), np.full(streams, 1 / streams)
    for bars in combinations(range(steps + streams - 1), streams - 1):
        weights_S = (np.diff([-1, *bars, steps + streams - 1]) - 1) / steps  # stars and bars: all compositions
        fused_NK = pooled(weights_S, probabilities_SNK, pool)
        score = np.mean(fused_NK.argmax(1) == labels_N), -negative_log_likelihood(fused_NK, labels_N)
        if score > best:
            best, found_S = score, weights_S
    return found_S
