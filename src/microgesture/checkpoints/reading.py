"""Safe reading of ``torch.save`` files: no code in them is executed."""

import json
import re
import shlex
from collections import OrderedDict
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from ..errors import InputError

KEYS = ("state_dict", "model", "model_state")  # keys of the weights in the checkpoints of common trainers
PART = "state_dict_"  # prefix of the keys if each part of a network has one, as in SwinFace


class Nothing:
    """Placeholder for an object that a trainer stores beside the weights; its content is dropped."""

    def __new__(cls, *_: Any) -> "Nothing":
        return super().__new__(cls)

    def __setstate__(self, _: Any) -> None:
        pass


class Settings:
    """Placeholder for a dictionary of settings, which the unpickler may fill."""

    def __new__(cls, *_: Any) -> OrderedDict:
        return OrderedDict()


# What the runners of mmengine and mmcv store: the losses so far, the best score as a NumPy number, and settings. Only
# the names of these classes are used; the packages are not imported.
BESIDE_WEIGHTS = (
    (Nothing, "mmengine.logging.history_buffer.HistoryBuffer"),
    (Settings, "mmengine.config.config.ConfigDict"),
    (Settings, "mmcv.utils.config.ConfigDict"),
    (Nothing, "numpy.ndarray"),
    (Nothing, "numpy.dtype"),
    *(
        (Nothing, f"numpy.{core}.multiarray.{name}")
        for core in ("core", "_core")
        for name in ("_reconstruct", "scalar")
    ),
)


def read_state_dict(path: Path | str) -> dict[str, torch.Tensor]:
    """The tensors of a ``torch.save`` file, on the CPU: of a state dict, or of a checkpoint that contains one.

    No code in the file is executed. Objects that mmengine and mmcv store beside the weights are dropped. Raises
    ``InputError`` if the file cannot be read, or if it contains anything except plain values and tensors; the message
    then has a command that extracts the tensors.
    """
    try:
        with torch.serialization.safe_globals(list(BESIDE_WEIGHTS)):
            saved = torch.load(path, map_location="cpu", weights_only=True)
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}") from None
    except Exception as error:  # a damaged file can make the unpickler raise any error
        if found := re.search(r"GLOBAL (\S+)", str(error)):
            raise InputError(_refusal(Path(path), ascii(found[1])[1:-1])) from None
        reason = f"{type(error).__name__}: {str(error).partition('. ')[0]}"
        raise InputError(f"{path} is not a file of weights, or it is damaged ({reason}); get it again") from None
    for key in KEYS:
        if isinstance(saved, Mapping) and isinstance(saved.get(key), Mapping):
            saved = saved[key]
    if isinstance(saved, Mapping):
        saved = _joined(saved)
    tensors = {}
    if isinstance(saved, Mapping):
        tensors = {str(name): value for name, value in saved.items() if isinstance(value, torch.Tensor)}
    if not tensors:
        raise InputError(f"{path} holds no tensors, neither at the top level nor under the keys {', '.join(KEYS)}")
    return tensors


def _joined(saved: Mapping) -> Mapping:
    """The tensors of all parts, their names prefixed by that of the part; ``saved`` itself if it has no parts."""
    parts = {key[len(PART) :]: value for key, value in saved.items() if isinstance(key, str) and key.startswith(PART)}
    states = {part: state for part, state in parts.items() if isinstance(state, Mapping)}
    return {f"{part}.{name}": tensor for part, state in states.items() for name, tensor in state.items()} or saved


def _refusal(path: Path, what: str) -> str:
    converted = path.with_suffix(".safetensors")
    code = (
        "import torch; from safetensors.torch import save_file; "
        f'saved = torch.load({json.dumps(str(path))}, map_location="cpu", weights_only=False); '
        f"state = next((saved[key] for key in {KEYS} if key in saved), saved); "
        f'parts = [(key[{len(PART)}:], saved[key]) for key in saved if key.startswith("{PART}")]; '
        'state = {f"{part}.{name}": value for part, held in parts for name, value in held.items()} or state; '
        "save_file({name: value.clone().contiguous() for name, value in state.items() if torch.is_tensor(value)}, "
        f"{json.dumps(str(converted))})"
    )
    return (
        f"{path} holds {what}, which is not a tensor, and weights must not run code. If you trust the file, extract "
        f"its tensors with\n  python -c {shlex.quote(code)}\nand use {converted} instead"
    )
