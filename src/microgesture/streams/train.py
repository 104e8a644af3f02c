"""Training of one stream, in execution order: data, network, initial weights, optimizer, steps, checkpoints.

``augment`` renders and augments the inputs, ``losses`` defines the losses, and ``distributed`` connects the devices.
Everything else about a training step is in this file.
"""

import logging
import math
import shutil
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import nn

from ..config.streams import TrainStep
from ..errors import InputError
from ..machine.precision import autocast
from ..machine.resources import Resources
from ..measures.learning import doubts_of_learning
from ..progress import progress
from ..storage.clips import Clips, class_counts
from ..storage.files import replacing
from .augment import step_input
from .batches import TwoSplits, load_batches
from .card import Made, write_card
from .checks import refuse_new_branches, refuse_partial_encoder, refuse_too_few, refuse_unknown_backbone
from .distributed import Process, on_each_device
from .folds import assign_folds
from .fused_samples import Dataset, FusedSample, open_dataset
from .losses import Loss, make_loss
from .optimizers import make_optimizer, rate_factor, set_rate
from .order import epoch_batches, in_parts
from .predict import Build, Shards, log_probabilities, network_of, test_batches
from .preemption import Stopped, StopRequest
from .samples import Key, Sample
from .weights import About, freeze_backbone, save_weights, start_from, start_from_file, train_mode

log = logging.getLogger(__name__)

SAVE_SECONDS = 600.0  # between two saved states: a killed job loses at most this much

Epoch = dict[str, float | int | None]


def train(
    clips: Clips,
    shards: Shards,
    step: TrainStep,
    build: Build,
    output: Path,
    card: Path,
    scratch: Path,
    resources: Resources,
    parents: Sequence[Path] = (),
    weights: Path | None = None,
    fold: int | None = None,
    save_seconds: float = SAVE_SECONDS,
    stop: StopRequest | None = None,
) -> None:
    """Train a stream on the labelled clips of split train; write its weights and a card about them.

    The initial weights may come from ``parents``, the weights of other streams, one for each path of the network, or
    from ``weights``, a file of published weights. With a ``fold`` (0 to ``step.folds`` - 1), the clips of its people
    are used neither for training nor for validation.

    A killed training resumes from its state in ``scratch``, which is written after every epoch and every
    ``save_seconds``. On one CPU the result is the same to the byte as that of an uninterrupted training. After a
    request to ``stop``, training finishes the current step (with several devices possibly one more), saves its state
    and raises ``Stopped``. Raises ``InputError`` if there are too few clips, if too many clips lack an input, or if the
    loss is not finite.
    """
    started = time.monotonic()
    resources = replace(resources, devices=min(resources.devices, step.recipe.batch_size))
    run = clips, shards, step, build, scratch, resources, parents, weights, fold, save_seconds, stop or StopRequest()
    kept, made = on_each_device(resources, learn, *run)
    save_weights(output, kept, About(step.stream, step.inputs, clips.classes))
    for doubt in doubts_of_learning(write_card(card, made, seconds=time.monotonic() - started)):
        log.warning("%s", doubt)
    shutil.rmtree(scratch, ignore_errors=True)


