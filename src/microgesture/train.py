"""Training of one stream: the loop, and what it leaves behind."""

import logging
import math
import shutil
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
import torch
from torch import nn
from torch.nn import functional
from tqdm import tqdm

from .augment import input_channels, network_input
from .batches import Key, Machine, autocast, in_batches, load_batches
from .card import Epoch, Made, write_card
from .clips import Clips, class_counts
from .errors import InputError
from .files import replacing
from .keypoints import Selection, selection_named
from .networks.settings import NetworkSettings
from .predict import log_probabilities
from .recipe import Recipe
from .samples import ClipDataset
from .stream import TrainStep
from .weights import HEAD, About, save_weights, start_from

log = logging.getLogger(__name__)

WARMUP_START = 0.1  # of the learning rate


def train(
    clips: Clips,
    shards: Sequence[Path],
    step: TrainStep,
    build: Callable[[NetworkSettings, int, int], nn.Module],
    output: Path,
    card: Path,
    scratch: Path,
    machine: Machine,
    init: Path | None = None,
) -> None:
    """Train a stream on the labelled clips of ``train``; write its weights and a card about them.

    ``init`` names weights to start from. Training that was killed goes on from its last epoch, which lies in
    ``scratch``, and on a CPU ends in the same bytes as if it had not been. Raises ``InputError`` if there is nothing to
    learn from, if too many clips lack this input, or if the loss is not finite.
    """
    started = time.monotonic()
    run_on = machine.prepare()
    selection = selection_named(step.selection) if step.selection else None
    known = clips.usable[clips.usable.label.notna()]
    training, validation = (
        ClipDataset(
            known[known.split == split],
            shards,
            step.input,
            step.recipe,
            training=learn,
            seed=step.seed,
            workers=machine.workers,
            memory=machine.memory,
        )
        for split, learn in (("train", True), ("val", False))
    )
    _refuse_too_few(step, training, validation)

    torch.manual_seed(step.seed)
    network = build(step.network, input_channels(step.input, selection), len(clips.classes))
    start = start_from(network, init, clips.classes) if init is not None else None
    if start:
        log.info("%s %s", step.stream, start.sentence())
    network.to(run_on)
    weights, history = fit(network, training, validation, len(clips.classes), step, selection, run_on, scratch)
    save_weights(output, weights, About(step.stream, step.input, clips.classes))
    made = Made(step, clips, training, validation, network, start, history, best_epoch(history), str(run_on))
    write_card(card, made, seconds=time.monotonic() - started)
    shutil.rmtree(scratch, ignore_errors=True)


def fit(
    network: nn.Module,
    training: ClipDataset,
    validation: ClipDataset,
    classes: int,
    step: TrainStep,
    selection: Selection | None,
    device: torch.device,
    scratch: Path,
) -> tuple[dict[str, torch.Tensor], list[Epoch]]:
    """Run all epochs; returns the weights of the best one and the history, and keeps a checkpoint in ``scratch``.

    All that is random follows from the seed and the epoch, so an epoch does not depend on when the process began.
    """
    recipe = step.recipe
    counts = class_counts(training.labels, classes)
    weight_K = torch.tensor(class_weights(counts, recipe.class_weights), dtype=torch.float32, device=device)
    optimizer = make_optimizer(network, recipe)
    scaler = torch.amp.GradScaler(device.type, enabled=recipe.precision == "fp16" and device.type == "cuda")
    checkpoint = scratch / "checkpoint.pt"
    best, history = _resume(checkpoint, network, optimizer, scaler, device)

    for epoch in _epochs(step.stream, recipe.epochs, history):
        torch.manual_seed(int(np.random.default_rng([step.seed, epoch]).integers(2**63)))  # dropout and drop path
        batches = epoch_batches(len(training), recipe, step.seed, epoch)
        losses = []
        network.train()
        for number, batch in enumerate(load_batches(training, batches, device)):
            rate = recipe.learning_rate * rate_factor(epoch + number / len(batches), recipe)
            for group in optimizer.param_groups:
                group["lr"] = rate * group["scale"]
            x_BCTHW = network_input(batch, step.input, recipe, selection)
            with autocast(recipe, device):
                logits_BK = network(x_BCTHW)
            loss = functional.cross_entropy(
                logits_BK.float(), batch.label, weight_K, label_smoothing=recipe.label_smoothing
            )
            losses.append(loss.item())
            if not math.isfinite(losses[-1]):
                _stop(step, epoch, number, losses[-1], [training.clip_ids[row] for row in batch.row.tolist()])
            optimizer.zero_grad()
            scaler.scale(loss).backward()
            scaler.unscale_(optimizer)
            nn.utils.clip_grad_norm_(network.parameters(), recipe.clip_norm or math.inf)
            scaler.step(optimizer)
            scaler.update()
        measured = validate(network, validation, step, selection, device)
        history.append({"epoch": epoch, "learning_rate": rate, "train_loss": float(np.mean(losses)), **measured})
        if best_epoch(history) == epoch:
            best = {name: tensor.detach().clone() for name, tensor in network.state_dict().items()}
        _save_checkpoint(checkpoint, network, optimizer, scaler, best, history)
    return best, history


