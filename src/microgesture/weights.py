"""Trained weights as files: safetensors, with the stream's name, input and classes in the header."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import nn

from .errors import InputError
from .files import replacing

HEAD = "head."  # what the names of a network's classifier begin with


@dataclass(frozen=True)
class About:
    """What weights were trained for."""

    stream: str
    input: str
    classes: tuple[str, ...]


@dataclass(frozen=True)
class Start:
    """Which tensors a network took over from other weights: names, each list in the network's or the file's order."""

    stream: str | None
    loaded: list[str]
    new: list[str]
    left_out: list[str]

    def sentence(self) -> str:
        """The report in words, for the log."""
        return (
            f"starts from {self.stream or 'weights of unknown origin'}: {len(self.loaded)} tensors loaded; "
            f"new are {', '.join(self.new) or 'none'}; left out are {', '.join(self.left_out) or 'none'}"
        )


def save_weights(path: Path | str, state: dict[str, torch.Tensor], about: About) -> None:
    """Write a network's state; equal tensors give equal bytes."""
    tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in state.items()}
    # One key only: safetensors keeps several in no fixed order.
    with replacing(path) as temporary:
        save_file(tensors, temporary, metadata={"microgesture": json.dumps(asdict(about), ensure_ascii=False)})


def load_weights(path: Path | str) -> tuple[dict[str, torch.Tensor], About | None]:
    """Read a network's state and what it was trained for, None in a file of other origin.

    Raises ``InputError`` if the file is no safetensors file.
    """
    try:
        with safe_open(path, framework="pt") as stored:
            metadata: dict[str, Any] = json.loads((stored.metadata() or {}).get("microgesture", "{}"))
            state = {name: stored.get_tensor(name) for name in stored.keys()}  # noqa: SIM118 (not a dict)
    except SafetensorError as error:
        raise InputError(f"{path} is no safetensors file ({error}); weights of other formats are not read") from None
    if not metadata:
        return state, None
    return state, About(metadata["stream"], metadata["input"], tuple(metadata["classes"]))


def start_from(network: nn.Module, path: Path | str, classes: Sequence[str]) -> Start:
    """Give a network the weights of another stream: every tensor of the same name and shape.

    The head stays new unless the other stream had the same classes in the same order. Raises ``InputError`` if nothing
    fits.
    """
    state, about = load_weights(path)
    keep_head = about is not None and about.classes == tuple(classes)
    own = network.state_dict()
    loaded = [
        name
        for name, tensor in own.items()
        if name in state and state[name].shape == tensor.shape and (keep_head or not name.startswith(HEAD))
    ]
    if not loaded:
        raise InputError(f"none of the tensors of {path} fits this network; let both streams use the same network")
    network.load_state_dict({name: state[name] for name in loaded}, strict=False)
    taken = set(loaded)
    return Start(
        about.stream if about else None,
        loaded,
        [name for name in own if name not in taken],
        [name for name in state if name not in taken],
    )