def learn(
    process: Process,
    clips: Clips,
    shards: Shards,
    step: TrainStep,
    build: Build,
    scratch: Path,
    resources: Resources,
    parents: Sequence[Path],
    weights: Path | None,
    fold: int | None,
    save_seconds: float,
    stop: StopRequest,
) -> tuple[dict[str, torch.Tensor], Made]:
    """Train in one process of possibly several; return the weights of the kept epoch, and the content of the card.

    The clips of a step are divided into micro-batches, and the micro-batches among the devices. The gradients of the
    micro-batches sum to the gradient of the mean loss of the step, however many there are. All random numbers depend
    only on the seed and the numbers of the epoch, the step and the micro-batch, so a resumed training and other devices
    use the same ones.
    """
    recipe, device, n_classes = step.recipe, process.device, len(clips.classes)

    # data
    labelled = clips.usable[clips.usable.label.notna()]
    if fold is not None:
        labelled = labelled[labelled.clip_id.map(assign_folds(clips, step.folds)) != fold]
    limits = {"workers": resources.workers, "memory": resources.memory / process.count}
    training, validation = (
        open_dataset(labelled[labelled.split == split], shards, step, training=split == "train", **limits)
        for split in ("train", "val")
    )
    fewest = min(map(len, epoch_batches(training.labels, recipe, step.seed, epoch=0)), default=0)
    refuse_too_few(step, training, validation, fewest, process.count)

    # network and its initial weights
    torch.manual_seed(step.seed)
    network = network_of(step, build, n_classes)
    start = None
    frozen = recipe.freeze == "backbone"
    if parents:
        start = start_from(network, parents, () if frozen else clips.classes)  # without classes, the head is new
        refuse_new_branches(step, start)
    elif weights is not None:
        start = start_from_file(network, weights, clips.classes)
    if start:
        log.info("%s %s", step.stream, start.sentence())
    refuse_partial_encoder(step, start)
    if frozen:
        refuse_unknown_backbone(step, start)
        freeze_backbone(network)
    network.to(device)
    if resources.compile:
        network.compile()

    # loss and optimizer
    labels_N = np.array(training.labels)
    loss_function = _loss_function(network, step, class_counts(training.labels, n_classes), device)
    optimizer = make_optimizer(network, recipe)
    scaler = torch.amp.GradScaler(device.type, enabled=recipe.precision == "fp16" and device.type == "cuda")

    # the state that a killed training resumes from; ``losses`` are those of the steps done in the current epoch
    changing = {"network": network, "optimizer": optimizer, "scaler": scaler}
    best, history, losses = {}, [], []
    if (saved := scratch / "state.pt").exists():
        state = torch.load(saved, map_location=device, weights_only=True)
        for name, part in changing.items():
            part.load_state_dict(state[name])
        best, history, losses = state["best"], state["history"], state["losses"]
    saved_at = time.monotonic()

    def flags() -> list[bool]:
        """Whether the state is due to be saved, and whether there is a request to stop."""
        return [time.monotonic() - saved_at >= save_seconds, stop.is_made]

    shared = process.share(network)

    # The initial weights of a fused network are a valid result, numbered epoch 0; they may be the best.
    starts = int(step.branches is not None)
    first_epoch = max(len(history) - starts, 0)
    # One iterator over all remaining batches, so the worker processes run for the whole training.
    validate_first = bool(starts and not history)
    order = loading_order(training, validation, step, process, first_epoch, len(losses), validate_first)
    batches = load_batches(TwoSplits(training, validation), order, device, resources.workers)
    if validate_first:
        measured = validate(network, validation, batches, step, n_classes, process)
        history.append({"epoch": 0, "learning_rate": 0.0, "train_loss": None, **measured})
        best = _copied(network)

    for epoch in progress(
        range(first_epoch, recipe.epochs),
        f"train {step.stream}",
        recipe.epochs,
        "epoch",
        done=first_epoch,
        quiet=not process.is_first,
        results=lambda: outcome(history, recipe.keep_checkpoint),
    ):
        steps = epoch_batches(training.labels, recipe, step.seed, epoch)
        if process.agree(flags)()[1]:
            raise _stopped(step, stop, epoch, len(losses), len(steps))
        rates = [recipe.learning_rate * rate_factor(epoch + done / len(steps), recipe) for done in range(len(steps))]
        # The losses stay on the device, because reading one makes this process wait for all work of the device. They
        # are read, and checked to be finite, whenever the state is saved.
        loss_S = torch.zeros(len(steps), dtype=torch.float64, device=device)
        if process.is_first:
            loss_S[: len(losses)] = torch.tensor(losses, dtype=torch.float64)
        train_mode(network)
        to_do = range(len(losses), len(steps))
        title, quiet = f"epoch {epoch + 1}", not process.is_first
        for number in progress(to_do, title, len(steps), "step", done=len(losses), part=True, quiet=quiet):
            agreed = process.agree(flags)
            part_of_loss = loss_function.of_step(labels_N[[row for row, _ in steps[number]]])
            set_rate(optimizer, rates[number])
            optimizer.zero_grad()
            loss = torch.zeros((), device=device)
            micro_batches = own_micro_batches(steps[number], recipe.micro_batch_size, process.rank, process.count)
            for micro_batch in micro_batches:
                batch = next(batches)
                x = step_input(batch, step, training=True)
                torch.manual_seed(_seed(step.seed, epoch, number, micro_batch.number))  # dropout and drop path
                with process.collecting(shared, last=micro_batch is micro_batches[-1]):
                    with autocast(recipe.precision, device):
                        logits = shared(*x)
                    part = part_of_loss(logits, batch.label)  # the parts of all micro-batches sum to the step's mean
                    scaler.scale(part * process.count).backward()  # the processes' gradients are averaged
                loss += part.detach()
            scaler.unscale_(optimizer)
            nn.utils.clip_grad_norm_(network.parameters(), recipe.clip_norm or math.inf)
            scaler.step(optimizer)
            scaler.update()
            loss_S[number] = loss
            due, stopping = agreed()
            if due or stopping:
                losses = _finite_losses(loss_S[: number + 1], steps, training, step, epoch, process)
                process.average_buffers(network)
                if process.is_first:
                    save_state(saved, changing, {"best": best, "history": history, "losses": losses})
                saved_at = time.monotonic()
            if stopping:
                raise _stopped(step, stop, epoch, number + 1, len(steps))

        losses = _finite_losses(loss_S, steps, training, step, epoch, process)
        process.average_buffers(network)
        measured = validate(network, validation, batches, step, n_classes, process)
        trained = {"epoch": len(history), "learning_rate": rates[-1], "train_loss": float(np.mean(losses))}
        history.append(trained | measured)
        losses = []
        log.info("%s %s", step.stream, ", ".join(f"{k} {v:.3g}" for k, v in history[-1].items() if v is not None))
        if best_epoch(history, recipe.keep_checkpoint) == len(history) - 1:
            best = _copied(network)
        if process.is_first:
            save_state(saved, changing, {"best": best, "history": history, "losses": losses})
        saved_at = time.monotonic()

    kept = best_epoch(history, recipe.keep_checkpoint)
    clips_of_step = min(recipe.batch_size, recipe.repeats * len(training))
    per_step = process.count * micro_batches_each(clips_of_step, recipe.micro_batch_size, process.count)
    shown = [row for keys in epoch_batches(training.labels, recipe, step.seed, epoch=0) for row, _ in keys]
    bounds = loss_function.bounds(labels_N[shown[: len(labels_N)]], step.network.paths)
    made = Made(step, clips, training, validation, network, start, history, kept, bounds, per_step, fold, process)
    return best, made


