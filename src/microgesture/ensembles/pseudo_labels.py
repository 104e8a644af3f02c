"""Pseudo-labels: confident predictions of an ensemble for test clips, as training labels for other streams.

This is the cross-modal pseudo-labelling of the fourth-placed method of MiGA 2026. It uses only the predictions of the
ensemble. No label of a test clip is read; if a clips table contains any, they are removed here.
"""

import logging
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

from ..errors import InputError
from ..storage.clips import Clips
from ..storage.files import write_csv
from ..storage.scores import Scores, read_predictions, read_scores
from .ensemble import read_fusion
from .fusion import fuse, stack

log = logging.getLogger(__name__)

COLUMNS = ("clip_id", "label", "confidence")


def sure_clips(
    probabilities_NK: np.ndarray,
    votes_NS: np.ndarray,
    threshold: float,
    quota: int | None = None,
    agreement: bool = False,
) -> np.ndarray:
    """Select confident clips, bool (N,): those whose highest probability is above ``threshold``.

    With a ``quota``, only that many clips of each predicted class are selected, the most confident ones, so that
    frequent classes do not dominate; ties go to the first clips. With ``agreement``, the vote of each stream must be
    the class of the ensemble. ``votes_NS`` are the classes that the streams predict, -1 if a stream could not use the
    clip.
    """
    label_N, confidence_N = probabilities_NK.argmax(1), probabilities_NK.max(1)
    sure_N = confidence_N > threshold
    if agreement:
        sure_N &= (votes_NS == label_N[:, None]).all(1)
    if quota is not None:
        for label in np.unique(label_N[sure_N]):
            rows = np.flatnonzero(sure_N & (label_N == label))
            sure_N[rows[np.argsort(-confidence_N[rows], kind="stable")[quota:]]] = False
    return sure_N


def make_pseudo_labels(
    clips: Clips,
    predictions: Path,
    scores: Mapping[str, Path],
    output: Path,
    threshold: float = 0.65,
    quota: int | None = None,
    agreement: bool = False,
    fusion: Path | None = None,
    counts: Path | None = None,
) -> None:
    """Write the pseudo-labels of the usable test clips as CSV: clip, label, confidence, and the vote of each stream.

    ``predictions`` are those of the ensemble for the test clips, ``scores`` those of its streams. Labels and votes are
    class indices; a vote is empty if the stream could not use the clip. A clip that no stream could use is left out.

    With ``fusion``, the ``fusion.json`` of the ensemble, ``counts`` is a CSV file with the number of clips that are
    labelled, and that would be labelled with the same weights and all temperatures 1: the higher a temperature, the
    fewer clips are above a threshold.
    """
    predicted = read_predictions(predictions)
    read = {stream: read_scores(path) for stream, path in scores.items()}
    votes = {f"vote_{stream}": _votes(of_stream) for stream, of_stream in read.items()}
    test = clips.usable[clips.usable.split == "test"].clip_id
    clip_ids = [clip_id for clip_id in test if predicted[clip_id].streams > 0]
    probabilities_NK = np.array([predicted[clip_id].probabilities_K for clip_id in clip_ids])
    probabilities_NK = probabilities_NK.reshape(-1, len(clips.classes))
    votes_NS = np.array([[by_clip.get(clip_id, -1) for by_clip in votes.values()] for clip_id in clip_ids], int)
    votes_NS = votes_NS.reshape(-1, len(votes))
    table = pd.DataFrame({"clip_id": clip_ids, "label": probabilities_NK.argmax(1)})
    table["confidence"] = probabilities_NK.max(1).round(6)
    for name, vote_N in zip(votes, votes_NS.T, strict=True):
        table[name] = pd.array(vote_N, "Int32")
        table.loc[table[name] < 0, name] = pd.NA
    rule = threshold, quota, agreement
    write_csv(output, table[sure_clips(probabilities_NK, votes_NS, *rule)])
    if fusion and counts:
        fitted = read_fusion(fusion)
        plain = replace(fitted, temperatures_S=np.ones(len(fitted.temperatures_S)), temperature=1.0)
        plain_NK = fuse(stack(read, clip_ids, len(clips.classes)), plain)
        found = pd.DataFrame(
            {
                "temperatures": name,
                "test_clips": len(clip_ids),
                "labelled": int(sure_clips(each_NK, votes_NS, *rule).sum()),
                "mean_confidence": round(float(each_NK.max(1).mean()), 4) if len(clip_ids) else None,
            }
            for name, each_NK in (("of the ensemble", probabilities_NK), ("1", plain_NK))
        )
        write_csv(counts, found)
        with_them, without = found.labelled
        log.info(
            "threshold %s: %d of %d test clips get a pseudo-label; with all temperatures 1 it would be %d",
            *(threshold, with_them, len(clip_ids), without),
        )


def _votes(scores: Scores) -> dict[str, int]:
    return {clip_id: int(logits_K.argmax()) for clip_id, logits_K in scores.log_probabilities.items()}


def read_pseudo_labels(path: Path | str) -> dict[str, int]:
    """The label of each clip; raises ``InputError`` if it is not a file of pseudo-labels."""
    table = pd.read_csv(path, dtype={"clip_id": str})
    if tuple(table.columns[:3]) != COLUMNS:
        raise InputError(f"{path} holds no pseudo-labels (columns {list(table.columns)}); delete it and run again")
    return dict(zip(table.clip_id, table.label.astype(int), strict=True))


def with_pseudo_labels(clips: Clips, labels: Mapping[str, int]) -> Clips:
    """The clips with all clips of train, val and the pseudo-labelled test clips in split train.

    The other test clips stay in test, without labels. Raises ``InputError`` if a clip in ``labels`` is not a test clip.
    """
    table = clips.table.copy()
    test = table.split == "test"
    if strange := sorted(set(labels) - set(table.clip_id[test])):
        raise InputError(f"pseudo-labels contain clip {strange[0]}, which is not in test; delete them and run again")
    table["label"] = table.label.mask(test, table.clip_id.map(labels).astype("Int32"))
    table["split"] = table.split.mask(~test | table.clip_id.isin(list(labels)), "train")
    return Clips(table, clips.classes, clips.targets)
