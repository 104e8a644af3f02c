"""Refusal of streams whose corpus lacks what their inputs are made from."""

from collections.abc import Callable, Collection, Iterable, Mapping

from ..config.modalities import IN_SPACE, store
from ..config.whole import Config
from ..errors import InputError


def refuse_missing_inputs(config: Config, provides: Mapping[str, Collection[str]], root: Callable[[str], str]) -> None:
    """Raise ``InputError`` if a stream or a pretraining needs a source that its corpus does not provide.

    ``provides`` has the sources of each corpus; ``root`` returns the folder of a corpus, for the message.
    """
    wanted = [(f"stream '{name}'", one.corpus, one.inputs) for name, one in config.streams.items()]
    for name, one in config.pretraining.items():
        wanted += [(f"pretraining '{name}'", corpus, (one.input,)) for corpus in one.corpora]
    for who, corpus, inputs in wanted:
        for needed in _needed(config, inputs):
            if needed not in provides[corpus]:
                find = f", or find them in its videos (corpora.{corpus}.pose: mediapipe)"
                none = f"{who} needs {needed}, but corpus '{corpus}' ({root(corpus)}) has none; remove it"
                raise InputError(none + (find if needed == "keypoints" else ""))


def _needed(config: Config, inputs: Iterable[str]) -> list[str]:
    needed = [need for modality in inputs for need in sorted(config.modality(store(modality)).needs)]
    return needed + ["metres" for modality in inputs if modality in IN_SPACE]
