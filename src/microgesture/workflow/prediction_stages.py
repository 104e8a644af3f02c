"""The stages that export an ensemble and use it on your own videos."""

import re
from collections.abc import Iterator
from pathlib import Path

from ..config.base import PLACEHOLDERS
from ..config.corpus_format import LARGEST, PERSON_RULES
from ..config.layouts import LAYOUT_FILES
from ..config.modalities import MODALITIES, store, with_sources
from ..config.predictions import FindingSettings, PredictionSettings
from ..config.recogniser import RecogniserStep, unportable
from ..config.whole import Config
from ..errors import InputError, UnusableClip
from ..recogniser.recordings import recordings_in, refuse_name
from ..skeletons.files import MODULES
from .stages import Planned

PAGE = ("microgesture/recogniser/page.html", "microgesture/recogniser/selection.js")
PERIODIC = re.compile(r"(.+?)\1{19,}$")  # Snakemake takes such a name for an endless recursion


def recordings_to_predict(predictions: PredictionSettings) -> tuple[dict[str, Path], list[str]]:
    """The recordings that the target ``predictions`` can name, and a message about each of the others.

    Raises ``InputError`` as ``recordings_in`` does, and if no recording is left.
    """
    found = recordings_in(Path(predictions.folder))
    messages = {name: message for name, path in found.items() if (message := _unusable_name(path)) is not None}
    usable = {name: path for name, path in found.items() if name not in messages}
    if not usable:
        raise InputError("no recording has a name that can be used:\n" + "\n".join(messages.values()))
    return usable, list(messages.values())


def _unusable_name(recording: Path) -> str | None:
    try:
        refuse_name(recording)
    except UnusableClip as reason:
        return str(reason)
    way_out = "rename it, or use `microgesture predict-videos` for it"
    if mark := PLACEHOLDERS.search(recording.stem):
        return f"{recording} is left out, because its name contains {mark[0]!r}; {way_out}"
    if PERIODIC.search(recording.stem):
        return f"{recording} is left out, because its name ends in a long repetition; {way_out}"
    return None


def recogniser_step(config: Config, ensemble: str) -> RecogniserStep:
    """The settings of the stage that exports an ensemble.

    Raises ``InputError`` if there is no such ensemble, or if the inputs of a stream cannot be made from a new video.
    """
    if ensemble not in config.ensembles:
        raise InputError(f"there is no ensemble '{ensemble}'; choose one of {', '.join(config.ensembles)}")
    streams = config.ensembles[ensemble].streams
    for name in streams:
        if found := unportable(config.streams[name].inputs, config.modality):
            modality, reason = found
            other = config.modality(modality).portable_backend
            raise InputError(
                f"ensemble '{ensemble}' cannot be exported: {modality}, which stream {name} needs, {reason}, which an "
                "exported folder does not contain. Export an ensemble without that stream (--ensemble, or "
                "submission.ensemble)" + (f", or train with {modality}.backend: {other}" if other else "")
            )
    name = config.streams[streams[0]].corpus
    corpus = config.corpora[name]
    return RecogniserStep(
        ensemble=ensemble,
        corpus=name,
        pose=corpus.pose,
        keypoint_files=corpus.keypoints,
        normalized=corpus.normalized,
        row_tolerance=corpus.row_tolerance,
        pose_weights=corpus.pose_weights,
        person=corpus.person if corpus.person in PERSON_RULES else LARGEST,
        fps=corpus.fps,
        testing={name: config.recipes[config.streams[name].recipe].testing for name in streams},
        **{name: config.modality(name) for name in MODALITIES},
    )


def prediction_stages(config: Config, predictions: PredictionSettings) -> Iterator[Planned]:
    """Export the submission's ensemble, unless another recogniser is given, and find gestures with it."""
    above, networks, rules = [], [], []
    makers = [modality.module for modality in MODALITIES.values()]
    if predictions.recogniser is None:
        name = config.submission.ensemble
        streams = config.ensembles[name].streams
        above = [("recogniser", "recogniser")]
        networks = sorted(set(_networks(config, streams)))
        rules = [config.ensembles[name].rule.module]
        makers = _makers(config, streams)
        made_of = [("ensemble", name), *(("train", stream) for stream in streams)]
        step = recogniser_step(config, name)
        yield Planned("recogniser", "recogniser", step, ["microgesture.recogniser.export", *rules], made_of)
    modules = ["microgesture.recogniser.finding", *networks, *rules, *makers, *MODULES]
    finding = FindingSettings(**predictions.model_dump(include=set(FindingSettings.model_fields)))
    yield Planned("gestures", "predictions", finding, modules, above, tables=[*PAGE, *LAYOUT_FILES])


def _networks(config: Config, streams: tuple[str, ...]) -> Iterator[str]:
    for name in streams:
        stream = config.streams[name]
        yield stream.network.module
        yield from (config.streams[branch].network.module for branch in stream.fuses or ())


def _makers(config: Config, streams: tuple[str, ...]) -> list[str]:
    """The modules that make the inputs of some streams, and the modalities that these are made from."""
    stores = [store(one) for name in streams for one in config.streams[name].inputs]
    return [MODALITIES[name].module for name in with_sources(stores, lambda name: config.modality(name).made_from)]
