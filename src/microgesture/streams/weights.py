"""Files of trained weights: safetensors with the name, inputs and classes of the stream in the header."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import nn

from ..checkpoints.layouts import DERIVED, adapt, translate
from ..checkpoints.reading import read_state_dict
from ..config.encoders import Encoder
from ..errors import InputError
from ..storage.checksums import OPEN, refuse_damaged, seal, sealed_checksum
from ..storage.files import replacing
from ..storage.strict import strict_json

# What a network may have beside published weights: the first convolution over other joints, and counts of steps.
OWN_INPUT = ("stem.conv.weight", "num_batches_tracked")
ENCODER = "encoder."  # what precedes the names of an encoder's tensors in its file and in a stream's network
LONGEST_HEADER = 16 << 20  # bytes; that of a network of 1000 tensors takes 0.1 MB


@dataclass(frozen=True)
class About:
    """The stream, inputs and classes that weights were trained for."""

    stream: str
    inputs: tuple[str, ...]
    classes: tuple[str, ...]


@dataclass(frozen=True)
class Header:
    """The shape of each tensor of a file, and what the tensors were trained for (None for another program's file)."""

    shapes: dict[str, tuple[int, ...]]
    about: About | None


@dataclass(frozen=True)
class Start:
    """Report on which tensors of a network were initialised from other weights.

    ``parents`` are the streams or files that the weights come from; ``loaded`` are the tensors that were loaded,
    ``reshaped`` those among them whose shape was changed, ``new`` the tensors with random weights. All three are in the
    order of the network. ``left_out`` are the unused tensors of the parents, in the order of the files.
    """

    parents: list[str]
    loaded: list[str]
    reshaped: list[str]
    new: list[str]
    left_out: list[str]

    def sentence(self) -> str:
        """The report as a sentence for the log."""
        reshaped = f", {len(self.reshaped)} of them reshaped ({', '.join(self.reshaped)})" if self.reshaped else ""
        return (
            f"starts from {' and '.join(self.parents)}: {len(self.loaded)} tensors loaded{reshaped}; "
            f"new are {', '.join(self.new) or 'none'}; left out are {', '.join(self.left_out) or 'none'}"
        )


def is_head(name: str) -> bool:
    """Whether a tensor belongs to a classifier: ``head`` is a part of its dotted name."""
    return "head" in name.split(".")


def is_branch(name: str) -> bool:
    """Whether a tensor belongs to one of the two branches of a fused network, including the branch's classifier."""
    return name.startswith("branches.")


def save_weights(path: Path | str, state: dict[str, torch.Tensor], about: About) -> None:
    """Write a network's state dict; equal tensors give equal bytes."""
    tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in state.items()}
    # One key only, because safetensors does not fix the order of several keys.
    header = json.dumps(asdict(about) | {"file": OPEN}, ensure_ascii=False)
    with replacing(path, sum(tensor.nbytes for tensor in tensors.values())) as temporary:
        temporary.touch()
        mode = temporary.stat().st_mode
        save_file(tensors, temporary, metadata={"microgesture": header})
        temporary.chmod(mode)  # safetensors makes the file readable for its owner only
        seal(temporary)


def load_weights(path: Path | str) -> tuple[dict[str, torch.Tensor], About | None]:
    """Read a network's state dict and what it was trained for (None if another program wrote the file).

    Raises ``InputError`` if it is not a safetensors file, or if it has changed since ``save_weights`` wrote it.
    """
    refuse_damaged(path)
    header = read_header(path)
    try:
        with safe_open(path, framework="pt") as stored:
            return {name: stored.get_tensor(name) for name in header.shapes}, header.about
    except SafetensorError as error:
        raise InputError(f"{path} is not a safetensors file, or it is damaged ({error}); get it again") from None


def save_encoder(path: Path | str, encoder: Encoder, state: Mapping[str, torch.Tensor]) -> Encoder:
    """Write the tensors of a pretrained encoder, by their names in ``networks``; return it with their checksum."""
    named = {ENCODER + name: tensor for name, tensor in state.items()}
    save_weights(path, named, About(encoder.model, (), ()))
    return encoder.model_copy(update={"checksum": sealed_checksum(path)})


def refuse_other_encoder(path: Path | str, encoder: Encoder) -> None:
    """Raise ``InputError`` if a file does not have the weights of the encoder that is described."""
    if sealed_checksum(path) != encoder.checksum:
        raise InputError(f"{path} has other weights than those of {encoder.model} that were used before; run again")


