"""Temperature scaling: calibration of a stream by dividing its logits by a temperature."""

import numpy as np
from scipy.optimize import minimize_scalar
from scipy.special import softmax


def fit_temperature(logits_NK: np.ndarray, labels_N: np.ndarray) -> float:
    """The temperature in [0.05, 20] that minimises the negative log-likelihood (Guo et al., ICML 2017).

    The result is never worse than at temperature 1.
    """

    def loss(log_temperature: float) -> float:
        return negative_log_likelihood(softmax(logits_NK / np.exp(log_temperature), axis=1), labels_N)

    found = minimize_scalar(loss, bounds=(np.log(0.05), np.log(20)), method="bounded")
    return float(np.exp(found.x)) if found.fun < loss(0.0) else 1.0


def negative_log_likelihood(probabilities_NK: np.ndarray, labels_N: np.ndarray) -> float:
    """The mean of -log p(true class)."""
    return float(-np.log(np.maximum(probabilities_NK[np.arange(len(labels_N)), labels_N], 1e-12)).mean())
