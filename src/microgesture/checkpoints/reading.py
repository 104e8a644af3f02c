"""Files that ``torch.save`` wrote, read without running anything that they hold."""

import json
import re
import shlex
from collections import OrderedDict
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from ..errors import InputError

KEYS = ("state_dict", "model", "model_state")  # under which trainers keep the weights
PART = "state_dict_"  # what such keys begin with where each part of a network has one, as in SwinFace


class Nothing:
    """Stands for an object that a trainer keeps beside its weights; whatever it is made from is dropped."""

    def __new__(cls, *_: Any) -> "Nothing":
        return super().__new__(cls)

    def __setstate__(self, _: Any) -> None:
        pass


class Settings:
    """Stands for a dictionary of settings, which an unpickler may fill."""

    def __new__(cls, *_: Any) -> OrderedDict:
        return OrderedDict()


# What mmengine's and mmcv's runners keep: their losses so far, the best score as NumPy wrote it, and settings. The
# names are all that is known of these packages here; none of them is imported.
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
    """The tensors of a file that ``torch.save`` wrote, on the CPU: a state dict, or a checkpoint that holds one.

    Nothing in the file is executed; what mmengine and mmcv keep beside the weights is dropped unread. Raises
    ``InputError`` if the file holds anything else but plain values and tensors, with the command that takes the tensors
    out, or if it cannot be read.
    """
    try:
        with torch.serialization.safe_globals(list(BESIDE_WEIGHTS)):
            saved = torch.load(path, map_location="cpu", weights_only=True)
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}") from None
    except Exception as error:  # the bytes of a broken file can make the unpickler raise anything
        if found := re.search(r"GLOBAL (\S+)", str(error)):
            raise InputError(_refusal(Path(path), ascii(found[1])[1:-1])) from None
        reason = f"{type(error).__name__}: {str(error).partition('. ')[0]}"
        raise InputError(f"{path} is no file of weights, or a broken one ({reason}); get it again") from None
    for key in KEYS:
        if isinstance(saved, Mapping) and isinstance(saved.get(key), Mapping):
            saved = saved[key]
    if isinstance(saved, Mapping):
        saved = _joined(saved)
    tensors = {}
    if isinstance(saved, Mapping):
        tensors = {str(name): value for name, value in saved.items() if isinstance(value, torch.Tensor)}
    if not tensors:
        raise InputError(f"{path} holds no tensors, neither by themselves nor under {', '.join(KEYS)}")
    return tensors


def _joined(saved: Mapping) -> Mapping:
    """The tensors of all parts, whose names begin with the part's; what was saved itself if it has no parts."""
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
        f"{path} holds {what}, which is no tensor, and weights must not run code. Where it was made, or where you "
        f"trust it, take its tensors out with\n  python -c {shlex.quote(code)}\nand name {converted} instead"
    )
