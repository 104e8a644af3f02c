"""Training of one stream: the loop, and what it leaves behind."""

import logging
import math
import shutil
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from torch import nn

from ..config.streams import TrainStep
from ..errors import InputError
from ..progress import part_progress
from ..storage.clips import Clips, class_counts
from .augment import step_input
from .batches import Machine, autocast, epoch_batches, load_batches, pieces_of
from .card import Made, write_card
from .distributed import Process, on_each_device
from .folds import assign_folds
from .fused_samples import Dataset, open_dataset
from .history import Epoch, best_epoch, epochs_to_do
from .losses import Loss, make_loss
from .optimizers import make_optimizer, rate_factor, set_rate
from .predict import Build, Shards, log_probabilities, network_of
from .preemption import Stopped, StopRequest
from .training_state import Reached, TrainingState
from .weights import About, Start, is_branch, save_weights, start_from, start_from_file

log = logging.getLogger(__name__)

SAVE_SECONDS = 600.0  # a kill costs this much of training at most


def train(
    clips: Clips,
    shards: Shards,
    step: TrainStep,
    build: Build,
    output: Path,
    card: Path,
    scratch: Path,
    machine: Machine,
    parents: Sequence[Path] = (),
    weights: Path | None = None,
    fold: int | None = None,
    save_seconds: float = SAVE_SECONDS,
    stop: StopRequest | None = None,
) -> None:
    """Train a stream on the labelled clips of ``train``; write its weights and a card about them.

    ``parents`` are weights of other streams to start from, one for each path of the network; ``weights`` are published
    ones. With a ``fold`` (0 to ``step.folds`` - 1) the clips of its people are neither learnt from nor validated on.
    Training that was killed goes on from where its state was last written in ``scratch``: at the end of every epoch and
    every ``save_seconds``. On one CPU it ends in the same bytes as if it had not been killed. Once there is a request
    to ``stop`` it saves its state after the step under way and raises ``Stopped``. Raises ``InputError`` if there is
    nothing to learn from, if too many clips lack an input, or if the loss is not finite.
    """
    started = time.monotonic()
    machine = replace(machine, devices=min(machine.devices, step.recipe.batch))
    learnt, made = on_each_device(
        machine,
        learn,
        clips,
        shards,
        step,
        build,
        scratch,
        machine,
        parents,
        weights,
        fold,
        save_seconds,
        stop or StopRequest(),
    )
    save_weights(output, learnt, About(step.stream, step.inputs, clips.classes))
    write_card(card, made, seconds=time.monotonic() - started)
    shutil.rmtree(scratch, ignore_errors=True)


def learn(
    process: Process,
    clips: Clips,
    shards: Shards,
    step: TrainStep,
    build: Build,
    scratch: Path,
    machine: Machine,
    parents: Sequence[Path],
    weights: Path | None,
    fold: int | None,
    save_seconds: float,
    stop: StopRequest,
) -> tuple[dict[str, torch.Tensor], Made]:
    """The part of ``train`` that each process takes: clips and network made ready, and all epochs."""
    known = clips.usable[clips.usable.label.notna()]
    if fold is not None:
        known = known[known.clip_id.map(assign_folds(clips, step.folds)) != fold]
    training, validation = (
        open_dataset(
            known[known.split == split],
            shards,
            step,
            training=learns,
            workers=machine.workers,
            memory=machine.memory / process.count,
        )
        for split, learns in (("train", True), ("val", False))
    )
    _refuse_too_few(step, training, validation, process)

    torch.manual_seed(step.seed)
    network = network_of(step, build, len(clips.classes))
    start = None
    if parents:
        start = start_from(network, parents, clips.classes)
        _refuse_new_branches(step, start)
    elif weights is not None:
        start = start_from_file(network, weights, clips.classes)
    if start:
        log.info("%s %s", step.stream, start.sentence())
    network.to(process.device)
    if machine.compile:
        network.compile()
    learnt, history = fit(network, training, validation, len(clips.classes), step, process, scratch, save_seconds, stop)
    return learnt, Made(step, clips, training, validation, network, start, history, fold, process)


