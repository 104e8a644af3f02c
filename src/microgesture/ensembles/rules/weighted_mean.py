"""The weighted mean of the streams' probabilities, whichever way its weights were found."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np


@dataclass(frozen=True)
class WeightedMean:
    """One weight for each stream, on the simplex."""

    weights_S: np.ndarray

    @classmethod
    def scaled(cls, weights_S: np.ndarray) -> "WeightedMean":
        """The mean with these weights, divided by their sum."""
        return cls(weights_S / weights_S.sum())

    def apply(self, probabilities_SNK: np.ndarray) -> np.ndarray:
        """The mean (N, K) of probabilities (S, N, K), which are NaN where a stream could not use a clip.

        The weights of such streams go to the others; without any other the clip's mean is NaN.
        """
        usable_SN = ~np.isnan(probabilities_SNK).any(2)
        share_SN1 = (usable_SN * self.weights_S[:, None])[..., None]
        total_NK, share_N1 = (share_SN1 * np.nan_to_num(probabilities_SNK)).sum(0), share_SN1.sum(0)
        return np.divide(total_NK, share_N1, where=share_N1 > 0, out=np.full_like(total_NK, np.nan))

    def to_json(self, streams: Sequence[str]) -> dict[str, Any]:
        """The key ``weights``: one number for each stream by its name."""
        return {"weights": dict(zip(streams, self.weights_S.tolist(), strict=True))}


def from_json(stored: Mapping[str, Any], streams: Sequence[str]) -> WeightedMean:
    """The mean of these streams that ``to_json`` has written."""
    return WeightedMean(np.array([stored["weights"][stream] for stream in streams]))