def validate(
    network: nn.Module,
    validation: ClipDataset,
    step: TrainStep,
    selection: Selection | None,
    device: torch.device,
) -> dict[str, float | None]:
    """Loss, accuracy and balanced accuracy on the validation clips, one view each; all None where there are none."""
    if not len(validation):
        return {"val_loss": None, "val_accuracy": None, "val_balanced_accuracy": None}
    scores_NK = log_probabilities(network, validation, step.input, step.recipe, selection, device, both_sides=False)
    labels_N = np.array(validation.labels)
    right_N = scores_NK.argmax(1) == labels_N
    return {
        "val_loss": float(-scores_NK[np.arange(len(labels_N)), labels_N].mean()),
        "val_accuracy": float(right_N.mean()),
        "val_balanced_accuracy": float(np.mean([right_N[labels_N == label].mean() for label in np.unique(labels_N)])),
    }


def best_epoch(history: Sequence[Epoch]) -> int:
    """The epoch of the best balanced accuracy, then of the lowest loss, then the first; the last without validation."""
    if history[-1]["val_loss"] is None:
        return len(history) - 1
    return max(range(len(history)), key=lambda e: (history[e]["val_balanced_accuracy"], -history[e]["val_loss"]))


def epoch_batches(clips: int, recipe: Recipe, seed: int, epoch: int) -> list[list[Key]]:
    """The batches of an epoch: every clip ``repeats`` times, each time in another order."""
    draws = range(epoch * recipe.repeats, (epoch + 1) * recipe.repeats)
    orders = [(draw, np.random.default_rng([seed, draw]).permutation(clips)) for draw in draws]
    return in_batches([(int(row), draw) for draw, order in orders for row in order], recipe.batch)


def rate_factor(epoch: float, recipe: Recipe) -> float:
    """Share of the learning rate at a time in epochs: a straight rise from a tenth, then a cosine down to 0."""
    if epoch < recipe.warmup_epochs:
        return WARMUP_START + (1 - WARMUP_START) * epoch / recipe.warmup_epochs
    done = (epoch - recipe.warmup_epochs) / (recipe.epochs - recipe.warmup_epochs)
    return (1 + math.cos(math.pi * done)) / 2


def class_weights(counts: Sequence[int], scheme: str) -> list[float]:
    """What a clip of each class counts in the loss: 1, or 1 / sqrt(clips of the class + 1) with mean 1."""
    weights = np.ones(len(counts)) if scheme == "none" else 1 / np.sqrt(np.array(counts) + 1)
    return (weights / weights.mean()).tolist()