def fit(
    network: nn.Module,
    training: Dataset,
    validation: Dataset,
    classes: int,
    step: TrainStep,
    process: Process,
    scratch: Path,
    save_seconds: float,
    stop: StopRequest,
) -> tuple[dict[str, torch.Tensor], list[Epoch]]:
    """Run all epochs; returns the weights of the best one and the history.

    A step's clips are dealt into pieces that the devices take in turns; the gradients of the pieces add up to that of
    the mean loss over the step, however many pieces there are. All that is random follows from the seed and the
    numbers of epoch, step and piece, so it depends neither on when the process began nor on which device it is.
    A fused network makes sense before it has learnt anything, so that its start may be the best of it.
    Raises ``Stopped`` in all processes after the same step once the first one finds a request to ``stop``.
    """
    recipe, device = step.recipe, process.device
    labels_N = np.array(training.labels)
    loss_function = _loss_function(network, step, class_counts(training.labels, classes), device)
    optimizer = make_optimizer(network, recipe)
    scaler = torch.amp.GradScaler(device.type, enabled=recipe.precision == "fp16" and device.type == "cuda")
    state = TrainingState(
        scratch / "state.pt", network, optimizer, scaler, every_seconds=save_seconds, writes=process.is_first
    )
    best, history, losses = state.restore(device)
    shared = process.share(network)
    start = int(step.branches is not None)
    if start and not history:
        measured = validate(network, validation, step, classes, process)
        history.append({"epoch": 0, "learning_rate": 0.0, "train_loss": None, **measured})
        best = _copied(network)

    quiet = not process.is_first
    for epoch in epochs_to_do(step.stream, recipe.epochs, history, recipe.keep, start=start, quiet=quiet):
        steps = epoch_batches(training.labels, recipe, step.seed, epoch)
        if process.total(np.array([float(stop.is_made)]))[0]:
            raise _stopped(step, stop, epoch, len(losses), len(steps))
        rates = [recipe.learning_rate * rate_factor(epoch + done / len(steps), recipe) for done in range(len(steps))]
        pieces = [pieces_of(keys, recipe.device_batch, process.rank, process.count) for keys in steps]
        loaded = load_batches(training, [piece.keys for own in pieces[len(losses) :] for piece in own], device)
        network.train()
        to_do, title = range(len(losses), len(steps)), f"epoch {epoch + 1}"
        for number in part_progress(to_do, title, len(steps), done=len(losses), quiet=not process.is_first):
            rows = [row for row, _ in steps[number]]
            part_of_loss = loss_function.of_step(labels_N[rows])
            set_rate(optimizer, rates[number])
            optimizer.zero_grad()
            loss = torch.zeros((), device=device)
            for piece in pieces[number]:
                batch = next(loaded)
                x = step_input(batch, step, training=True)
                torch.manual_seed(_piece_seed(step.seed, epoch, number, piece.number))  # dropout and drop path
                with process.collecting(shared, last=piece is pieces[number][-1]):
                    with autocast(recipe, device):
                        logits = shared(*x)
                    part = part_of_loss(logits, batch.label)
                    scaler.scale(part * process.count).backward()  # the processes' gradients are averaged
                loss += part.detach()
            scaler.unscale_(optimizer)
            nn.utils.clip_grad_norm_(network.parameters(), recipe.clip_norm or math.inf)
            scaler.step(optimizer)
            scaler.update()
            mean_loss, due, stopping = process.total(np.array([loss.item(), state.is_due(), stop.is_made]))
            losses.append(float(mean_loss))
            if not math.isfinite(mean_loss):
                _diverged(step, epoch, number, mean_loss, [training.clip_ids[row] for row in rows])
            if due or stopping:
                process.average_buffers(network)
                state.write(Reached(best, history, losses))
            if stopping:
                raise _stopped(step, stop, epoch, number + 1, len(steps))
        process.average_buffers(network)
        measured = validate(network, validation, step, classes, process)
        trained = {"epoch": len(history), "learning_rate": rates[-1], "train_loss": float(np.mean(losses))}
        history.append(trained | measured)
        losses = []
        if best_epoch(history, recipe.keep) == len(history) - 1:
            best = _copied(network)
        state.write(Reached(best, history, losses))
    return best, history