def validate(
    network: nn.Module,
    validation: Dataset,
    batches: Iterator[Sample | FusedSample],
    step: TrainStep,
    n_classes: int,
    process: Process,
) -> Epoch:
    """Loss, accuracy and balanced accuracy on the validation clips, with one view each; None if there are none."""
    if not len(validation):
        return {"val_loss": None, "val_accuracy": None, "val_balanced_accuracy": None}
    scores_NK = np.zeros((len(validation), n_classes), np.float32)
    if own := range(process.rank, len(validation), process.count):
        options = {"both_sides": False, "only": own, "loaded": batches}
        scores_NK[own] = log_probabilities(network, validation, step, process.device, **options)
    scores_NK = process.total(scores_NK)
    labels_N = np.array(validation.labels)
    right_N = scores_NK.argmax(1) == labels_N
    return {
        "val_loss": float(-scores_NK[np.arange(len(labels_N)), labels_N].mean()),
        "val_accuracy": float(right_N.mean()),
        "val_balanced_accuracy": float(np.mean([right_N[labels_N == label].mean() for label in np.unique(labels_N)])),
    }


def best_epoch(history: Sequence[Epoch], keep_checkpoint: str) -> int:
    """The index of the epoch whose weights are kept: the best on val; ties go to the lowest loss, then to the first.

    Without validation clips, or with ``keep_checkpoint`` "last", it is the last epoch.
    """
    if keep_checkpoint == "last" or history[-1]["val_loss"] is None:
        return len(history) - 1
    measure = {"best_balanced_accuracy": "val_balanced_accuracy", "best_accuracy": "val_accuracy"}[keep_checkpoint]
    return max(range(len(history)), key=lambda e: (history[e][measure], -history[e]["val_loss"]))


