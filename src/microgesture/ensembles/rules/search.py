"""The weighted mean with the highest likelihood on labelled clips."""

import numpy as np
from scipy.optimize import minimize
from scipy.special import softmax

from ..calibration import negative_log_likelihood, sharpened
from .weighted_mean import WeightedMean, from_json, pooled

__all__ = ["fit", "from_json"]


def fit(probabilities_SNK: np.ndarray, labels_N: np.ndarray, pool: str = "linear") -> WeightedMean:
    """The mean with the weights of ``search_weights``."""
    return WeightedMean.scaled(search_weights(probabilities_SNK, labels_N, pool))


def search_weights(probabilities_SNK: np.ndarray, labels_N: np.ndarray, pool: str = "linear") -> np.ndarray:
    """Weights on the simplex (S,) that maximise the likelihood of the recalibrated mean of the probabilities.

    A mean of calibrated forecasts is underconfident (Ranjan and Gneiting, 2010). Its plain likelihood therefore favours
    the single most confident stream over a better combination. So the mean is sharpened by a temperature that is fitted
    together with the weights; it does not change the predicted class. A prior that counts as one clip for each stream
    prevents weights of 0 due to chance in a few clips.
    """
    streams, clips = len(probabilities_SNK), len(labels_N)

    def loss(free: np.ndarray) -> float:
        weights_S, temperature = softmax(free[:-1]), np.exp(free[-1])
        fused_NK = sharpened(pooled(weights_S, probabilities_SNK, pool), temperature)
        return negative_log_likelihood(fused_NK, labels_N) - np.log(weights_S).sum() / clips

    bounds = [(-10, 10)] * streams + [(np.log(0.1), np.log(3))]
    return softmax(minimize(loss, np.zeros(streams + 1), method="L-BFGS-B", bounds=bounds).x[:-1])
