"""Files that ``torch.save`` wrote, read without running anything that they hold."""

import json
import re
import shlex
from collections.abc import Mapping
from pathlib import Path

import torch

from ..errors import InputError


def read_state_dict(path: Path | str) -> dict[str, torch.Tensor]:
    """The tensors of a file that ``torch.save`` wrote, on the CPU: a state dict, or a checkpoint that holds one.

    Nothing in the file is executed. Raises ``InputError`` if it holds anything but plain values and tensors, with the
    command that takes the tensors out, or if it cannot be read.
    """
    try:
        saved = torch.load(path, map_location="cpu", weights_only=True)
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}") from None
    except Exception as error:  # the bytes of a broken file can make the unpickler raise anything
        if found := re.search(r"GLOBAL (\S+)", str(error)):
            raise InputError(_refusal(Path(path), found[1])) from None
        reason = f"{type(error).__name__}: {str(error).partition('. ')[0]}"
        raise InputError(f"{path} is no file of weights, or a broken one ({reason}); get it again") from None
    for key in ("state_dict", "model"):
        if isinstance(saved, Mapping) and isinstance(saved.get(key), Mapping):
            saved = saved[key]
    tensors = {}
    if isinstance(saved, Mapping):
        tensors = {str(name): value for name, value in saved.items() if isinstance(value, torch.Tensor)}
    if not tensors:
        raise InputError(f"{path} holds no tensors, neither by themselves nor under state_dict or model")
    return tensors


def _refusal(path: Path, what: str) -> str:
    stripped = path.with_suffix(".tensors.pth")
    code = (
        f'import torch; saved = torch.load({json.dumps(str(path))}, map_location="cpu", weights_only=False); '
        f'torch.save(saved.get("state_dict", saved), {json.dumps(str(stripped))})'
    )
    return (
        f"{path} holds {what}, which is no tensor, and weights must not run code. Where you trust the file, take its "
        f"tensors out with\n  python -c {shlex.quote(code)}\nand name {stripped} instead"
    )