def read_header(path: Path | str) -> Header:
    """Read the header of a safetensors file (https://github.com/huggingface/safetensors#format), not its tensors.

    Raises ``InputError`` if it is damaged or too long, or if a name in it is repeated or unknown.
    """
    with open(path, "rb") as file:
        size = int.from_bytes(file.read(8), "little")
        if size > LONGEST_HEADER:
            raise InputError(f"{path} is not a safetensors file: its header would have {size} bytes; get it again")
        text = file.read(size).decode(errors="replace")
    header = strict_json(text, f"the header of {path}")
    if not isinstance(header, dict):
        raise InputError(f"{path} is not a safetensors file: its header is no object; get it again")
    metadata = header.pop("__metadata__", {})
    try:
        shapes = {name: tuple(map(int, entry["shape"])) for name, entry in header.items()}
        own = metadata.get("microgesture")
    except (LookupError, TypeError, ValueError, AttributeError):
        raise InputError(f"{path} is not a safetensors file, or its header is damaged; get it again") from None
    return Header(shapes, None if own is None else _about(own, f"the header of {path}"))


def _about(text: Any, where: str) -> About:
    stored = strict_json(text, where) if isinstance(text, str) else None
    known = {field.name for field in fields(About)}
    if not isinstance(stored, dict) or set(stored) - {"file"} != known:
        found = ", ".join(stored) if isinstance(stored, dict) else repr(text)[:40]
        raise InputError(f"{where} has {found} for {', '.join(sorted(known))}; get it again")
    names = [stored["inputs"], stored["classes"], [stored["stream"]]]
    if not all(isinstance(every, list) and all(isinstance(name, str) for name in every) for every in names):
        raise InputError(f"{where} has inputs, classes or a stream that are no names; get it again")
    return About(stored["stream"], tuple(stored["inputs"]), tuple(stored["classes"]))


def freeze_backbone(network: nn.Module) -> None:
    """Exclude all parameters but those of the classifier from training."""
    for name, parameter in network.named_parameters():
        parameter.requires_grad_(is_head(name))


def train_mode(network: nn.Module) -> None:
    """Set a network to training; in a frozen backbone, norms keep their statistics and nothing is dropped."""
    network.train()
    if all(parameter.requires_grad for parameter in network.parameters()):
        return
    for name, module in network.named_modules():
        module.training = is_head(name)


def start_from(network: nn.Module, parents: Sequence[Path], classes: Sequence[str]) -> Start:
    """Initialise a network from one stream, or each path or branch of a network from a different stream.

    With one parent, the tensors of the same name and shape are loaded. With several parents, the names of a parent's
    tensors are prefixed by that of its path (``network.path_prefixes``). If a path has more input channels than its
    parent, the parent's channels come first and the weights of the others are zero, so the others change nothing at
    first (RGBPoseConv3D, arXiv 2104.13586). A head is loaded only if the parent has the same classes in
    the same order. Raises ``InputError`` if no tensor of a parent fits.
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
        state = network.renamed(state) if hasattr(network, "renamed") else state
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
                f"none of the tensors of {path} fits this network; use the same network in both streams, "
                "or name a stream for each path of a network with two paths"
            )
        names.append(about.stream if about else Path(path).name)
        offered |= given
        fitting |= fits
    return _fill(network, names, offered, fitting)


def start_from_file(network: nn.Module, path: Path | str, classes: Sequence[str]) -> Start:
    """Initialise a network from published weights: a safetensors or ``torch.save`` file in a layout of ``checkpoints``.

    Such a file does not contain the names of its classes. Its head is loaded if it has the same number of classes, as
    an initialisation. Weights of our own streams are loaded as in ``start_from``. Raises ``InputError`` if the file
    cannot be read, or if the network would compute something else with its weights: if it lacks a tensor, or has it in
    another shape, except in the head and in the first convolution over heatmaps of other joints.
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
    title, setting = (layout.title, layout.setting) if layout else ("names of no known project", None)
    if setting not in (None, own_setting := getattr(network, "setting", setting)):
        raise InputError(
            f"{path} ({title}) is of a network with {setting}, and this one has {own_setting}, with which its weights "
            f"would compute something else; set {setting}, or use other weights"
        )
    shapes = {name: tensor.shape for name, tensor in network.state_dict().items() if not name.endswith(DERIVED)}
    fitting = adapt(offered, shapes)
    needed = [name for name in shapes if not is_head(name) and not name.endswith(OWN_INPUT)]
    if lacking := [name for name in needed if name not in fitting]:
        raise InputError(
            f"{path} ({title}) has only {len(needed) - len(lacking)} of this network's {len(needed)} tensors in the "
            f"right shape, and not {lacking[0]}; use weights of the same network in the same size"
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
    """Append zeros to the input channels if the tensor differs from ``shape`` only in having fewer of them."""
    more = shape[1] - tensor.shape[1] if tensor.dim() == len(shape) > 1 else 0
    if more <= 0 or tensor.shape[:1] + shape[1:2] + tensor.shape[2:] != shape:
        return tensor
    return torch.cat((tensor, tensor.new_zeros(*tensor.shape[:1], more, *tensor.shape[2:])), 1)
