"""Scores of a trained stream for the clips of a split, or of a fold."""

import logging
import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from torch import nn

from ..config.streams import TrainStep
from ..errors import InputError
from ..machine.precision import autocast
from ..machine.resources import Resources
from ..networks.paths import mean_probability
from ..progress import progress
from ..skeletons.keypoints import selection_named
from ..storage.clips import Clips
from ..storage.scores import Scores, write_scores
from .augment import input_channels, step_input
from .batches import load_batches
from .folds import assign_folds
from .fused_samples import Dataset, FusedSample, open_dataset
from .samples import Key, Sample
from .weights import load_weights

log = logging.getLogger(__name__)

Shards = Mapping[str, Sequence[Path]]
Build = Callable[..., nn.Module]  # networks.build

EVEN = 8  # batches are multiples of it, so that threads share them evenly and every place in one is alike


@torch.no_grad()
def log_probabilities(
    network: nn.Module,
    dataset: Dataset,
    step: TrainStep,
    device: torch.device,
    *,
    both_sides: bool,
    only: Iterable[int] | None = None,
    title: str | None = None,
    loaded: Iterator[Sample | FusedSample] | None = None,
) -> np.ndarray:
    """The log of the mean probability over a clip's views and a network's paths, float32 (N, K).

    Of the clips in the rows ``only``, in that order, or of all. With ``both_sides`` each view is also seen in a mirror.
    Equal views are seen once and counted as often as they occur, which gives the same bits as seeing each: all batches
    are of one size, and the sums are exact. ``title`` names a progress bar; None shows nothing. ``loaded`` gives the
    ``test_batches`` of these clips next, if something loads them already.
    """
    network.eval()
    recipe = step.recipe.in_testing()
    keys = dataset.test_keys(only)
    if not keys:
        return np.zeros((0, 0), np.float32)
    batches = test_batches(dataset, step, keys)
    loaded = islice(loaded or load_batches(dataset, batches, device), len(batches))
    seen, times = [], []
    for batch in progress(loaded, title or "", len(batches), unit="step", quiet=title is None):
        sides = []
        for mirror in (False, True) if both_sides else (False,):
            shown = batch._replace(mirror=torch.full_like(batch.mirror, mirror))
            x = step_input(shown, step, training=False)
            with autocast(recipe.precision, device):
                logits = network(*x)
            sides.append(mean_probability(logits))
        seen.append(torch.stack(sides, 1))
        times.append(batch.times)
    probability_MSK, times_M = (torch.cat(parts)[: len(keys)].cpu().numpy() for parts in (seen, times))
    starts = np.flatnonzero(np.diff([row for row, _ in keys])) + 1
    views = zip(np.split(probability_MSK, starts), np.split(times_M, starts), strict=True)
    mean_NK = np.array([exact_mean(probability_VSK, times_V) for probability_VSK, times_V in views])
    return np.log(np.maximum(mean_NK, np.finfo(np.float32).tiny)).astype(np.float32)


def exact_mean(values_VSK: np.ndarray, times_V: np.ndarray) -> np.ndarray:
    """The mean over V and S of float32 values, the v-th counted ``times_V[v]`` times, float64 (K,).

    It is rounded only at its end: neither the order nor one value in place of several equal ones changes a bit.
    """
    counted_VSK = values_VSK.astype(np.float64) * times_V[:, None, None]
    total_K = [math.fsum(column) for column in counted_VSK.reshape(-1, values_VSK.shape[-1]).T]
    return np.array(total_K) / (times_V.sum() * values_VSK.shape[1])


def predict(
    clips: Clips,
    shards: Shards,
    model: Path,
    step: TrainStep,
    build: Build,
    outputs: dict[str, Path],
    resources: Resources,
) -> None:
    """Score the usable clips of each split in ``outputs`` with the weights in ``model`` and write their logits.

    The logits are the log of the probability averaged over views (and both sides, where the recipe says so). A clip
    that lacks an input gets its reason instead. Raises ``InputError`` if the weights belong to other classes or inputs.
    """
    device = resources.prepare()
    network = trained(model, step, build, clips.classes).to(device)
    for split, output in outputs.items():
        table = clips.usable[clips.usable.split == split]
        _score(network, table, shards, step, device, resources, output, split)


def predict_fold(
    clips: Clips,
    shards: Shards,
    model: Path,
    step: TrainStep,
    build: Build,
    fold: int,
    output: Path,
    resources: Resources,
) -> None:
    """Score the labelled clips of the people in one of ``step.folds`` folds with weights trained without them.

    Otherwise as ``predict``.
    """
    device = resources.prepare()
    network = trained(model, step, build, clips.classes).to(device)
    fold_of = assign_folds(clips, step.folds)
    table = clips.usable[clips.usable.clip_id.map(fold_of) == fold]
    _score(network, table, shards, step, device, resources, output, f"fold {fold}")


def trained(model: Path, step: TrainStep, build: Build, classes: Sequence[str]) -> nn.Module:
    """The network of a stream with its weights; ``InputError`` if they belong to other classes or inputs."""
    state, about = load_weights(model)
    if about is None or about.classes != tuple(classes) or about.inputs != step.inputs:
        inputs = " and ".join(step.inputs)
        raise InputError(f"{model} was not trained on {inputs} for the classes of these clips; train it again")
    network = network_of(step, build, len(classes))
    network.load_state_dict(state)
    return network


def network_of(step: TrainStep, build: Build, classes: int) -> nn.Module:
    """The network of a stream with random weights from torch's generator."""
    selection = selection_named(step.selection) if step.selection else None
    branches = [part.network for part in step.parts]
    return build(step.network, input_channels(step.inputs, selection), classes, selection, branches)


def _score(
    network: nn.Module,
    table: pd.DataFrame,
    shards: Shards,
    step: TrainStep,
    device: torch.device,
    resources: Resources,
    output: Path,
    part: str,
) -> None:
    """Write the scores of the clips of a table; ``part`` says in the log which they are."""
    dataset = open_dataset(
        table,
        shards,
        step,
        training=False,
        num_clips=step.recipe.num_clips,
        num_crops=step.recipe.num_crops,
        workers=resources.workers,
        memory=resources.memory,
    )
    title = f"predict {step.stream} {part}"
    distinct, every = len(dataset.test_keys()), len(dataset) * dataset.views
    log.info(
        f"{title}: {distinct:,} of {len(dataset):,} x {dataset.views} views are distinct; {every - distinct:,} saved"
    )
    logits_NK = log_probabilities(network, dataset, step, device, both_sides=step.recipe.in_testing().flip, title=title)
    write_scores(output, Scores(dict(zip(dataset.clip_ids, logits_NK, strict=True)), dataset.left_out))


def test_batches(dataset: Dataset, step: TrainStep, keys: Sequence[Key]) -> list[list[Key]]:
    """The batches in which ``log_probabilities`` shows these keys to a network."""
    recipe = step.recipe.in_testing()
    if not keys:
        return []
    return full_batches(keys, len(dataset) * dataset.views, recipe.micro_batch_size or recipe.batch_size)


def full_batches(keys: Sequence[Key], views: int, most: int) -> list[list[Key]]:
    """The keys in order in batches of one size, the last filled up with its last key.

    The size follows from ``views``, how many keys there would be if none had been left out as equal to another, for
    the arithmetic of a network may depend on the size of its batches.
    """
    size = -(-min(most, views) // EVEN) * EVEN
    filled = [*keys, *keys[-1:] * (-len(keys) % size)]
    return [filled[start : start + size] for start in range(0, len(filled), size)]
