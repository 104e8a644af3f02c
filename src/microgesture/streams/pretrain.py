"""Pretraining: a network learns from clips without their labels."""

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from ..config.pretraining import PretrainStep
from ..errors import InputError
from ..machine.resources import Resources
from ..networks.masked_motion import builder
from ..storage.clips import Clips
from .predict import Shards
from .preemption import StopRequest
from .train import SAVE_SECONDS, train

CLASSES = ("unlabelled",)


def pretrain(
    measured: Sequence[Clips],
    shards: Shards,
    step: PretrainStep,
    output: Path,
    card: Path,
    scratch: Path,
    resources: Resources,
    save_seconds: float = SAVE_SECONDS,
    stop: StopRequest | None = None,
) -> None:
    """Train a network on all usable clips of measured tables, which have no labels; write its weights and a card.

    It resumes as ``train`` does. Raises ``InputError`` as ``train`` does, and if two corpora have a clip of the same
    name.
    """
    build, files = builder(step.masking), (output, card, scratch)
    train(unlabelled(measured), shards, step, build, *files, resources, save_seconds=save_seconds, stop=stop)


def unlabelled(measured: Sequence[Clips]) -> Clips:
    """Join measured clips to a table for training in which all have the same label, sorted by their ids."""
    table = pd.concat([clips.table for clips in measured], ignore_index=True)
    table = table.assign(split="train", label=pd.array([0] * len(table), "Int32")).sort_values("clip_id")
    if (repeated := table[table.clip_id.duplicated(keep=False)]).size:
        corpora = " and ".join(repeated.corpus.unique())
        raise InputError(
            f"{repeated.clip_id.iloc[0]} is a clip of {corpora} ({repeated.clip_id.nunique()} such clips); pretrain on "
            "corpora without common ids of clips"
        )
    return Clips(table.reset_index(drop=True), CLASSES, CLASSES)
