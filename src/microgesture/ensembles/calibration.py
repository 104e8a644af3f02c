"""Temperature scaling: calibration of a stream by dividing its logits by a temperature."""

import numpy as np
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax, softmax

SMALLEST = 1e-12  # probability


def fit_temperature(logits_NK: np.ndarray, labels_N: np.ndarray) -> float:
    """The temperature in [0.05, 20] that minimises the negative log-likelihood (Guo et al., ICML 2017).

    The result is never worse than at temperature 1.
    """

    def loss(log_temperature: float) -> float:
        return negative_log_likelihood(softmax(logits_NK / np.exp(log_temperature), axis=1), labels_N)

    found = minimize_scalar(loss, bounds=(np.log(0.05), np.log(20)), method="bounded")
    return float(np.exp(found.x)) if found.fun < loss(0.0) else 1.0


def fit_pool_temperature(probabilities_NK: np.ndarray, labels_N: np.ndarray) -> float:
    """The temperature in [0.05, 20] that calibrates fused probabilities (see ``sharpened``).

    A mean of calibrated forecasts is underconfident (Ranjan and Gneiting, JRSS B 2010, theorem 1), so it is mostly
    below 1. The target of the true class is (N + 1) / (N + 2) and not 1, as in Platt scaling (Platt, 1999, section
    2.2): otherwise clips that are all predicted correctly would ask for certainty.
    """
    clips, classes = probabilities_NK.shape
    logits_NK = np.log(np.maximum(probabilities_NK, SMALLEST))
    targets_NK = np.full_like(logits_NK, 1 / (clips + 2) / max(classes - 1, 1))
    targets_NK[np.arange(clips), labels_N] = (clips + 1) / (clips + 2)

    def loss(log_temperature: float) -> float:
        return float(-(targets_NK * log_softmax(logits_NK / np.exp(log_temperature), axis=1)).sum(1).mean())

    found = minimize_scalar(loss, bounds=(np.log(0.05), np.log(20)), method="bounded")
    return float(np.exp(found.x)) if found.fun < loss(0.0) else 1.0


def sharpened(probabilities_NK: np.ndarray, temperature: float) -> np.ndarray:
    """Probabilities to the power 1 / ``temperature``, scaled to the sum 1; the order of the classes stays the same."""
    if temperature == 1:
        return probabilities_NK
    return softmax(np.log(np.maximum(probabilities_NK, SMALLEST)) / temperature, axis=1)


def negative_log_likelihood(probabilities_NK: np.ndarray, labels_N: np.ndarray) -> float:
    """The mean of -log p(true class)."""
    return float(-np.log(np.maximum(probabilities_NK[np.arange(len(labels_N)), labels_N], SMALLEST)).mean())
