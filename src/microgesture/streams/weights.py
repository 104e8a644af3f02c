"""Trained weights as files: safetensors, with the stream's name, input and classes in the header."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import nn

from ..checkpoints.layouts import DERIVED, adapt, translate
from ..checkpoints.reading import read_state_dict
from ..errors import InputError
from ..storage.checksums import OPEN, refuse_damaged, seal
from ..storage.files import replacing


@dataclass(frozen=True)
class About:
    """What weights were trained for."""

    stream: str
    inputs: tuple[str, ...]
    classes: tuple[str, ...]


@dataclass(frozen=True)
class Start:
    """Which tensors a network took over from other weights.

    ``parents`` are the streams or files that they come from, ``reshaped`` the part of ``loaded`` whose shape had to
    change; the names are in the network's order, and in the files' for ``left_out``.
    """

    parents: list[str]
    loaded: list[str]
    reshaped: list[str]
    new: list[str]
    left_out: list[str]

    def sentence(self) -> str:
        """The report in words, for the log."""
        reshaped = f", {len(self.reshaped)} of them reshaped ({', '.join(self.reshaped)})" if self.reshaped else ""
        return (
            f"starts from {' and '.join(self.parents)}: {len(self.loaded)} tensors loaded{reshaped}; "
            f"new are {', '.join(self.new) or 'none'}; left out are {', '.join(self.left_out) or 'none'}"
        )


def is_head(name: str) -> bool:
    """Whether a tensor belongs to a classifier: ``head`` is a part of its dotted name."""
    return "head" in name.split(".")


def is_branch(name: str) -> bool:
    """Whether a tensor belongs to one of the two networks that a fused one starts from, its classifier too."""
    return name.startswith("branches.")


def save_weights(path: Path | str, state: dict[str, torch.Tensor], about: About) -> None:
    """Write a network's state; equal tensors give equal bytes."""
    tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in state.items()}
    # One key only: safetensors keeps several in no fixed order.
    header = json.dumps(asdict(about) | {"file": OPEN}, ensure_ascii=False)
    with replacing(path, sum(tensor.nbytes for tensor in tensors.values())) as temporary:
        temporary.touch()
        mode = temporary.stat().st_mode
        save_file(tensors, temporary, metadata={"microgesture": header})
        temporary.chmod(mode)  # it would let nobody else of a laboratory read them
        seal(temporary)


def load_weights(path: Path | str) -> tuple[dict[str, torch.Tensor], About | None]:
    """Read a network's state and what it was trained for, None in a file of other origin.

    Raises ``InputError`` if the file is no safetensors file, or has changed since ``save_weights`` wrote it.
    """
    refuse_damaged(path)
    try:
        with safe_open(path, framework="pt") as stored:
            metadata: dict[str, Any] = json.loads((stored.metadata() or {}).get("microgesture", "{}"))
            state = {name: stored.get_tensor(name) for name in stored.keys()}  # noqa: SIM118 (not a dict)
    except SafetensorError as error:
        raise InputError(f"{path} is no safetensors file, or a broken one ({error})") from None
    if not metadata:
        return state, None
    return state, About(metadata["stream"], tuple(metadata["inputs"]), tuple(metadata["classes"]))


def start_from(network: nn.Module, parents: Sequence[Path], classes: Sequence[str]) -> Start:
    """Give a network the weights of another stream, or each path or branch the weights of a stream of its own.

    With one parent these are the tensors of the same name and shape. With several, a parent's names follow the prefix
    of its path (``network.path_prefixes``), and where a path sees more channels than its parent, the parent's come
    first and the new ones start at zero: the path computes exactly what its parent does (RGBPoseConv3D,
    arXiv 2104.13586). A head stays new unless the parent had the same classes in the same order. Raises ``InputError``
    if nothing of a parent fits.
    """
    own = network.state_dict()
    prefixes: Sequence[str] = ("",) if len(parents) == 1 else getattr(network, "path_prefixes", ())
    if len(prefixes) != len(parents):
        raise InputError(f"{len(parents)} streams to start from are too many for this network; name one for each input")
    names: list[str] = []
    offered: dict[str, torch.Tensor] = {}
    fitting: dict[str, torch.Tensor] = {}
    for path, prefix in zip(parents, prefixes, strict=True):
        state, about = load_weights(path)
        given = {prefix + name: tensor for name, tensor in state.items()}
        keep_head = about is not None and about.classes == tuple(classes)
        fits = {}
        for name, tensor in given.items():
            if name in own and (keep_head or not is_head(name)):
                adapted = _with_more_channels(tensor, own[name].shape) if prefix else tensor
                if adapted.shape == own[name].shape:
                    fits[name] = adapted
        if not fits:
            raise InputError(
                f"none of the tensors of {path} fits this network; let both streams use the same network, "
                "or name a stream for each path of a network of two"
            )
        names.append(about.stream if about else Path(path).name)
        offered |= given
        fitting |= fits
    return _fill(network, names, offered, fitting)


def start_from_file(network: nn.Module, path: Path | str, classes: Sequence[str]) -> Start:
    """Give a network published weights: safetensors or what ``torch.save`` wrote, in any layout of ``checkpoints``.

    Such a file does not name its classes: the head is taken where their number agrees, as a start for whatever they
    are. Weights of our own streams start as in ``start_from``. Raises ``InputError`` if the file cannot be read, or if
    less than half of the network is in it.
    """
    path = Path(path)
    about = None
    if path.suffix == ".safetensors":
        state, about = load_weights(path)
    else:
        state = read_state_dict(path)
    if about is not None:
        return start_from(network, [path], classes)
    layout, offered = translate(state)
    shapes = {name: tensor.shape for name, tensor in network.state_dict().items() if not name.endswith(DERIVED)}
    fitting = adapt(offered, shapes)
    body = {name for name in shapes if not is_head(name)}
    if len(body & set(fitting)) < len(body) / 2:
        raise InputError(
            f"{path} ({layout or 'names of no known project'}) has only {len(body & set(fitting))} of this network's "
            f"{len(body)} tensors in the right shape; name weights of the same network in the same size"
        )
    return _fill(network, [path.name], offered, fitting)


def _fill(
    network: nn.Module, parents: list[str], offered: Mapping[str, torch.Tensor], fitting: Mapping[str, torch.Tensor]
) -> Start:
    network.load_state_dict(fitting, strict=False)
    own = network.state_dict()
    return Start(
        parents,
        [name for name in own if name in fitting],
        [name for name in own if name in fitting and fitting[name].shape != offered[name].shape],
        [name for name in own if name not in fitting and not name.endswith(DERIVED)],
        [name for name in offered if name not in fitting],
    )


def _with_more_channels(tensor: torch.Tensor, shape: torch.Size) -> torch.Tensor:
    """The tensor with zeros behind its input channels if only they are fewer than in ``shape``; else as it is."""
    more = shape[1] - tensor.shape[1] if tensor.dim() == len(shape) > 1 else 0
    if more <= 0 or tensor.shape[:1] + shape[1:2] + tensor.shape[2:] != shape:
        return tensor
    return torch.cat((tensor, tensor.new_zeros(*tensor.shape[:1], more, *tensor.shape[2:])), 1)
