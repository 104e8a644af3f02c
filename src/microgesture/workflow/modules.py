"""Checks of the modules that declarations name: they can be imported, and have the functions that are called."""

import inspect
import traceback
from collections.abc import Iterator
from importlib import import_module
from typing import NamedTuple

from ..config.ensembles import GIVEN
from ..config.modalities import MODALITIES
from ..config.whole import Config
from ..networks import needs_selection

BUILD = ("settings", "channels", "classes")


class Function(NamedTuple):
    """A function that the workflow calls: what it belongs to, its module and name, and its arguments by position."""

    owner: str
    module: str
    name: str
    arguments: tuple[str, ...]


def functions(config: Config) -> Iterator[Function]:
    """The functions of the modalities, and of the networks, corpus formats, losses and fusion rules in use."""
    for modality in MODALITIES.values():
        yield Function(f"modality {modality.name}", modality.module, "make", ("work",))
    for corpus in config.corpora.values():
        yield Function(f"format {corpus.format}", corpus.module, "read", ("root",))
    for stream in config.streams.values():
        network = stream.network
        others = {"selection": needs_selection(type(network)), "encoder": network.has_encoder}
        arguments = (*BUILD, *(name for name, has in others.items() if has))
        yield Function(f"network {network.name}", network.module, "build", arguments)
        for term in config.recipes[stream.recipe].loss_terms:
            yield Function(f"loss {term.name}", term.module, "make", ("settings", "network", "counts", "device"))
    for ensemble in config.ensembles.values():
        rule = ensemble.rule
        if rule is not GIVEN:
            yield Function(f"weights {rule.name}", rule.module, "fit", ("probabilities_SNK", "labels_N"))
        yield Function(f"weights {rule.name}", rule.module, "from_json", ("stored", "streams"))


def fault(function: Function) -> str | None:
    """What is wrong with a function, or None if it can be called."""
    try:
        called = getattr(import_module(function.module), function.name)
    except AttributeError:
        return f"{function.module} has no function {function.name}({', '.join(function.arguments)}); add it"
    except Exception as error:  # an extension may contain anything
        return f"{function.module} cannot be imported: {described(error)}"
    try:
        inspect.signature(called).bind(*function.arguments)
    except TypeError as error:
        wanted = ", ".join(function.arguments)
        return f"{function.module}.{function.name} must accept the arguments ({wanted}): {error}"
    return None


def described(error: Exception) -> str:
    """An unexpected error as one sentence, with the file and the line that raised it."""
    last = traceback.extract_tb(error.__traceback__)[-1]
    return f"{type(error).__name__}: {error} ({last.filename}, line {last.lineno})"
