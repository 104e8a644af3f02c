"""Joining streams: calibrated, weighted averages of probabilities, and how they are fitted."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Literal

import numpy as np
from scipy.optimize import minimize, minimize_scalar
from scipy.special import log_softmax, softmax
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from ..errors import InputError
from ..storage.scores import Scores

Search = Literal["search", "grid", "equal"]
GRIDS, MOST_POINTS = (20, 10, 5, 4, 3, 2), 5000  # steps of a weight from 0 to 1, the finest first; points to try


@dataclass(frozen=True)
class Fusion:
    """How streams are joined: a temperature and a weight for each, the weights on the simplex."""

    temperatures_S: np.ndarray
    weights_S: np.ndarray


def stack(scores: Mapping[str, Scores], clip_ids: Sequence[str], classes: int) -> np.ndarray:
    """The logits of all streams for some clips, float64 (S, N, K), NaN where a stream could not use a clip.

    Raises ``InputError`` if a stream has neither logits nor a reason for a clip, or logits that are not finite.
    """
    logits_SNK = np.full((len(scores), len(clip_ids), classes), np.nan)
    for logits_NK, (stream, given) in zip(logits_SNK, scores.items(), strict=True):
        for row, clip_id in enumerate(clip_ids):
            if clip_id in given.logits:
                logits_NK[row] = given.logits[clip_id]
                if not np.isfinite(logits_NK[row]).all():
                    raise InputError(
                        f"stream '{stream}' has scores for clip {clip_id} that are no numbers; train it again"
                    )
            elif clip_id not in given.reasons:
                raise InputError(f"stream '{stream}' has no scores for clip {clip_id}; delete its scores and run again")
    return logits_SNK


def usable(logits_SNK: np.ndarray) -> np.ndarray:
    """Whether a stream could use a clip, bool (S, N)."""
    return ~np.isnan(logits_SNK).any(2)


def fuse(logits_SNK: np.ndarray, fusion: Fusion) -> np.ndarray:
    """The weighted mean (N, K) of the streams' tempered probabilities; NaN for a clip that none of them could use.

    The weights of streams that could not use a clip go to the others.
    """
    share_SN1 = (usable(logits_SNK) * fusion.weights_S[:, None])[..., None]
    probabilities_SNK = softmax(np.nan_to_num(logits_SNK) / fusion.temperatures_S[:, None, None], axis=2)
    total_NK, share_N1 = (share_SN1 * probabilities_SNK).sum(0), share_SN1.sum(0)
    return np.divide(total_NK, share_N1, where=share_N1 > 0, out=np.full_like(total_NK, np.nan))


def fit_fusion(
    logits_SNK: np.ndarray, labels_N: np.ndarray, weights: Search | np.ndarray, calibrate: bool | float
) -> Fusion:
    """Fit temperatures and weights on the clips that every stream could use; equal weights where there are none.

    Weights that are given (S,) are only scaled to the sum 1. Where ``calibrate`` is a number, it is each temperature.
    """
    streams = len(logits_SNK)
    common_N = usable(logits_SNK).all(0)
    logits_SNK, labels_N = logits_SNK[:, common_N], labels_N[common_N]
    temperatures_S, weights_S = np.ones(streams), np.full(streams, 1 / streams)
    if not isinstance(calibrate, bool):
        temperatures_S = np.full(streams, float(calibrate))
    elif len(labels_N) and calibrate:
        temperatures_S = np.array([fit_temperature(logits_NK, labels_N) for logits_NK in logits_SNK])
    if isinstance(weights, np.ndarray):
        weights_S = weights.astype(float)
    elif len(labels_N) and weights != "equal":
        find = search_weights if weights == "search" else grid_weights
        weights_S = find(softmax(logits_SNK / temperatures_S[:, None, None], axis=2), labels_N)
    return Fusion(temperatures_S, weights_S / weights_S.sum())


def cross_fit(
    logits_SNK: np.ndarray,
    labels_N: np.ndarray,
    fold_N: np.ndarray,
    weights: Search | np.ndarray,
    calibrate: bool | float,
) -> list[Fusion]:
    """One fusion for each fold, fitted on the clips of all others, so that it knows no label of its own fold."""
    others = [fold_N != fold for fold in range(fold_N.max() + 1)]
    return [fit_fusion(logits_SNK[:, rest_N], labels_N[rest_N], weights, calibrate) for rest_N in others]


def fit_temperature(logits_NK: np.ndarray, labels_N: np.ndarray) -> float:
    """The temperature in [0.05, 20] that minimises the negative log-likelihood (Guo et al., ICML 2017).

    The likelihood is never worse than at temperature 1.
    """

    def loss(log_temperature: float) -> float:
        return negative_log_likelihood(softmax(logits_NK / np.exp(log_temperature), axis=1), labels_N)

    found = minimize_scalar(loss, bounds=(np.log(0.05), np.log(20)), method="bounded")
    return float(np.exp(found.x)) if found.fun < loss(0.0) else 1.0


def negative_log_likelihood(probabilities_NK: np.ndarray, labels_N: np.ndarray) -> float:
    """Mean of -log p(true class)."""
    return float(-np.log(np.maximum(probabilities_NK[np.arange(len(labels_N)), labels_N], 1e-12)).mean())


def search_weights(probabilities_SNK: np.ndarray, labels_N: np.ndarray) -> np.ndarray:
    """Weights on the simplex (S,) under which the recalibrated average of the probabilities is most likely.

    An average of calibrated forecasts is less sure than it should be (Ranjan and Gneiting, 2010), so its plain
    likelihood favours the one surest stream over a better team. The average is therefore sharpened by a temperature of
    its own, found along with the weights; it changes no decision. A prior that counts as one clip for each stream keeps
    the luck of a few clips from giving a stream up.
    """
    streams, clips = len(probabilities_SNK), len(labels_N)

    def loss(free: np.ndarray) -> float:
        weights_S, temperature = softmax(free[:-1]), np.exp(free[-1])
        pooled_NK = np.tensordot(weights_S, probabilities_SNK, 1)
        sharpened_NK = softmax(np.log(np.maximum(pooled_NK, 1e-12)) / temperature, axis=1)
        return negative_log_likelihood(sharpened_NK, labels_N) - np.log(weights_S).sum() / clips

    bounds = [(-10, 10)] * streams + [(np.log(0.1), np.log(3))]
    return softmax(minimize(loss, np.zeros(streams + 1), method="L-BFGS-B", bounds=bounds).x[:-1])


def grid_weights(probabilities_SNK: np.ndarray, labels_N: np.ndarray) -> np.ndarray:
    """The weights (S,) of an even grid on the simplex whose average is right most often, then the likeliest of them.

    How ensembles are often published, such as the fourth place of MiGA 2026. The grid is in steps of 0.05, coarser for
    more than 4 streams.
    """
    streams = len(probabilities_SNK)
    steps = next((steps for steps in GRIDS if math.comb(steps + streams - 1, streams - 1) <= MOST_POINTS), GRIDS[-1])
    best, found_S = (-1.0, 0.0), np.full(streams, 1 / streams)
    for bars in combinations(range(steps + streams - 1), streams - 1):
        weights_S = (np.diff([-1, *bars, steps + streams - 1]) - 1) / steps  # stars and bars: every way to deal steps
        pooled_NK = np.tensordot(weights_S, probabilities_SNK, 1)
        score = np.mean(pooled_NK.argmax(1) == labels_N), -negative_log_likelihood(pooled_NK, labels_N)
        if score > best:
            best, found_S = score, weights_S
    return found_S


def stacked(logits_SNK: np.ndarray, labels_N: np.ndarray, fold_N: np.ndarray) -> np.ndarray:
    """What a logistic regression on all streams' log probabilities says of each fold, fitted on the others, (N, K).

    Stacking, for comparison: it has a weight for every class of every stream, where a weighted mean has one a stream.
    A class that the other folds lack gets probability 0.
    """
    features_NX = np.concatenate(log_softmax(logits_SNK, axis=2), axis=1)
    said_NK = np.zeros(logits_SNK.shape[1:])
    for fold in np.unique(fold_N):
        own_N = fold_N == fold
        if len(known := np.unique(labels_N[~own_N])) < 2:
            said_NK[own_N, known] = 1
            continue
        regression = make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000))
        regression.fit(features_NX[~own_N], labels_N[~own_N])
        said_NK[np.ix_(own_N, regression.classes_)] = regression.predict_proba(features_NX[own_N])
    return said_NK
