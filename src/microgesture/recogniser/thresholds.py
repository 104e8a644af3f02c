"""The default threshold of an exported recogniser, and whether gestures may overlap: fitted on held-out clips."""

from collections.abc import Mapping

import numpy as np

from ..config.predictions import THRESHOLD
from ..config.recogniser import Finding
from ..storage.clips import Clips
from ..storage.scores import Prediction

# Share of the rightly predicted held-out clips whose probability is not above the threshold; chosen on the demo's val.
MISSED = 0.02
OVERLAPPING = 0.1  # share of overlapping gestures from which they may overlap in new videos, too
FEWEST = 10  # clips below which no threshold is fitted


def fitted(clips: Clips, held_out: Mapping[str, Prediction]) -> Finding:
    """Fit the threshold on held-out clips, and find out whether gestures overlap in the training data.

    The threshold is the probability that 49 in 50 correctly predicted clips exceed, so it is lower for more classes and
    for less confident networks. ``held_out`` has the ensemble's probabilities of clips.
    """
    known = clips.usable[clips.usable.label.notna() & clips.usable.clip_id.isin(held_out)]
    right = []
    for clip_id, label in zip(known.clip_id, known.label, strict=True):
        probabilities_K = held_out[clip_id].probabilities_K
        if probabilities_K.argmax() == label:
            right.append(float(probabilities_K.max()))
    if len(right) < FEWEST:
        return Finding(threshold=THRESHOLD, clips=0, overlap=_overlap(clips))
    return Finding(threshold=round(float(np.quantile(right, MISSED)), 2), clips=len(right), overlap=_overlap(clips))


def _overlap(clips: Clips) -> bool:
    """Whether a tenth of the training gestures overlap one of another class for more than half of their duration."""
    train = clips.usable[clips.usable.split == "train"]
    beside = 0
    for _, rows in train.groupby("recording"):
        starts_N, ends_N, labels_N = (rows[column].to_numpy(int) for column in ("start", "end", "label"))
        common_NN = np.minimum(ends_N[:, None], ends_N) - np.maximum(starts_N[:, None], starts_N) + 1
        other_NN = labels_N[:, None] != labels_N
        beside += int(((common_NN * other_NN).max(1) > (ends_N - starts_N + 1) / 2).sum())
    return beside > 0 and beside >= OVERLAPPING * len(train)