def validate(
    network: nn.Module, validation: Dataset, step: TrainStep, classes: int, process: Process
) -> dict[str, float | None]:
    """Loss, accuracy and balanced accuracy on the validation clips, one view each; all None where there are none."""
    if not len(validation):
        return {"val_loss": None, "val_accuracy": None, "val_balanced_accuracy": None}
    scores_NK = np.zeros((len(validation), classes), np.float32)
    if own := range(process.rank, len(validation), process.count):
        scores_NK[own] = log_probabilities(network, validation, step, process.device, both_sides=False, only=own)
    scores_NK = process.total(scores_NK)
    labels_N = np.array(validation.labels)
    right_N = scores_NK.argmax(1) == labels_N
    return {
        "val_loss": float(-scores_NK[np.arange(len(labels_N)), labels_N].mean()),
        "val_accuracy": float(right_N.mean()),
        "val_balanced_accuracy": float(np.mean([right_N[labels_N == label].mean() for label in np.unique(labels_N)])),
    }


def _loss_function(network: nn.Module, step: TrainStep, counts: Sequence[int], device: torch.device) -> Loss:
    try:
        return make_loss(step.recipe, network, counts, device)
    except ValueError as error:
        raise InputError(f"stream '{step.stream}': {error}") from None


def _copied(network: nn.Module) -> dict[str, torch.Tensor]:
    return {name: tensor.detach().clone() for name, tensor in network.state_dict().items()}


def _piece_seed(*numbers: int) -> int:
    return int(np.random.default_rng(numbers).integers(2**63))


def _refuse_new_branches(step: TrainStep, start: Start) -> None:
    """A fused network begins where its parents ended, and is their mean only if it has all of both."""
    if step.branches and (new := [name for name in start.new if is_branch(name)]):
        raise InputError(
            f"stream '{step.stream}' fuses {' and '.join(start.parents)}, whose weights do not fit: {new[0]} is new "
            f"({len(new)} such tensors). They have other classes or another network; train them again"
        )


def _refuse_too_few(step: TrainStep, training: Dataset, validation: Dataset, process: Process) -> None:
    inputs = (" or " if step.branches else " and ").join(step.inputs)
    if len(training) < 2:
        raise InputError(
            f"stream '{step.stream}': {len(training)} usable clips of split train have a label and {inputs}; "
            "at least 2 are needed"
        )
    fewest = min(len(keys) for keys in epoch_batches(training.labels, step.recipe, step.seed, 0))
    if fewest < process.count:
        raise InputError(
            f"stream '{step.stream}': a step has {fewest} clips, too few for {process.count} devices; lower devices"
        )
    left_out = training.left_out | validation.left_out
    if len(left_out) > step.max_quarantined * (len(training) + len(validation) + len(left_out)):
        listed = "\n".join(f"  {clip_id}: {reason}" for clip_id, reason in left_out.items())
        raise InputError(
            f"stream '{step.stream}': {len(left_out)} clips have no {inputs}, more than max_quarantined = "
            f"{step.max_quarantined:.1%}; mend the files or raise it:\n{listed}"
        )


def _stopped(step: TrainStep, stop: StopRequest, epoch: int, done: int, steps: int) -> Stopped:
    by = stop.signal.name if stop.signal else "its first process"
    return Stopped(
        f"stream '{step.stream}' was stopped by {by} in epoch {epoch} after {done} of {steps} steps; run again to go on"
    )


def _diverged(step: TrainStep, epoch: int, number: int, loss: float, clip_ids: list[str]) -> None:
    raise InputError(
        f"stream '{step.stream}': the loss is {loss} in epoch {epoch}, step {number}; the clips of that step are "
        f"{', '.join(clip_ids)}. Look at their {' and '.join(step.inputs)}, or lower learning_rate (now "
        f"{step.recipe.learning_rate})"
    )