def outcome(history: Sequence[Epoch], keep_checkpoint: str) -> str:
    """The results of the last epoch, and of the kept epoch if it is another one, as text."""

    def short(results: Epoch) -> str:
        loss = "before training" if results["train_loss"] is None else f"loss {results['train_loss']:.2f}"
        return loss if results["val_accuracy"] is None else f"{loss}, val accuracy {results['val_accuracy']:.1%}"

    kept = best_epoch(history, keep_checkpoint)
    last = short(history[-1])
    return last if kept == len(history) - 1 else f"{last}; epoch {kept} is kept: {short(history[kept])}"


class MicroBatch(NamedTuple):
    """The keys of a micro-batch, and its number among all micro-batches of its step on all devices."""

    number: int
    keys: list[Key]


def loading_order(
    training: Dataset,
    validation: Dataset,
    step: TrainStep,
    process: Process,
    first_epoch: int,
    steps_done: int,
    validate_first: bool,
) -> Iterator[list[tuple[str, Key]]]:
    """The keys of every micro-batch and validation batch that a process still has to load, in order."""
    recipe, own = step.recipe, range(process.rank, len(validation), process.count)
    tests = [[("val", key) for key in keys] for keys in test_batches(validation, step, validation.test_keys(own))]
    if validate_first:
        yield from tests
    for epoch in range(first_epoch, recipe.epochs):
        for keys in epoch_batches(training.labels, recipe, step.seed, epoch)[steps_done:]:
            for micro_batch in own_micro_batches(keys, recipe.micro_batch_size, process.rank, process.count):
                yield [("train", key) for key in micro_batch.keys]
        steps_done = 0
        yield from tests


def micro_batches_each(clips: int, size: int | None, devices: int) -> int:
    """The number of micro-batches of a step that each device processes, one after the other."""
    return -(-clips // (devices * (size or clips)))


def own_micro_batches(keys: Sequence[Key], size: int | None, rank: int, devices: int) -> list[MicroBatch]:
    """The micro-batches of a step for the device ``rank`` of ``devices``, in order, of at most ``size`` clips each.

    The micro-batches of all devices together make up the step; their sizes are as equal as possible. Each device gets
    at least one if there are at least as many clips as devices.
    """
    each = micro_batches_each(len(keys), size, devices)
    parts = in_parts(keys, devices * each)
    own = range(rank * each, (rank + 1) * each)
    return [MicroBatch(number, parts[number]) for number in own if parts[number]]


def _seed(*numbers: int) -> int:
    return int(np.random.default_rng(numbers).integers(2**63))


def _loss_function(network: nn.Module, step: TrainStep, counts: Sequence[int], device: torch.device) -> Loss:
    try:
        return make_loss(step.recipe, network, counts, device)
    except ValueError as error:
        raise InputError(f"stream '{step.stream}': {error}") from None


def _finite_losses(
    loss_S: torch.Tensor, steps: list[list[Key]], training: Dataset, step: TrainStep, epoch: int, process: Process
) -> list[float]:
    """The losses of an epoch's first steps, over all devices; ``InputError`` with the clips if one is not finite."""
    losses = process.total(loss_S.cpu().numpy()).tolist()
    for number, loss in enumerate(losses):
        if not math.isfinite(loss):
            clip_ids = [training.clip_ids[row] for row, _ in steps[number]]
            raise InputError(
                f"stream '{step.stream}': the loss is {loss} in epoch {epoch}, step {number}; the clips of that step "
                f"are {', '.join(clip_ids)}. Check their {' and '.join(step.inputs)}, or reduce learning_rate (now "
                f"{step.recipe.learning_rate})"
            )
    return losses


def save_state(path: Path, changing: dict[str, Any], reached: dict[str, Any]) -> None:
    """Write the state to resume from: network, optimizer and scaler (``changing``), and the progress (``reached``)."""
    # With a path instead of a file, torch does not report a full disk.
    with replacing(path) as temporary, open(temporary, "wb") as file:
        torch.save({name: part.state_dict() for name, part in changing.items()} | reached, file)


def _copied(network: nn.Module) -> dict[str, torch.Tensor]:
    return {name: tensor.detach().clone() for name, tensor in network.state_dict().items()}


def _stopped(step: TrainStep, stop: StopRequest, epoch: int, done: int, steps: int) -> Stopped:
    by = stop.signal.name if stop.signal else "its first process"
    return Stopped(
        f"stream '{step.stream}' was stopped by {by} in epoch {epoch} after {done} of {steps} steps; run again to go on"
    )
