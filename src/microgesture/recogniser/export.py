"""Writing the folder that is handed over: the streams of an ensemble, and all that it takes to use them elsewhere."""

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ..clips import read_clips
from ..errors import InputError
from ..files import read_json, write_json, write_text
from ..plan import Plan
from ..stream import TrainStep
from ..weights import load_weights, save_weights
from .card import card_text
from .settings import CARD, FORMAT, MANIFEST, SUMS, Lengths, Member, Recogniser

QUANTILES = (0.1, 0.5, 0.9)  # of the lengths of training clips: what windows have
USUAL_FPS = 25.0  # where a corpus does not say


def export_recogniser(plan: Plan, output: Path, ensemble: str | None = None) -> Recogniser:
    """Write an ensemble of a finished run, by default the submission's, as a folder of its own.

    It holds the weights of each stream (safetensors), ``recogniser.json`` with their settings, classes, temperatures
    and weights, a card for people (``README.md``) and ``SHA256SUMS``, which ``sha256sum -c`` reads too. Raises
    ``InputError`` if the run is not finished, if the folder holds something else, or if a stream cannot be made from
    a video elsewhere.
    """
    name = ensemble or plan.config.submission.ensemble
    if name not in plan.config.ensembles:
        raise InputError(f"there is no ensemble '{name}'; choose one of {', '.join(plan.config.ensembles)}")
    _refuse_bound(plan)
    results = Path(plan.results)
    corpus = plan.corpus_of(name)
    clips = read_clips(_found(results / "clips" / f"{corpus}.parquet"))
    fusion = read_json(_found(results / "ensembles" / name / "fusion.json"))
    streams = {stream: results / "streams" / stream for stream in fusion["streams"]}
    members = tuple(_member(stream, folder, fusion) for stream, folder in streams.items())
    config = plan.config
    recogniser = Recogniser(
        format=FORMAT,
        ensemble=name,
        corpus=corpus,
        classes=clips.classes,
        members=members,
        lengths=_lengths(clips.usable),
        keypoints=config.keypoints,
        rgb=config.rgb,
        face=config.face,
        taylor=config.taylor,
        flow=config.flow,
        depth=config.depth,
    )
    _prepare(output)
    for member in members:
        state, about = load_weights(_found(streams[member.step.stream] / "model.safetensors"))
        if about is None or about.classes != recogniser.classes or about.inputs != member.step.inputs:
            raise InputError(f"stream '{member.step.stream}' was trained for other classes or inputs; run it again")
        save_weights(output / member.file, state, about)
    write_json(output / MANIFEST, recogniser.model_dump(mode="json"))
    summary = pd.read_csv(_found(results / "ensembles" / name / "summary.csv"))
    write_text(output / CARD, card_text(recogniser, clips, fusion["fitted_on"], summary))
    written = sorted([MANIFEST, CARD, *(member.file for member in members)])
    write_text(output / SUMS, "".join(f"{sha256(output / file)}  {file}\n" for file in written))
    return recogniser


def sha256(path: Path) -> str:
    """The SHA-256 of a file, as 64 hexadecimal digits."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _member(stream: str, folder: Path, fusion: Mapping[str, Any]) -> Member:
    card = read_json(_found(folder / "card.json"))
    # The card says how the stream was trained, whatever the configuration says by now.
    step = TrainStep.model_validate({key: card[key] for key in TrainStep.model_fields if key in card})
    return Member(
        step=step,
        file=f"{stream}.safetensors",
        temperature=fusion["temperatures"][stream],
        weight=min(max(fusion["weights"][stream], 0.0), 1.0),
    )


def _lengths(table: pd.DataFrame) -> Lengths:
    train = table[table.split == "train"]
    frames = np.unique(np.rint(train.n_frames.quantile(list(QUANTILES)))).astype(int)
    fps = float(train.fps.median())
    return Lengths(frames=tuple(frames.tolist()), fps=fps if fps > 0 else USUAL_FPS)


def _refuse_bound(plan: Plan) -> None:
    """Flow and depth that take files of their own cannot be made from what the folder holds."""
    for modality, settings in (("flow", plan.config.flow), ("depth", plan.config.depth)):
        if settings.backend not in ("dis", "skeleton"):
            raise InputError(
                f"{modality}.backend is {settings.backend}, whose files are not handed over; export an ensemble "
                f"of a run with {modality}.backend: {'dis' if modality == 'flow' else 'skeleton'}"
            )


def _found(path: Path) -> Path:
    if not path.is_file():
        raise InputError(f"{path} is not there; finish the run before its ensemble is exported")
    return path


def _prepare(output: Path) -> None:
    """An empty folder, or one that an earlier export has written and this one replaces."""
    if output.exists() and not output.is_dir():
        raise InputError(f"{output} is a file; name a folder")
    if output.is_dir() and any(output.iterdir()) and not (output / SUMS).is_file():
        raise InputError(f"{output} holds other files; name a new folder")
    output.mkdir(parents=True, exist_ok=True)
    for old in [output / SUMS, *output.glob("*.safetensors")]:
        old.unlink(missing_ok=True)
