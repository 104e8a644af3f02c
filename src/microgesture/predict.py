"""Scores of a trained stream for the clips of a split."""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch
from torch import nn

from .augment import input_channels, network_input
from .batches import Machine, autocast, in_batches, load_batches
from .clips import Clips
from .errors import InputError
from .keypoints import Selection, selection_named
from .networks.settings import NetworkSettings
from .progress import progress
from .recipe import Recipe
from .samples import ClipDataset
from .scores import Scores, write_scores
from .stream import TrainStep
from .weights import load_weights


@torch.no_grad()
def log_probabilities(
    network: nn.Module,
    dataset: ClipDataset,
    input: str,
    recipe: Recipe,
    selection: Selection | None,
    device: torch.device,
    *,
    both_sides: bool,
    title: str | None = None,
) -> np.ndarray:
    """The log of the mean probability over a clip's views, float32 (N, K), in the data set's order.

    With ``both_sides`` each view is also seen in a mirror. ``title`` names a progress bar; None shows nothing.
    """
    network.eval()
    batches = in_batches(dataset.test_keys(), recipe.batch)
    loaded = load_batches(dataset, batches, device)
    total_NK: torch.Tensor | None = None
    views_N = torch.zeros(len(dataset), device=device)
    for batch in progress(loaded, title, len(batches), unit="step") if title else loaded:
        sides = (False, True) if both_sides else (False,)
        for mirror in sides:
            shown = batch._replace(mirror=torch.full_like(batch.mirror, mirror))
            x_BCTHW = network_input(shown, input, recipe, selection)
            with autocast(recipe, device):
                logits_BK = network(x_BCTHW)
            probability_BK = logits_BK.float().softmax(1)
            if total_NK is None:
                total_NK = probability_BK.new_zeros(len(dataset), probability_BK.shape[1])
            total_NK.index_add_(0, batch.row, probability_BK)
            views_N.index_add_(0, batch.row, torch.ones_like(batch.row, dtype=views_N.dtype))
    if total_NK is None:
        return np.zeros((0, 0), np.float32)
    mean_NK = total_NK / views_N[:, None]
    return mean_NK.clamp(min=torch.finfo(torch.float32).tiny).log().cpu().numpy()


def predict(
    clips: Clips,
    shards: Sequence[Path],
    model: Path,
    step: TrainStep,
    build: Callable[[NetworkSettings, int, int], nn.Module],
    outputs: dict[str, Path],
    machine: Machine,
) -> None:
    """Score the usable clips of each split in ``outputs`` with the weights in ``model`` and write their logits.

    The logits are the log of the probability averaged over views (and both sides, where the recipe flips). A clip that
    has no frames of this input gets its reason instead. Raises ``InputError`` if the weights belong to other classes
    or another input.
    """
    run_on = machine.prepare()
    selection = selection_named(step.selection) if step.selection else None
    state, about = load_weights(model)
    if about is None or about.classes != clips.classes or about.input != step.input:
        raise InputError(f"{model} was not trained on {step.input} for the classes of these clips; train it again")
    network = build(step.network, input_channels(step.input, selection), len(clips.classes))
    network.load_state_dict(state)
    network.to(run_on)
    for split, output in outputs.items():
        table = clips.usable[clips.usable.split == split]
        dataset = ClipDataset(
            table,
            shards,
            step.input,
            step.recipe,
            training=False,
            views=step.recipe.views,
            workers=machine.workers,
            memory=machine.memory,
        )
        logits_NK = log_probabilities(
            network,
            dataset,
            step.input,
            step.recipe,
            selection,
            run_on,
            both_sides=step.recipe.flip,
            title=f"predict {step.stream} {split}",
        )
        write_scores(output, Scores(dict(zip(dataset.clip_ids, logits_NK, strict=True)), dataset.left_out))
