"""Export an ensemble as a folder with its streams and everything that is needed to use them on another machine."""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from pydantic import ValidationError

from ..config.base import listed_problems
from ..config.recogniser import CARD, FORMAT, MANIFEST, SUMS, Lengths, Member, Recogniser, RecogniserStep
from ..config.streams import TrainStep
from ..ensembles.fusion import Fusion
from ..errors import InputError
from ..storage.clips import read_clips
from ..storage.files import read_json, write_json, write_text
from ..storage.scores import read_predictions
from ..streams.weights import load_weights, refuse_other_encoder, save_weights
from .card import card_text
from .thresholds import fitted

QUANTILES = (0.1, 0.5, 0.9)  # of the lengths of training clips; they are the lengths of windows
USUAL_FPS = 25.0  # if the rate of a clip is unknown


@dataclass(frozen=True)
class Sources:
    """The files from which an ensemble is exported: results, and each stream's folder with its weights and card.

    ``test`` is the table of results on test clips, which exists if their labels are known. ``encoders`` is the folder
    with the weights of pretrained encoders, which streams on stored features need.
    """

    clips: Path
    fusion: Path
    summary: Path
    held_out: Path
    streams: Mapping[str, Path]
    test: Path | None = None
    encoders: Path = Path("encoders")


def results_of(results: Path, step: RecogniserStep, streams: Iterable[str]) -> Sources:
    """Return the files in the results of a run from which the ensemble of a step, with these streams, is exported."""
    ensemble = results / "ensembles" / step.ensemble
    folders = {stream: results / "streams" / stream for stream in streams}
    clips = results / "clips" / f"{step.corpus}.parquet"
    files = ensemble / "fusion.json", ensemble / "summary.csv", ensemble / "held_out.parquet"
    test = results / "cross_subject" / "ablation.csv"
    return Sources(clips, *files, folders, test if test.is_file() else None, results / "encoders")


def export_recogniser(step: RecogniserStep, sources: Sources, output: Path) -> Recogniser:
    """Export a trained ensemble as a folder.

    The folder has the weights of each stream (safetensors), ``recogniser.json`` with the settings, classes,
    temperatures and fusion weights, a card for readers (``README.md``) and ``SHA256SUMS``, which ``sha256sum -c`` can
    check. A stream that was trained on stored features gets the weights of its encoder too. Raises ``InputError`` if
    the run is not finished, or if the folder has other files.
    """
    clips = read_clips(_found(sources.clips))
    fusion = read_json(_found(sources.fusion))
    members = tuple(_member(stream, sources.streams[stream], step) for stream in fusion["streams"])
    encoders = {stream: _encoder_file(stream, sources) for stream in fusion["streams"]}
    content = {
        **step.model_dump(exclude={"testing"}),
        "format": FORMAT,
        "classes": clips.classes,
        "members": members,
        "fusion": Fusion.from_json(fusion, fusion["streams"]).to_json(fusion["streams"]),
        "lengths": _lengths(clips.usable),
        "finding": fitted(clips, read_predictions(_found(sources.held_out))),
    }
    try:
        recogniser = Recogniser(**content)
    except ValidationError as error:
        raise InputError(f"ensemble '{step.ensemble}' cannot be exported:\n{listed_problems(error, content)}") from None
    summary = pd.read_csv(_found(sources.summary))
    _prepare(output)
    for member in members:
        state, about = load_weights(_found(sources.streams[member.step.stream] / "model.safetensors"))
        if about is None or about.classes != recogniser.classes or about.inputs != member.step.inputs:
            raise InputError(f"stream '{member.step.stream}' was trained for other classes or inputs; run it again")
        encoder = encoders[member.step.stream]
        save_weights(output / member.file, (load_weights(encoder)[0] if encoder else {}) | state, about)
    write_json(output / MANIFEST, recogniser.model_dump(mode="json", exclude={"testing"}))
    test = pd.read_csv(sources.test) if sources.test else None
    write_text(output / CARD, card_text(recogniser, clips, fusion["fitted_on"], summary, test))
    written = sorted([MANIFEST, CARD, *(member.file for member in members)])
    write_text(output / SUMS, "".join(f"{sha256(output / file)}  {file}\n" for file in written))
    return recogniser


def sha256(path: Path) -> str:
    """Return the SHA-256 of a file as 64 hexadecimal digits."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _member(stream: str, folder: Path, exported: RecogniserStep) -> Member:
    step = _trained_with(folder)
    if step.encoder is not None:  # its weights are in the folder; the model's own folder is not
        network = step.network.model_copy(update={"model": step.encoder.model})
        encoder = step.encoder.model_copy(update={"stored": False})
        step = step.model_copy(update={"network": network, "encoder": encoder})
    if stream in exported.testing:
        step = step.model_copy(update={"recipe": step.recipe.tested(exported.testing[stream])})
    return Member(step=step, file=f"{stream}.safetensors")


def _trained_with(folder: Path) -> TrainStep:
    """The settings of a training from its card; the configuration may have changed since."""
    card = read_json(_found(folder / "card.json"))
    return TrainStep.model_validate({key: card[key] for key in TrainStep.model_fields if key in card})


def _encoder_file(stream: str, sources: Sources) -> Path | None:
    """The weights of the encoder of a stream that was trained on stored features; None for other streams."""
    step = _trained_with(sources.streams[stream])
    if step.encoder is None or not step.encoder.stored:
        return None
    file = _found(sources.encoders / f"{step.network.encoder.file_name}.safetensors")
    refuse_other_encoder(file, step.encoder)
    return file


def _lengths(table: pd.DataFrame) -> Lengths:
    train = table[table.split == "train"]
    median = float(train.fps.median())
    fps = median if median > 0 else USUAL_FPS
    # In frames of the median rate, as the rates of clips may differ.
    length = (train.n_frames * (fps / train.fps.fillna(fps).astype(float))).quantile(list(QUANTILES))
    frames = np.unique(np.rint(length.round(6))).astype(int)
    return Lengths(frames=tuple(frames.tolist()), fps=fps)


def _found(path: Path) -> Path:
    if not path.is_file():
        raise InputError(f"{path} is missing; finish the run before you export its ensemble")
    return path


def _prepare(output: Path) -> None:
    """Create the folder, or empty it if an earlier export has written it."""
    if output.exists() and not output.is_dir():
        raise InputError(f"{output} is a file; name a folder")
    if output.is_dir() and any(output.iterdir()) and not (output / SUMS).is_file():
        raise InputError(f"{output} has other files; name a new folder")
    output.mkdir(parents=True, exist_ok=True)
    for old in [output / SUMS, *output.glob("*.safetensors")]:
        old.unlink(missing_ok=True)
