"""Fusion of streams: calibrated, id-keyed, weighted averages of probabilities."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from scipy.optimize import minimize, minimize_scalar
from scipy.special import softmax

from .clips import Clips, class_counts
from .errors import InputError
from .files import replacing, write_csv, write_json
from .metrics import measure
from .scores import Scores, read_scores

PREDICTIONS = pa.schema([("clip_id", pa.string()), ("probabilities", pa.list_(pa.float32())), ("streams", pa.int32())])


@dataclass(frozen=True)
class Fusion:
    """How streams are joined: a temperature and a weight for each, the weights on the simplex."""

    temperatures: dict[str, float]
    weights: dict[str, float]


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


def fuse(scores: Mapping[str, Scores], fusion: Fusion, clip_id: str) -> tuple[np.ndarray | None, int]:
    """The averaged probabilities (K,) of a clip and how many streams gave them; None where no stream could.

    The weights of streams that could not use the clip go to the others. Raises ``InputError`` if a stream has neither
    logits nor a reason for the clip.
    """
    total, weight, used = 0.0, 0.0, 0
    for stream, given in scores.items():
        if clip_id in given.logits:
            share = fusion.weights[stream]
            total = total + share * softmax(given.logits[clip_id].astype(np.float64) / fusion.temperatures[stream])
            weight, used = weight + share, used + 1
        elif clip_id not in given.reasons:
            raise InputError(f"stream '{stream}' has no scores for clip {clip_id}; delete its scores and run again")
    return (total / weight if weight > 0 else None), used


def fit_fusion(
    scores: Mapping[str, Scores],
    labels: Mapping[str, int],
    weights: Literal["search", "equal"] | Mapping[str, float],
    calibrate: bool,
) -> Fusion:
    """Fit temperatures and weights on the labelled clips that every stream has; equal weights where there are none."""
    streams = list(scores)
    common = _common(scores, labels)
    temperatures_S, weights_S = np.ones(len(streams)), np.full(len(streams), 1 / len(streams))
    if common:
        labels_N = np.array([labels[clip_id] for clip_id in common])
        logits_SNK = np.array([[scores[stream].logits[clip_id] for clip_id in common] for stream in streams], float)
        if calibrate:
            temperatures_S = np.array([fit_temperature(logits_NK, labels_N) for logits_NK in logits_SNK])
        if weights == "search":
            weights_S = search_weights(softmax(logits_SNK / temperatures_S[:, None, None], axis=2), labels_N)
    if isinstance(weights, Mapping):
        weights_S = np.array([weights[stream] for stream in streams], float)
    weights_S = weights_S / weights_S.sum()
    return Fusion(
        dict(zip(streams, temperatures_S.tolist(), strict=True)), dict(zip(streams, weights_S.tolist(), strict=True))
    )


def _common(scores: Mapping[str, Scores], labels: Mapping[str, int]) -> list[str]:
    return [clip_id for clip_id in labels if all(clip_id in given.logits for given in scores.values())]


def predict_split(scores: Mapping[str, Scores], fusion: Fusion, clips: Clips, split: str) -> pa.Table:
    """The predictions of every clip of a split, by ``PREDICTIONS``, in the table's order.

    A clip that is quarantined, or that no stream could use, gets the share of each class in the training split.
    """
    table = clips.table
    counts = class_counts(table.label[table.split == "train"].dropna(), len(clips.classes))
    prior_K = np.array(counts) / sum(counts)
    rows = []
    for clip in table[table.split == split].itertuples():
        fused_K, used = fuse(scores, fusion, clip.clip_id) if clip.status == "ok" else (None, 0)
        probabilities_K = prior_K if fused_K is None else fused_K
        rows.append({"clip_id": clip.clip_id, "probabilities": probabilities_K.tolist(), "streams": used})
    return pa.Table.from_pylist(rows, PREDICTIONS)


def summarise(scores: Mapping[str, Scores], fusion: Fusion, labels: Mapping[str, int], name: str) -> pd.DataFrame:
    """One row a stream and one for the ensemble: how good each is on the labelled clips that every stream has.

    ``without`` is the ensemble's accuracy when that stream is left out and the other weights are kept.
    """
    common = _common(scores, labels)
    labels_N = np.array([labels[clip_id] for clip_id in common])

    def measured(fusion: Fusion) -> dict[str, float]:
        members = {stream: scores[stream] for stream in fusion.weights}
        return measure(np.array([fuse(members, fusion, clip_id)[0] for clip_id in common]), labels_N).rounded()

    rows = []
    for stream, weight in fusion.weights.items() if common else ():
        alone = measured(Fusion(fusion.temperatures, {stream: 1.0}))
        rest = {other: share for other, share in fusion.weights.items() if other != stream}
        without = measured(Fusion(fusion.temperatures, rest))["accuracy"] if sum(rest.values()) > 0 else None
        rows.append({"name": stream, "kind": "stream", **alone, "weight": round(weight, 4), "without": without})
    if common:
        rows.append({"name": name, "kind": "ensemble", **measured(fusion)})
    columns = ["name", "kind", "clips", "accuracy", "balanced_accuracy", "macro_f1", "top5", "weight", "without"]
    return pd.DataFrame(rows, columns=columns)


def run_ensemble(
    name: str,
    clips: Clips,
    scores: Mapping[str, Mapping[str, Path]],
    outputs: Mapping[str, Path],
    fusion_path: Path,
    summary_path: Path,
    weights: Literal["search", "equal"] | Mapping[str, float],
    calibrate: bool,
) -> None:
    """Fit an ensemble on the validation split and write its predictions for each split.

    ``scores[stream][split]`` and ``outputs[split]`` are files. Clips of a split without labels are predicted all the
    same.
    """
    read = {split: {stream: read_scores(files[split]) for stream, files in scores.items()} for split in outputs}
    labelled = clips.usable[(clips.usable.split == "val") & clips.usable.label.notna()]
    labels = {row.clip_id: int(row.label) for row in labelled.itertuples()}
    fusion = fit_fusion(read["val"], labels, weights, calibrate)
    for split, output in outputs.items():
        with replacing(output) as temporary:
            pq.write_table(predict_split(read[split], fusion, clips, split), temporary)
    fitted = {"streams": list(scores), "temperatures": fusion.temperatures, "weights": fusion.weights}
    write_json(fusion_path, {"ensemble": name, **fitted, "fitted_on": {"split": "val", "clips": len(labels)}})
    write_csv(summary_path, summarise(read["val"], fusion, labels, name))
