"""An ensemble of streams: fitting, evaluation on held-out clips, and predictions."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from scipy.special import softmax

from ..errors import InputError
from ..measures.baselines import baseline_accuracies
from ..measures.metrics import expected_calibration_error, measure
from ..measures.people import count_people, people_by_clip, people_folds
from ..storage.clips import Clips, class_counts, natural_key
from ..storage.files import read_json, write_csv, write_json
from ..storage.scores import Scores, read_folds, read_scores, write_predictions
from .calibration import negative_log_likelihood
from .fusion import Fitting, Fusion, cross_fit, fit_fusion, fuse, stack, stacked, usable

COMPARED_FOLDS = 5  # parts of val for the evaluation of stacking


@dataclass(frozen=True)
class HeldOut:
    """The labelled clips on which an ensemble is fitted and evaluated, sorted by the numbers in their ids.

    ``fusions[fold]`` predicts the clips of a fold and was fitted without them. Without folds, all clips are in fold 0,
    and its fusion was fitted on these clips.
    """

    clip_ids: tuple[str, ...]
    labels_N: np.ndarray
    logits_SNK: np.ndarray
    fold_N: np.ndarray
    fusions: Sequence[Fusion]

    def calibrated(self) -> np.ndarray:
        """The calibrated probabilities of each stream (S, N, K)."""
        temperatures_SF = np.stack([fusion.temperatures_S for fusion in self.fusions], 1)
        return softmax(self.logits_SNK / temperatures_SF[:, self.fold_N][..., None], axis=2)

    def fused(self, left_out: int | None = None) -> np.ndarray:
        """The fused probabilities (N, K), optionally without one stream; NaN if no stream could use a clip."""
        logits_SNK, fused_NK = self.logits_SNK.copy(), np.empty(self.logits_SNK.shape[1:])
        if left_out is not None:
            logits_SNK[left_out] = np.nan
        for fold, fusion in enumerate(self.fusions):
            own_N = self.fold_N == fold
            fused_NK[own_N] = fuse(logits_SNK[:, own_N], fusion)
        return fused_NK

    def predicted(self, clips: Clips) -> np.ndarray:
        """The fused probabilities (N, K); the class fractions of train in other folds if no stream is left."""
        predicted_NK = self.fused()
        for fold in range(len(self.fusions)):
            own_N = self.fold_N == fold
            predicted_NK[own_N] = _or_prior(predicted_NK[own_N], class_prior(clips, np.array(self.clip_ids)[own_N]))
        return predicted_NK


def hold_out(
    clips: Clips,
    scores: Mapping[str, Scores],
    fold: Mapping[str, int] | None,
    how: Fitting,
    taken: Fusion | None = None,
) -> tuple[HeldOut, Fusion]:
    """The held-out clips with their fusions, and a fusion that is fitted on all of them, for all other clips.

    ``fold`` maps each labelled clip of train and val to its fold, and ``scores`` are predictions of streams that were
    trained without that fold. The fusion of each fold is fitted on the clips of the other folds. If ``fold`` is None,
    the fusion is fitted on the labelled clips of val and evaluated on the same clips. If a fusion is given as
    ``taken``, nothing is fitted.
    """
    known = clips.usable[clips.usable.label.notna()]
    known = known[known.split.isin(["val"] if fold is None else ["train", "val"])]
    labels = dict(zip(known.clip_id, known.label.astype(int), strict=True))
    clip_ids = tuple(sorted(labels, key=natural_key))
    labels_N = np.array([labels[clip_id] for clip_id in clip_ids], int)
    logits_SNK = stack(scores, clip_ids, len(clips.classes))
    fusion = taken or fit_fusion(logits_SNK, labels_N, how)
    if fold is None:
        return HeldOut(clip_ids, labels_N, logits_SNK, np.zeros(len(clip_ids), int), [fusion]), fusion
    fold_N = np.array([fold[clip_id] for clip_id in clip_ids])
    parts = fold_N.max() + 1
    fusions = [taken] * parts if taken else cross_fit(logits_SNK, labels_N, fold_N, how)
    return HeldOut(clip_ids, labels_N, logits_SNK, fold_N, fusions), fusion


def class_prior(clips: Clips, without: Collection[str] = ()) -> np.ndarray:
    """The fraction (K,) of each class in the training split, excluding the clips ``without``."""
    table = clips.table[(clips.table.split == "train") & ~clips.table.clip_id.isin(without)]
    counts_K = np.array(class_counts(table.label.dropna(), len(clips.classes)))
    return counts_K / counts_K.sum()


def predict_split(
    scores: Mapping[str, Scores], fusion: Fusion, clips: Clips, split: str
) -> tuple[list[str], np.ndarray, np.ndarray]:
    """The clips of a split in the table's order, their probabilities (N, K), and the number of streams used (N,).

    A clip that is quarantined, or that no stream could use, gets the fraction of each class in the training split.
    """
    table = clips.table[clips.table.split == split]
    usable_N = (table.status == "ok").to_numpy()
    prior_K = class_prior(clips)
    logits_SUK = stack(scores, list(table.clip_id[usable_N]), len(clips.classes))
    probabilities_NK, streams_N = np.tile(prior_K, (len(table), 1)), np.zeros(len(table), int)
    probabilities_NK[usable_N] = _or_prior(fuse(logits_SUK, fusion), prior_K)
    streams_N[usable_N] = usable(logits_SUK).sum(0)
    return list(table.clip_id), probabilities_NK, streams_N


def _or_prior(fused_NK: np.ndarray, prior_K: np.ndarray) -> np.ndarray:
    return np.where(np.isnan(fused_NK), prior_K, fused_NK)


def cross_fitted(held_out: HeldOut, people: Sequence[str], how: Fitting) -> HeldOut:
    """The same clips, each predicted by a fusion that was fitted on other people: by folds of them, if there are none.

    With too few people or clips for two folds, the clips are returned as they are.
    """
    labels_N = held_out.labels_N
    parts = min(COMPARED_FOLDS, len(set(people)), np.bincount(labels_N, minlength=1).max(initial=0))
    if len(held_out.fusions) > 1 or parts < 2:
        return held_out
    fold_N = np.empty(len(labels_N), int)
    for fold, rows in enumerate(people_folds(labels_N, people, parts, seed=0)):
        fold_N[rows] = fold
    return replace(held_out, fold_N=fold_N, fusions=cross_fit(held_out.logits_SNK, labels_N, fold_N, how))


def summarise(
    name: str,
    streams: Sequence[str],
    held_out: HeldOut,
    fusion: Fusion,
    stacking: bool = False,
    crossed: HeldOut | None = None,
) -> pd.DataFrame:
    """The metrics of each stream and of the ensemble, one row each, on the held-out clips that every stream could use.

    ``weight`` is the weight of the stream in ``fusion``, if its rule has weights. ``without`` is the accuracy of the
    ensemble without that stream, with the other weights unchanged. ``ece_before`` and ``ece`` are the expected
    calibration errors before and after calibration, ``nll_before`` and ``nll`` the mean negative log-likelihoods. Those
    of the ensemble are measured without and with its own temperature, on the ``crossed`` clips if they are given (see
    ``cross_fitted``). ``chance`` and ``most_frequent`` are the accuracies of the baselines. With ``stacking`` there is
    a row for a logistic regression, which is fitted on the other folds, or on other parts of val.
    """
    common_N = usable(held_out.logits_SNK).all(0)
    labels_N = held_out.labels_N[common_N]

    def measured(scores_NK: np.ndarray) -> dict[str, float]:
        return measure(scores_NK[common_N], labels_N).rounded()

    weights = fusion.to_json(streams).get("weights", {})
    rows: list[dict[str, Any]] = []
    for number, stream in enumerate(streams) if len(labels_N) else ():
        rest_NK = held_out.fused(left_out=number)
        without = None if np.isnan(rest_NK[common_N]).any() else measured(rest_NK)["accuracy"]
        alone = measured(held_out.logits_SNK[number])
        weight = round(weights[stream], 4) if stream in weights else None
        both = softmax(held_out.logits_SNK, axis=2)[number], held_out.calibrated()[number]
        calibration = _calibration(*(probabilities_NK[common_N] for probabilities_NK in both), labels_N)
        rows.append({"name": stream, "kind": "stream", **alone, "weight": weight, "without": without, **calibration})
    if len(labels_N) and stacking:
        fold_N = held_out.fold_N[common_N] if len(held_out.fusions) > 1 else np.arange(len(labels_N)) % COMPARED_FOLDS
        probabilities_NK = stacked(held_out.logits_SNK[:, common_N], labels_N, fold_N)
        rows.append({"name": "stacking", "kind": "comparison", **measure(probabilities_NK, labels_N).rounded()})
    if len(labels_N):
        crossed = crossed or held_out
        plain = replace(crossed, fusions=[replace(each, temperature=1.0) for each in crossed.fusions])
        calibration = _calibration(plain.fused()[common_N], crossed.fused()[common_N], labels_N)
        rows.append({"name": name, "kind": "ensemble", **measured(held_out.fused()), **calibration})
    columns = ["name", "kind", "clips", "accuracy", "balanced_accuracy", "macro_f1", "macro_f1_present", "top5"]
    columns += ["weight", "without", "ece_before", "ece", "nll_before", "nll"]
    trivial = {column: round(accuracy, 4) for column, accuracy in baseline_accuracies(labels_N).items()}
    return pd.DataFrame(rows, columns=columns).assign(**trivial)


def _calibration(before_NK: np.ndarray, after_NK: np.ndarray, labels_N: np.ndarray) -> dict[str, float]:
    return {
        f"{name}{ending}": round(error(probabilities_NK, labels_N), 4)
        for name, error in (("ece", expected_calibration_error), ("nll", negative_log_likelihood))
        for ending, probabilities_NK in (("_before", before_NK), ("", after_NK))
    }


def run_ensemble(
    name: str,
    clips: Clips,
    scores: Mapping[str, Mapping[str, Path]],
    folds: Mapping[str, Sequence[Path]],
    outputs: Mapping[str, Path],
    held_out_path: Path,
    fusion_path: Path,
    summary_path: Path,
    how: Fitting,
    stacking: bool = False,
    calibration_from: Path | None = None,
    learns_from_val: bool = False,
) -> None:
    """Fit an ensemble and write its predictions for each split and for the held-out clips.

    ``scores[stream][split]`` and ``outputs[split]`` are files. ``folds[stream]`` are the scores of each fold from a
    stream that was trained without that fold. Temperatures and weights are fitted on them, or on the validation split
    if there are none. Clips without labels are predicted as well. ``calibration_from`` is the ``fusion.json`` of
    another ensemble whose temperatures and weights are used, in the order of its streams. If a stream
    ``learns_from_val``, no clip is held out, and nothing is fitted or evaluated.
    """
    read = {split: {stream: read_scores(files[split]) for stream, files in scores.items()} for split in outputs}
    folded, fold = _read_folds(folds) if any(folds.values()) else (read["val"], None)
    folded = {stream: folded[stream] for stream in scores}
    known = clips if not learns_from_val else Clips(clips.table.assign(label=None), clips.classes, clips.targets)
    taken = read_fusion(calibration_from) if calibration_from else None
    held_out, fusion = hold_out(known, folded, fold, how, taken)
    for split, output in outputs.items():
        write_predictions(output, *predict_split(read[split], fusion, clips, split))
    streams_N = usable(held_out.logits_SNK).sum(0)
    write_predictions(held_out_path, held_out.clip_ids, held_out.predicted(clips), streams_N)
    written = {"ensemble": name, "streams": list(scores), **fusion.to_json(list(scores))}
    if calibration_from:
        written["calibration_from"] = read_json(calibration_from)["ensemble"]
    if learns_from_val:
        written["fitted_on"] = {"split": None, "clips": 0}
    elif fold is None:
        written["fitted_on"] = {"split": "val", "clips": len(held_out.clip_ids)}
    else:
        written["fitted_on"] = _fitted_on_folds(held_out, clips)
        written["without_fold"] = [each.to_json(list(scores)) for each in held_out.fusions]
    write_json(fusion_path, written)
    people = people_by_clip(clips)[list(held_out.clip_ids)].to_list()
    crossed = held_out if taken else cross_fitted(held_out, people, how)
    write_csv(summary_path, summarise(name, list(scores), held_out, fusion, stacking, crossed))


def _read_folds(folds: Mapping[str, Sequence[Path]]) -> tuple[dict[str, Scores], dict[str, int]]:
    """The scores of each stream for all folds together, and the fold of each clip."""
    read = {stream: read_folds(paths) for stream, paths in folds.items()}
    (first, (_, fold)), *others = read.items()
    for stream, (_, other) in others:
        if other != fold:
            raise InputError(
                f"the scores of streams '{first}' and '{stream}' are of different folds; delete them and run again"
            )
    return {stream: scores for stream, (scores, _) in read.items()}, fold


def read_fusion(path: Path) -> Fusion:
    """The fusion in a ``fusion.json``, in the order of its streams."""
    stored = read_json(path)
    return Fusion.from_json(stored, stored["streams"])


def _fitted_on_folds(held_out: HeldOut, clips: Clips) -> dict[str, Any]:
    return {
        "splits": ["train", "val"],
        "folds": len(held_out.fusions),
        "people": count_people(people_by_clip(clips)[list(held_out.clip_ids)]),
        "clips": len(held_out.clip_ids),
        "clips_by_fold": np.bincount(held_out.fold_N, minlength=len(held_out.fusions)).tolist(),
    }
