"""Predictions of the streams and of the ensemble on the held-out clips, and the measures that most sections use."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.special import softmax

from ..config.report import ReportStep
from ..ensembles.fusion import usable
from ..measures.ablation import make_ablation
from ..measures.people import people_by_clip
from .measures import count_confusion
from .results import Results


@dataclass(frozen=True)
class Measured:
    """The labelled clips that have predictions from every stream, in natural order of their ids.

    ``plain_SNK`` are the uncalibrated probabilities of the streams, ``calibrated_SNK`` the calibrated ones, and
    ``fused_NK`` those of the ensemble. ``without_S`` is the ensemble's accuracy without one stream, with the other
    weights unchanged; it is NaN if no stream is left. ``confusion_KK`` is the ensemble's confusion matrix. ``table``
    has one row for each stream and then one for the ensemble, as in the ablation table; without clips it is empty.
    """

    streams: Sequence[str]
    ensemble: str
    clip_ids: np.ndarray
    labels_N: np.ndarray
    person_N: np.ndarray
    plain_SNK: np.ndarray
    calibrated_SNK: np.ndarray
    fused_NK: np.ndarray
    without_S: np.ndarray
    confusion_KK: np.ndarray
    table: pd.DataFrame

    @property
    def said(self) -> dict[str, np.ndarray]:
        """The uncalibrated probabilities (N, K) of each stream, then those of the ensemble, by name."""
        return dict(zip(self.streams, self.plain_SNK, strict=True)) | {self.ensemble: self.fused_NK}


def measure_held_out(step: ReportStep, results: Results) -> Measured:
    """Measure the streams and the ensemble of a report on its held-out clips."""
    held_out = results.held_out
    common_N = usable(held_out.logits_SNK).all(0)
    clip_ids = np.array(held_out.clip_ids, object)[common_N]
    labels_N = held_out.labels_N[common_N]
    person_N = people_by_clip(results.clips)[clip_ids].to_numpy()
    plain_SNK = softmax(held_out.logits_SNK[:, common_N], axis=2)
    fused_NK = held_out.fused()[common_N]
    streams = range(len(step.streams))
    without_S = [_accuracy(held_out.fused(left_out)[common_N], labels_N) for left_out in streams]
    said = dict(zip(step.streams, plain_SNK, strict=True)) | {step.measured: fused_NK}
    return Measured(
        streams=step.streams,
        ensemble=step.measured,
        clip_ids=clip_ids,
        labels_N=labels_N,
        person_N=person_N,
        plain_SNK=plain_SNK,
        calibrated_SNK=held_out.calibrated()[:, common_N],
        fused_NK=fused_NK,
        without_S=np.array(without_S),
        confusion_KK=count_confusion(labels_N, fused_NK.argmax(1), fused_NK.shape[1]),
        table=make_ablation(dict.fromkeys(said), said, labels_N, person_N),
    )


def _accuracy(said_NK: np.ndarray, labels_N: np.ndarray) -> float:
    if not len(labels_N) or np.isnan(said_NK).any():
        return np.nan
    return float((said_NK.argmax(1) == labels_N).mean())
