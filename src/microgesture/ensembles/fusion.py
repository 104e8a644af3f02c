"""Fusion of streams: each stream is calibrated, and a fusion rule combines their probabilities."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from importlib import import_module
from typing import Any, NamedTuple, Protocol

import numpy as np
from scipy.special import log_softmax, softmax
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from ..config.ensembles import EQUAL, FUSION_RULES, GIVEN, POOLS
from ..errors import InputError
from ..storage.scores import Scores
from .calibration import fit_pool_temperature, fit_temperature, sharpened
from .rules.weighted_mean import WeightedMean


class FittedRule(Protocol):
    """A fitted fusion rule, as ``fit`` and ``from_json`` of its module return it."""

    def apply(self, probabilities_SNK: np.ndarray) -> np.ndarray:
        """Combine the calibrated probabilities (S, N, K) of the streams into one distribution (N, K).

        The probabilities of a stream that could not use a clip are NaN. The result is NaN if no stream could use it.
        """

    def to_json(self, streams: Sequence[str]) -> dict[str, Any]:
        """The complete state of the rule; numbers that belong to a stream are stored under its name.

        A rule with one weight for each stream stores them as ``weights``; report and card then show them.
        """


class Fitting(NamedTuple):
    """How a fusion is fitted; see ``config.ensembles.Ensemble`` for the settings of the same names.

    ``weights`` is the name of one of ``FUSION_RULES``, or an array (S,), which is only scaled to the sum 1. If
    ``calibrate`` is a number, it is the temperature of every stream.
    """

    weights: str | np.ndarray
    calibrate: bool | float = True
    recalibrate: bool = True
    pool: str = "linear"


@dataclass(frozen=True)
class Fusion:
    """A fitted fusion: a temperature for each stream, a fitted rule, and the rule's name in ``FUSION_RULES``.

    ``temperature`` calibrates the fused probabilities. ``pool`` is "linear" for the mean of probabilities, or "log" for
    that of their logarithms.
    """

    temperatures_S: np.ndarray
    rule: FittedRule
    name: str = GIVEN.name
    temperature: float = 1.0
    pool: str = "linear"

    def to_json(self, streams: Sequence[str]) -> dict[str, Any]:
        """The fusion in the format of ``fusion.json`` and ``recogniser.json``."""
        temperatures = dict(zip(streams, self.temperatures_S.tolist(), strict=True))
        pooled = {"pool": self.pool, "temperature": self.temperature}
        return {"rule": self.name, "temperatures": temperatures, **pooled, **self.rule.to_json(streams)}

    @classmethod
    def from_json(cls, stored: Mapping[str, Any], streams: Sequence[str]) -> "Fusion":
        """Create a fusion from the output of ``to_json``; raises ``InputError`` if it is unknown or incomplete."""
        name = stored.get("rule")
        if not isinstance(name, str) or name not in FUSION_RULES:
            known = ", ".join(FUSION_RULES)
            raise InputError(f"the fusion rule '{name}' is not one of {known}; install the package that declares it")
        try:
            temperatures_S = np.array([stored["temperatures"][stream] for stream in streams], float)
            # A recogniser of an older version has none; its probabilities were as fused.
            temperature, pool = float(stored.get("temperature", 1)), stored.get("pool", POOLS[0])
            rule = import_module(FUSION_RULES[name].module).from_json(stored, streams)
        except (LookupError, TypeError, ValueError, OverflowError) as error:
            raise InputError(f"the fusion lacks numbers of its streams, or they are wrong ({error!r})") from None
        every = np.append(temperatures_S, temperature)
        if not (np.isfinite(every) & (every > 0)).all():
            raise InputError(f"the temperatures of the fusion are {every.tolist()}; all must be above 0")
        if pool not in POOLS:
            raise InputError(f"the pool of the fusion is {pool!r}, not one of {', '.join(POOLS)}")
        return cls(temperatures_S, rule, name, temperature, pool)


def stack(scores: Mapping[str, Scores], clip_ids: Sequence[str], classes: int) -> np.ndarray:
    """The log-probabilities of all streams for some clips, float64 (S, N, K), NaN if a stream could not use a clip.

    Raises ``InputError`` if a stream has neither scores nor a reason for a clip, or scores that are not finite.
    """
    logits_SNK = np.full((len(scores), len(clip_ids), classes), np.nan)
    for logits_NK, (stream, given) in zip(logits_SNK, scores.items(), strict=True):
        for row, clip_id in enumerate(clip_ids):
            if clip_id in given.log_probabilities:
                logits_NK[row] = given.log_probabilities[clip_id]
                if not np.isfinite(logits_NK[row]).all():
                    raise InputError(
                        f"stream '{stream}' has scores for clip {clip_id} that are not finite; train it again"
                    )
            elif clip_id not in given.reasons:
                raise InputError(f"stream '{stream}' has no scores for clip {clip_id}; delete its scores and run again")
    return logits_SNK


def usable(logits_SNK: np.ndarray) -> np.ndarray:
    """Whether each stream could use each clip, bool (S, N)."""
    return ~np.isnan(logits_SNK).any(2)


def fuse(logits_SNK: np.ndarray, fusion: Fusion) -> np.ndarray:
    """Fuse the logits (S, N, K) of the streams into one distribution (N, K); NaN for a clip that none could use."""
    return sharpened(_pooled(logits_SNK, fusion), fusion.temperature)


def _pooled(logits_SNK: np.ndarray, fusion: Fusion) -> np.ndarray:
    logits_SNK = logits_SNK / fusion.temperatures_S[:, None, None]
    if fusion.pool == "log":
        return softmax(fusion.rule.apply(log_softmax(logits_SNK, axis=2)), axis=1)
    return fusion.rule.apply(softmax(logits_SNK, axis=2))


def fit_fusion(logits_SNK: np.ndarray, labels_N: np.ndarray, how: Fitting) -> Fusion:
    """Fit temperatures and a rule on the clips that every stream could use; without such clips, use equal weights."""
    streams = len(logits_SNK)
    common_N = usable(logits_SNK).all(0)
    logits_SNK, labels_N = logits_SNK[:, common_N], labels_N[common_N]
    temperatures_S = np.ones(streams)
    if not isinstance(how.calibrate, bool):
        temperatures_S = np.full(streams, float(how.calibrate))
    elif len(labels_N) and how.calibrate:
        temperatures_S = np.array([fit_temperature(logits_NK, labels_N) for logits_NK in logits_SNK])
    if isinstance(how.weights, np.ndarray):
        rule, name = WeightedMean.scaled(how.weights.astype(float)), GIVEN.name
    else:
        chosen = FUSION_RULES[how.weights] if len(labels_N) else EQUAL
        probabilities_SNK = softmax(logits_SNK / temperatures_S[:, None, None], axis=2)
        options = {"pool": how.pool} if chosen.pools else {}
        rule, name = import_module(chosen.module).fit(probabilities_SNK, labels_N, **options), chosen.name
    fusion = Fusion(temperatures_S, rule, name, pool=how.pool)
    if how.recalibrate and len(labels_N):
        return replace(fusion, temperature=fit_pool_temperature(_pooled(logits_SNK, fusion), labels_N))
    return fusion


def cross_fit(logits_SNK: np.ndarray, labels_N: np.ndarray, fold_N: np.ndarray, how: Fitting) -> list[Fusion]:
    """One fusion for each fold, fitted on the clips of all other folds; no label of the fold itself is used."""
    others = [fold_N != fold for fold in range(fold_N.max() + 1)]
    return [fit_fusion(logits_SNK[:, rest_N], labels_N[rest_N], how) for rest_N in others]


def stacked(logits_SNK: np.ndarray, labels_N: np.ndarray, fold_N: np.ndarray) -> np.ndarray:
    """Stacking: the probabilities (N, K) of a logistic regression, fitted on all other folds of a clip.

    Its features are the log-probabilities of all streams. It serves as a comparison: it has a weight for every class of
    every stream, whereas a weighted mean has one for each stream. A class that the other folds lack gets probability 0.
    """
    features_NX = np.concatenate(log_softmax(logits_SNK, axis=2), axis=1)
    probabilities_NK = np.zeros(logits_SNK.shape[1:])
    for fold in np.unique(fold_N):
        own_N = fold_N == fold
        if len(known := np.unique(labels_N[~own_N])) < 2:
            probabilities_NK[own_N, known] = 1
            continue
        regression = make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000))
        regression.fit(features_NX[~own_N], labels_N[~own_N])
        probabilities_NK[np.ix_(own_N, regression.classes_)] = regression.predict_proba(features_NX[own_N])
    return probabilities_NK
