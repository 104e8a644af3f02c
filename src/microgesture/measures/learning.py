"""Whether a training has learned anything: its training loss and its balanced accuracy against those of guessing."""

from collections.abc import Mapping
from typing import Any

import numpy as np

LITTLE = 1 / 3  # of the way from the loss of guessing to the least possible loss
WELL = 0.5  # of the way from guessing to perfect, on validation clips: then the stream has learned something
DEVIATIONS = 2  # of the balanced accuracy of guessing
WAY_OUT = (
    "Give it more clips or more epochs, start it from pretrained weights (init, weights), or leave it out of the "
    "ensemble."
)


def doubts_of_learning(card: Mapping[str, Any]) -> list[str]:
    """Return a sentence if a stream has learned little from training clips, or else if it guesses on validation clips.

    ``card`` is the card of a training. Its ``loss_bounds`` are the least possible training loss and that of guessing
    (see ``streams.losses``); without them only validation clips are looked at.
    """
    stream, balanced = card["stream"], card["history"][card["best_epoch"]].get("val_balanced_accuracy")
    clips_K = np.array([clips for clips in card.get("val_clips", ()) if clips])
    chance = 1 / len(clips_K) if len(clips_K) > 1 else None
    known = balanced is not None and chance is not None
    well = known and balanced >= chance + WELL * (1 - chance)
    losses = [epoch["train_loss"] for epoch in card["history"] if epoch["train_loss"] is not None]
    least, guessing = card.get("loss_bounds") or (0.0, 0.0)
    if losses and guessing > least and guessing - losses[-1] < LITTLE * (guessing - least) and not well:
        return [
            f"Stream {stream} has learned little: its training loss ended at {losses[-1]:.2f}, where guessing gives "
            f"{guessing:.2f} and the least possible is {least:.2f}. {WAY_OUT}"
        ]
    # Of guesses that are independent of the class: the mean recall is 1 / K, and each recall is that of n_k clips.
    if known and balanced <= chance + DEVIATIONS * np.sqrt(chance * (1 - chance) * (1 / clips_K).mean() * chance):
        return [
            f"Stream {stream} guesses on validation clips: its balanced accuracy is {balanced:.3f}, and that of "
            f"guessing is {chance:.3f}. {WAY_OUT}"
        ]
    return []
