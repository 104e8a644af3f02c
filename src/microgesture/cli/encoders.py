"""Subcommands that read pretrained video encoders and compute their features."""

from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from ..config.base import parse_step
from ..config.encoders import Encoder, EncoderStep
from ..config.streams import TrainStep
from .options import (
    BY_HAND,
    Device,
    File,
    Output,
    SettingsText,
    Stamp,
    Threads,
    own_device,
    reusing_earlier,
    scratch_folder,
    stage,
)

EncoderFile = Annotated[
    Path | None, typer.Option("--encoder", exists=True, dir_okay=False, help="description of a pretrained encoder")
]


def with_encoder(step: TrainStep, described: Path | None) -> TrainStep:
    """A step with the pretrained encoder that a file describes; unchanged without a file."""
    return step if described is None else step.with_encoder(parse_step(Encoder, described.read_text("utf-8")))


@stage("encoder", EncoderStep)
def encoder(settings: SettingsText, output: Output, weights: Output) -> None:
    """Read a pretrained video encoder, from a folder or from the Hugging Face hub, and store it as safetensors."""
    from ..checkpoints.encoders import read_encoder
    from ..storage.files import write_text
    from ..streams.weights import save_encoder

    found, state = read_encoder(parse_step(EncoderStep, settings))
    write_text(output, save_encoder(weights, found, state).model_dump_json(indent=2) + "\n")


@stage("features", TrainStep)
def features(
    settings: SettingsText,
    encoder: File,
    weights: File,
    output: Output,
    frames: Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="shard of video frames")],
    stamp: Stamp = BY_HAND,
    device: Device = "auto",
    threads: Threads = 1,
) -> None:
    """Compute the features of a pretrained video encoder for each view of the clips of a shard."""
    from ..modalities.sources import sources_of_features
    from ..streams.encode import FeatureFiles, make_features

    step = with_encoder(parse_step(TrainStep, settings), encoder)
    sources = partial(sources_of_features, frames, weights, stamp)
    with (
        own_device(device) as own,
        scratch_folder(output, stamp) as scratch,
        reusing_earlier(output, scratch, stamp, sources),
    ):
        make_features(step, FeatureFiles(frames, weights, output, scratch), own, threads)