def make_optimizer(network: nn.Module, recipe: Recipe) -> torch.optim.Optimizer:
    """The recipe's optimizer, its ``param_groups`` by ``scale`` of the learning rate and by weight decay.

    Norms, biases (all that has one dimension) and position tables are not decayed, as in Video Swin.
    """
    groups: dict[tuple[float, float], list[nn.Parameter]] = {}
    for name, parameter in network.named_parameters():
        decayed = parameter.dim() > 1 and not name.endswith("relative_position_bias_table")
        scale = 1.0 if name.startswith(HEAD) else recipe.backbone_scale
        groups.setdefault((scale, recipe.weight_decay if decayed else 0.0), []).append(parameter)
    listed = [{"params": found, "scale": scale, "weight_decay": decay} for (scale, decay), found in groups.items()]
    if recipe.optimizer == "adamw":
        return torch.optim.AdamW(listed, lr=recipe.learning_rate)
    return torch.optim.SGD(listed, lr=recipe.learning_rate, momentum=0.9)


def _refuse_too_few(step: TrainStep, training: ClipDataset, validation: ClipDataset) -> None:
    if len(training) < 2:
        raise InputError(
            f"stream '{step.stream}': {len(training)} usable clips of split train have a label and {step.input}; "
            "at least 2 are needed"
        )
    left_out = training.left_out | validation.left_out
    if len(left_out) > step.max_quarantined * (len(training) + len(validation) + len(left_out)):
        listed = "\n".join(f"  {clip_id}: {reason}" for clip_id, reason in left_out.items())
        raise InputError(
            f"stream '{step.stream}': {len(left_out)} clips have no {step.input}, more than max_quarantined = "
            f"{step.max_quarantined:.1%}; mend the files or raise it:\n{listed}"
        )


def _stop(step: TrainStep, epoch: int, number: int, loss: float, clip_ids: list[str]) -> None:
    raise InputError(
        f"stream '{step.stream}': the loss is {loss} in epoch {epoch}, step {number}; the clips of that step are "
        f"{', '.join(clip_ids)}. Look at their {step.input}, or lower learning_rate (now {step.recipe.learning_rate})"
    )


def _epochs(stream: str, epochs: int, history: list[Epoch]) -> Iterator[int]:
    """The epochs still to do, under a progress bar with the last one's results; without a terminal one closing line."""
    silent = not sys.stderr.isatty()
    started, before = time.monotonic(), len(history)
    with tqdm(
        total=epochs, initial=before, desc=f"train {stream}", unit="epoch", disable=silent, dynamic_ncols=True
    ) as bar:
        for epoch in range(before, epochs):
            yield epoch
            results = ", ".join(
                f"{name.replace('_', ' ')} {value:.3g}" for name, value in history[-1].items() if value is not None
            )
            log.info("%s %s", stream, results)
            bar.set_postfix_str(_short(history[-1]))
            bar.update()
    if silent and before < epochs:
        seconds = time.monotonic() - started
        best = best_epoch(history)
        print(
            f"train {stream}: {epochs - before} epochs in {seconds:.1f} s, best is {best}: {_short(history[best])}",
            file=sys.stderr,
            flush=True,
        )


def _short(results: Epoch) -> str:
    loss = f"loss {results['train_loss']:.2f}"
    return loss if results["val_accuracy"] is None else f"{loss}, val accuracy {results['val_accuracy']:.1%}"


def _save_checkpoint(
    path: Path,
    network: nn.Module,
    optimizer: torch.optim.Optimizer,
    scaler: torch.amp.GradScaler,
    best: dict[str, torch.Tensor],
    history: list[Epoch],
) -> None:
    kept = {
        "network": network.state_dict(),
        "optimizer": optimizer.state_dict(),
        "scaler": scaler.state_dict(),
        "best": best,
        "history": history,
    }
    with replacing(path) as temporary:
        torch.save(kept, temporary)


def _resume(
    path: Path,
    network: nn.Module,
    optimizer: torch.optim.Optimizer,
    scaler: torch.amp.GradScaler,
    device: torch.device,
) -> tuple[dict[str, torch.Tensor], list[Epoch]]:
    """Put everything back as it was after the last finished epoch; nothing where there is no checkpoint."""
    if not path.exists():
        return {}, []
    kept = torch.load(path, map_location=device, weights_only=True)
    network.load_state_dict(kept["network"])
    optimizer.load_state_dict(kept["optimizer"])
    scaler.load_state_dict(kept["scaler"])
    return kept["best"], kept["history"]
