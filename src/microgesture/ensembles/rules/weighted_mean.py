"""The weighted mean of the streams' probabilities, for all rules that fit one weight for each stream."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.special import softmax

from ..calibration import SMALLEST


@dataclass(frozen=True)
class WeightedMean:
    """One weight for each stream, on the simplex."""

    weights_S: np.ndarray

    @classmethod
    def scaled(cls, weights_S: np.ndarray) -> "WeightedMean":
        """The mean with these weights, divided by their sum."""
        return cls(weights_S / weights_S.sum())

    def apply(self, probabilities_SNK: np.ndarray) -> np.ndarray:
        """The weighted mean (N, K) of probabilities (S, N, K), which are NaN if a stream could not use a clip.

        The weights of the other streams are then scaled to the sum 1. The mean is NaN if no stream could use the clip.
        """
        usable_SN = ~np.isnan(probabilities_SNK).any(2)
        share_SN1 = (usable_SN * self.weights_S[:, None])[..., None]
        total_NK, share_N1 = (share_SN1 * np.nan_to_num(probabilities_SNK)).sum(0), share_SN1.sum(0)
        return np.divide(total_NK, share_N1, where=share_N1 > 0, out=np.full_like(total_NK, np.nan))

    def to_json(self, streams: Sequence[str]) -> dict[str, Any]:
        """The key ``weights``, with the weight of each stream under its name."""
        return {"weights": dict(zip(streams, self.weights_S.tolist(), strict=True))}


def pooled(weights_S: np.ndarray, probabilities_SNK: np.ndarray, pool: str) -> np.ndarray:
    """The weighted mean (N, K) of probabilities, or with ``pool`` "log" of their logarithms, scaled to the sum 1."""
    if pool == "linear":
        return np.tensordot(weights_S, probabilities_SNK, 1)
    return softmax(np.tensordot(weights_S, np.log(np.maximum(probabilities_SNK, SMALLEST)), 1), axis=1)


def from_json(stored: Mapping[str, Any], streams: Sequence[str]) -> WeightedMean:
    """Create the mean from the output of ``to_json``; raises ``ValueError`` if weights are negative or all 0."""
    weights_S = np.array([stored["weights"][stream] for stream in streams], float)
    if not np.isfinite(weights_S).all() or weights_S.min() < 0 or weights_S.sum() <= 0:
        raise ValueError(f"the weights are {weights_S.tolist()}")
    return WeightedMean(weights_S)
