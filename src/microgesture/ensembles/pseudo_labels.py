"""Pseudo-labels: test clips that an ensemble is sure of, for other streams to learn from.

Cross-modal pseudo-labelling of the fourth place of MiGA 2026. The ensemble's predictions are all that it is made of: no
label of a test clip is read, and one that stands in a clips table all the same is dropped here.
"""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd

from ..errors import InputError
from ..storage.clips import Clips
from ..storage.files import write_csv
from ..storage.scores import Scores, read_predictions, read_scores

COLUMNS = ("clip_id", "label", "confidence")


def sure_clips(
    probabilities_NK: np.ndarray,
    votes_NS: np.ndarray,
    threshold: float,
    quota: int | None = None,
    agreement: bool = False,
) -> np.ndarray:
    """Which clips are sure enough to learn from, bool (N,): their highest probability is above ``threshold``.

    With a ``quota`` they are the surest of their class, at most so many, so that the classes that are said of many
    clips do not crowd out the others; among equals those that come first. With ``agreement`` each of the streams'
    ``votes_NS`` is the ensemble's own class; -1 is the vote of a stream that could not use the clip.
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
) -> None:
    """Write the pseudo-labels of the usable test clips as CSV: clip, label, confidence, and each stream's vote.

    ``predictions`` are the ensemble's of the test clips, ``scores`` those of its streams. Labels and votes are indices
    into the classes; a vote is empty where a stream could not use the clip. A clip that no stream could use has none.
    """
    said = read_predictions(predictions)
    votes = {f"vote_{stream}": _votes(read_scores(path)) for stream, path in scores.items()}
    test = clips.usable[clips.usable.split == "test"].clip_id
    clip_ids = [clip_id for clip_id in test if said[clip_id].streams > 0]
    probabilities_NK = np.array([said[clip_id].probabilities_K for clip_id in clip_ids]).reshape(-1, len(clips.classes))
    votes_NS = np.array([[by_clip.get(clip_id, -1) for by_clip in votes.values()] for clip_id in clip_ids], int)
    votes_NS = votes_NS.reshape(-1, len(votes))
    table = pd.DataFrame({"clip_id": clip_ids, "label": probabilities_NK.argmax(1)})
    table["confidence"] = probabilities_NK.max(1).round(6)
    for name, vote_N in zip(votes, votes_NS.T, strict=True):
        table[name] = pd.array(vote_N, "Int32")
        table.loc[table[name] < 0, name] = pd.NA
    write_csv(output, table[sure_clips(probabilities_NK, votes_NS, threshold, quota, agreement)])


def _votes(scores: Scores) -> dict[str, int]:
    return {clip_id: int(logits_K.argmax()) for clip_id, logits_K in scores.log_probabilities.items()}


def read_pseudo_labels(path: Path | str) -> dict[str, int]:
    """The label of each clip; raises ``InputError`` if the file is something else."""
    table = pd.read_csv(path, dtype={"clip_id": str})
    if tuple(table.columns[:3]) != COLUMNS:
        raise InputError(f"{path} holds no pseudo-labels (columns {list(table.columns)}); delete it and run again")
    return dict(zip(table.clip_id, table.label.astype(int), strict=True))


def with_pseudo_labels(clips: Clips, labels: Mapping[str, int]) -> Clips:
    """The clips to learn from: all of ``train`` and ``val`` and the pseudo-labelled ones of ``test``, in split train.

    The other test clips stay in test and have no label. Raises ``InputError`` if a labelled clip is no test clip.
    """
    table = clips.table.copy()
    test = table.split == "test"
    if strange := sorted(set(labels) - set(table.clip_id[test])):
        raise InputError(f"pseudo-labels name clip {strange[0]}, which is no test clip; delete them and run again")
    table["label"] = table.label.mask(test, table.clip_id.map(labels).astype("Int32"))
    table["split"] = table.split.mask(~test | table.clip_id.isin(list(labels)), "train")
    return Clips(table, clips.classes, clips.targets)
