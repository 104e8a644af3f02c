"""Predictions of a trained stream for the clips of a split or of a fold."""

import logging
import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from scipy.special import log_softmax
from torch import nn

from ..config.streams import TrainStep
from ..errors import InputError
from ..machine.precision import autocast
from ..machine.resources import Resources
from ..networks.paths import log_mean_probability, mean_probability
from ..progress import progress
from ..skeletons.selections import selection_named
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

EVEN = 8  # batch sizes are multiples of it: threads get equal parts, and all positions in a batch give equal results


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
    """The log-probabilities of clips, averaged over their views and the paths of the network, float32 (N, K).

    Over the paths, probabilities are averaged; over the views, what the recipe's ``view_average`` names. ``only`` are
    the rows of the clips, in this order (default: all clips). With ``both_sides`` each view is also mirrored. Equal
    views are computed once and counted as often as they occur. All batches have the same size and the sums are exact,
    so that the result can differ only where a network rounds clips differently by their place in a batch. ``title`` is
    that of a progress bar, None shows none. ``loaded`` is an iterator that gives the ``test_batches`` of these clips
    next; by default they are loaded here.
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
            sides.append(view_score(logits, recipe.view_average))
        seen.append(torch.stack(sides, 1))
        times.append(batch.times)
    score_MSK, times_M = (torch.cat(parts)[: len(keys)].cpu().numpy() for parts in (seen, times))
    starts = np.flatnonzero(np.diff([row for row, _ in keys])) + 1
    views = zip(np.split(score_MSK, starts), np.split(times_M, starts), strict=True)
    mean_NK = np.array([exact_mean(score_VSK, times_V) for score_VSK, times_V in views])
    return as_log_probability(mean_NK, recipe.view_average)


def view_score(logits: torch.Tensor, view_average: str) -> torch.Tensor:
    """What is averaged over views, float32 (B, K): the probabilities, or for ``logits`` their logarithms.

    The logarithm of a probability differs from its logit by the same number in all classes, so after
    ``as_log_probability`` their averages are equal.
    """
    return log_mean_probability(logits) if view_average == "logits" else mean_probability(logits)


def as_log_probability(mean: np.ndarray, view_average: str) -> np.ndarray:
    """Log-probabilities, float32 (..., K), of the float64 averages of ``view_score``."""
    if view_average == "logits":
        return log_softmax(mean, -1).astype(np.float32)
    return np.log(np.maximum(mean, np.finfo(np.float32).tiny)).astype(np.float32)


def exact_mean(values_VSK: np.ndarray, times_V: np.ndarray) -> np.ndarray:
    """The mean of float32 values over V and S, with the v-th counted ``times_V[v]`` times, float64 (K,).

    Only the final result is rounded, so neither the order of the values nor ``times_V`` in place of copies matters.
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
    """Write the log-probabilities of the usable clips of each split in ``outputs``, with the weights in ``model``.

    They are averaged over views, and over mirrored views if the recipe sets it. A clip that lacks an input
    gets a reason instead. Raises ``InputError`` if the weights belong to other classes or inputs.
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
    """Write the log-probabilities of the labelled clips of one fold, with weights that were trained without its people.

    Otherwise it works as ``predict``.
    """
    device = resources.prepare()
    network = trained(model, step, build, clips.classes).to(device)
    fold_of = assign_folds(clips, step.folds)
    table = clips.usable[clips.usable.clip_id.map(fold_of) == fold]
    _score(network, table, shards, step, device, resources, output, f"fold {fold}")


def trained(model: Path, step: TrainStep, build: Build, classes: Sequence[str]) -> nn.Module:
    """The network of a stream with its weights; raises ``InputError`` if they belong to other classes or inputs."""
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
    return build(step.network, input_channels(step.inputs, selection), classes, selection, branches, step.encoder)


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
    """Write the scores of the clips of a table; ``part`` is its name in the log."""
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
    """The batches in which ``log_probabilities`` processes these keys."""
    recipe = step.recipe.in_testing()
    if not keys:
        return []
    return full_batches(keys, len(dataset) * dataset.views, recipe.micro_batch_size or recipe.batch_size)


def full_batches(keys: Sequence[Key], views: int, most: int) -> list[list[Key]]:
    """Divide keys, in order, into batches of one size; the last batch is filled up with its last key.

    The size depends on ``views``, the number of keys including repeated ones, because the rounding errors of a network
    may depend on the batch size.
    """
    size = -(-min(most, views) // EVEN) * EVEN
    filled = [*keys, *keys[-1:] * (-len(keys) % size)]
    return [filled[start : start + size] for start in range(0, len(filled), size)]
