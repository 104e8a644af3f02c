"""Made-up streams that know the right class with a given skill, for the tests of what comes after training."""

import numpy as np

from microgesture.storage.scores import Scores


def made_up_stream(seed, clips=60, classes=4, skill=2.0):
    """Logits (N, K) that know the label with a given skill, and the labels (N,)."""
    labels_N = np.arange(clips) % classes
    logits_NK = np.random.default_rng(seed).normal(size=(clips, classes))
    logits_NK[np.arange(clips), labels_N] += skill
    return logits_NK, labels_N


def as_scores(logits_NK, unusable=()):
    """Scores of clips c0, c1, ...; those whose numbers are ``unusable`` have a reason instead."""
    rows = enumerate(logits_NK.astype(np.float32))
    logits = {f"c{n}": logits_K for n, logits_K in rows if n not in unusable}
    return Scores(logits, {f"c{n}": "the video is truncated" for n in unusable})
