"""Subcommands that train networks and predict with them."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from platformdirs import user_cache_path

from ..config.base import parse_step
from ..config.pretraining import PretrainStep
from ..config.streams import TrainStep
from .encoders import EncoderFile, with_encoder
from .options import (
    BY_HAND,
    Compile,
    Device,
    Devices,
    File,
    Files,
    FoldNumber,
    MaxQuarantined,
    Memory,
    Output,
    SettingsText,
    Stamp,
    Threads,
    Workers,
    by_kind,
    scratch_folder,
    stage,
)

if TYPE_CHECKING:
    from ..machine.resources import Resources
    from ..streams.preemption import StopRequest


@contextmanager
def _training(
    model: Path,
    stamp: str,
    device: str,
    threads: int,
    workers: int,
    memory: float,
    devices: int,
    compile: bool,
) -> Iterator[tuple["StopRequest", Path, "Resources"]]:
    """Hold what a training needs: its GPUs, signals that ask it to stop, and the folder from which it resumes."""
    from ..machine.gpus import held_gpus
    from ..machine.resources import Resources
    from ..streams.preemption import stop_on_signals

    if compile:  # torch would use a folder that anybody could have made among the temporary files
        os.environ.setdefault("TORCHINDUCTOR_CACHE_DIR", str(user_cache_path("microgesture") / "torch"))
    # A job that still waits for a GPU has nothing to save, so signals end it immediately.
    with held_gpus(device, devices) as gpus, stop_on_signals() as stop, scratch_folder(model, stamp) as scratch:
        yield stop, scratch, Resources(device, threads, workers, memory, devices, compile, gpus)


@stage("weights")
def weights(
    name: Annotated[str, typer.Option(help="torchvision's name of weights, such as Swin3D_T_Weights.KINETICS400_V1")],
    output: Output,
) -> None:
    """Download published weights, check them, and store them as safetensors."""
    from ..checkpoints.published import fetch_weights

    fetch_weights(name, output)


@stage("train", TrainStep)
def train(
    settings: SettingsText,
    clips: File,
    shards: Files,
    model: Output,
    card: Output,
    init: Annotated[
        list[Path] | None, typer.Option(exists=True, help="weights of another stream; one for each path or branch")
    ] = None,
    weights: Annotated[Path | None, typer.Option(exists=True, help="published weights")] = None,
    encoder: EncoderFile = None,
    pseudo_labels: Annotated[
        Path | None, typer.Option(exists=True, help="pseudo-labels of test clips, to train on them and on val too")
    ] = None,
    fold: Annotated[int | None, typer.Option(min=0, help="train without the subjects of this fold")] = None,
    stamp: Stamp = BY_HAND,
    device: Device = "auto",
    devices: Devices = 1,
    threads: Threads = 1,
    workers: Workers = 0,
    memory: Memory = 1.0,
    compile: Compile = False,
    max_quarantined: MaxQuarantined = 1.0,
) -> None:
    """Train one stream. A training that was stopped resumes where it was."""
    from ..networks import build
    from ..storage.clips import read_clips
    from ..streams.crash import crash_reported
    from ..streams.train import train as train_stream

    step = with_encoder(parse_step(TrainStep, settings), encoder)
    step = step.model_copy(update={"max_quarantined": max_quarantined})
    known = read_clips(clips)
    if pseudo_labels:
        from ..ensembles.pseudo_labels import read_pseudo_labels, with_pseudo_labels

        known = with_pseudo_labels(known, read_pseudo_labels(pseudo_labels))
    held = _training(model, stamp, device, threads, workers, memory, devices, compile)
    with held as (stop, scratch, resources), crash_reported(step):
        files = model, card, scratch
        train_stream(known, by_kind(shards), step, build, *files, resources, init or (), weights, fold, stop=stop)


@stage("pretrain", PretrainStep)
def pretrain(
    settings: SettingsText,
    clips: Annotated[list[Path], typer.Option(exists=True, dir_okay=False, help="measured clips, without labels")],
    shards: Files,
    model: Output,
    card: Output,
    stamp: Stamp = BY_HAND,
    device: Device = "auto",
    devices: Devices = 1,
    threads: Threads = 1,
    workers: Workers = 0,
    memory: Memory = 1.0,
    compile: Compile = False,
    max_quarantined: MaxQuarantined = 1.0,
) -> None:
    """Train a network on clips without labels. A training that was stopped resumes where it was."""
    from ..storage.clips import read_clips
    from ..streams.crash import crash_reported
    from ..streams.pretrain import pretrain as pretrain_network

    step = parse_step(PretrainStep, settings).model_copy(update={"max_quarantined": max_quarantined})
    measured = [read_clips(path) for path in clips]
    held = _training(model, stamp, device, threads, workers, memory, devices, compile)
    with held as (stop, scratch, resources), crash_reported(step):
        pretrain_network(measured, by_kind(shards), step, model, card, scratch, resources, stop=stop)


@stage("predict", TrainStep)
def predict(
    settings: SettingsText,
    clips: File,
    shards: Files,
    model: File,
    val: Output,
    test: Output,
    encoder: EncoderFile = None,
    device: Device = "auto",
    threads: Threads = 1,
    workers: Workers = 0,
    memory: Memory = 1.0,
) -> None:
    """Predict the validation and the test clips with a trained stream."""
    from ..machine.gpus import held_gpus
    from ..machine.resources import Resources
    from ..networks import build
    from ..storage.clips import read_clips
    from ..streams.predict import predict as predict_stream

    step = with_encoder(parse_step(TrainStep, settings), encoder)
    with held_gpus(device) as gpus:
        resources = Resources(device, threads, workers, memory, gpus=gpus)
        predict_stream(read_clips(clips), by_kind(shards), model, step, build, {"val": val, "test": test}, resources)


@stage("predict-fold", TrainStep)
def predict_fold(
    settings: SettingsText,
    clips: File,
    shards: Files,
    model: File,
    fold: FoldNumber,
    output: Output,
    encoder: EncoderFile = None,
    device: Device = "auto",
    threads: Threads = 1,
    workers: Workers = 0,
    memory: Memory = 1.0,
) -> None:
    """Predict the labelled clips of the held-out subjects of a fold."""
    from ..machine.gpus import held_gpus
    from ..machine.resources import Resources
    from ..networks import build
    from ..storage.clips import read_clips
    from ..streams.predict import predict_fold as predict_people

    step = with_encoder(parse_step(TrainStep, settings), encoder)
    with held_gpus(device) as gpus:
        resources = Resources(device, threads, workers, memory, gpus=gpus)
        predict_people(read_clips(clips), by_kind(shards), model, step, build, fold, output, resources)
