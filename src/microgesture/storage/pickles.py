"""The one place where a pickle is read: a file of another project's numbers, of which nothing is ever run.

A pickle is a program, whose words are the functions that it names. Here the few names that NumPy and PyTorch write for
arrays mean functions of this module, each of which checks what it is given, and no other name means anything.
"""

import io
import math
import pickle
import pickletools
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch

from ..errors import InputError

LARGEST = 2 * 10**8  # bytes; the scores of a whole corpus take some megabytes

MEMO = ("PUT", "BINPUT", "LONG_BINPUT")


class _Refused(Exception):
    """A pickle holds what is none of plain numbers; the message is its name."""


class Numbers:
    """An array, a tensor or a number out of a pickle: ``array`` has its shape and its type as plain NumPy."""

    __slots__ = ("array",)

    def __init__(self, array: np.ndarray | None = None) -> None:
        self.array = array

    def __setstate__(self, state: Any) -> None:
        _, shape, dtype, fortran, content = state
        _require(self.array is None, "an array that is filled twice")
        self.array = _array(content, dtype, shape, fortran)


class _Type:
    """The type of an array's numbers, as NumPy names it."""

    __slots__ = ("name",)

    def __init__(self, name: Any, *_: Any) -> None:
        _require(isinstance(name, str), "an array of objects")
        _require(re.fullmatch(r"[<>|=]?(b1|[iu][1248]|f[248])", name), f"an array of {name[:20]!a}")
        self.name = name

    def __setstate__(self, state: Any) -> None:
        order = state[1]
        _require(order in ("<", ">", "|", "="), "an array of numbers in no known order of bytes")
        self.name = order + self.name[-2:]


class _Function:
    """What a name in a pickle means: something that can be called, and not be changed."""

    __slots__ = ("_call",)

    def __init__(self, call: Callable) -> None:
        self._call = call

    def __call__(self, *arguments: Any) -> Any:
        return self._call(*arguments)

    def __setstate__(self, _: Any) -> None:
        raise _Refused("a function that is to be changed")


def _require(right: Any, wrong: str) -> None:
    if not right:
        raise _Refused(wrong)


def _array(content: Any, dtype: Any, shape: Any, fortran: Any) -> np.ndarray:
    _require(isinstance(dtype, _Type) and isinstance(content, bytes | bytearray), "an array of objects")
    flat = np.frombuffer(content, dtype.name)
    _require(_is_shape(shape) and math.prod(shape) == len(flat), "an array that has not the bytes of its shape")
    return flat.reshape(shape, order="F" if fortran else "C")


def _is_shape(shape: Any) -> bool:
    return isinstance(shape, tuple) and len(shape) <= 4 and all(type(size) is int and size >= 0 for size in shape)


def _array_to_fill(*_: Any) -> Numbers:
    return Numbers()


def _array_from_buffer(content: Any, dtype: Any, shape: Any, order: Any) -> Numbers:
    return Numbers(_array(content, dtype, shape, order == "F"))


def _scalar(dtype: Any, content: Any) -> Numbers:
    return Numbers(_array(content, dtype, (), False))


def _tensor(storage: Any, offset: Any, shape: Any, strides: Any, *_: Any) -> Numbers:
    _require(isinstance(storage, Numbers) and storage.array is not None, "a tensor without storage")
    _require(type(offset) is int and offset >= 0 and _is_shape(shape), "a tensor of no known shape")
    flat = storage.array.ravel()[offset : offset + math.prod(shape)]
    _require(len(flat) == math.prod(shape), "a tensor that is larger than its storage")
    contiguous = tuple(math.prod(shape[axis + 1 :]) for axis in range(len(shape)))
    same = isinstance(strides, tuple) and len(strides) == len(shape)
    same = same and all(size <= 1 or a == b for size, a, b in zip(shape, strides, contiguous, strict=True))
    _require(same, "a tensor that is not contiguous")
    return Numbers(flat.reshape(shape))


def _dictionary(*arguments: Any) -> dict:
    _require(not arguments, "a dictionary that is made from something else")
    return {}


_NUMPY = {
    "multiarray._reconstruct": _array_to_fill,
    "multiarray.scalar": _scalar,
    "numeric._frombuffer": _array_from_buffer,
}
_NAMES = {
    "collections.OrderedDict": _Function(_dictionary),
    "numpy.ndarray": _Function(_array_to_fill),
    "numpy.dtype": _Function(_Type),
    **{f"numpy.{core}.{name}": _Function(call) for core in ("core", "_core") for name, call in _NUMPY.items()},
    "torch._utils._rebuild_tensor_v2": _Function(_tensor),
}


class _Unpickler(pickle.Unpickler):
    def __init__(self, content: bytes) -> None:
        super().__init__(io.BytesIO(content))
        copying = {"_codecs.encode": self._bytes, "torch.storage._load_from_bytes": self._storage}
        self._names = _NAMES | {name: _Function(call) for name, call in copying.items()}
        self._left = 3 * len(content)

    def find_class(self, module: str, name: str) -> _Function:
        """What a name means; called by the unpickler, which otherwise imports it."""
        if found := self._names.get(f"{module}.{name}"):
            return found
        raise _Refused(ascii(f"{module}.{name}")[1:-1])

    def _bytes(self, text: Any, encoding: Any) -> bytes:
        """Bytes, which old pickles write as text."""
        _require(isinstance(text, str) and encoding == "latin1", "bytes in an odd encoding")
        self._copies(len(text))
        return text.encode("latin1")

    def _storage(self, content: Any) -> Numbers:
        """A tensor's storage, which is a file of ``torch.save`` within the pickle."""
        _require(isinstance(content, bytes), "a storage that is none")
        self._copies(len(content))
        try:
            stored = torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)
        except pickle.UnpicklingError as error:
            found = re.search(r"GLOBAL (\S+)", str(error))
            raise _Refused(ascii(found[1])[1:-1] if found else "a storage that is broken") from None
        _require(isinstance(stored, torch.storage.TypedStorage), "a storage that is none")
        values = torch.empty(0, dtype=stored.dtype).set_(stored)
        return Numbers((values.float() if values.dtype == torch.bfloat16 else values).numpy())

    def _copies(self, size: int) -> None:
        """Count what is made of the same bytes, for a small pickle can ask for it any number of times."""
        self._left -= size
        _require(self._left >= 0, "the same bytes over and over")


def read_numbers(path: Path | str) -> Any:
    """The lists, dictionaries, texts and plain numbers of a pickle, its arrays and tensors as ``Numbers``.

    Nothing that the file names is imported or run. Raises ``InputError`` that names what the file holds beyond these,
    or if it is no pickle, or larger than 200 MB.
    """
    path = Path(path)
    try:
        if (size := path.stat().st_size) > LARGEST:
            raise InputError(f"{path} has {size:,} bytes, more than scores ever take; is it the right file?")
        content = path.read_bytes()
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}") from None
    try:
        _check(content)
        return _Unpickler(content).load()
    except _Refused as refused:
        raise InputError(
            f"{path} holds {refused}, which is no plain scores; nothing of it was run. Where it was made, keep only "
            "lists, dictionaries, NumPy arrays and tensors, and save them again"
        ) from None
    except Exception as error:  # the bytes of a broken file can make the unpickler raise anything
        raise InputError(
            f"{path} is no pickle, or a broken one ({error or type(error).__name__}); get it again"
        ) from None


def _check(content: bytes) -> None:
    """Raise an error if a pickle is cut off, or counts further than it is long, for which memory would be taken."""
    for opcode, argument, _ in pickletools.genops(content):
        if opcode.name in MEMO:
            _require(argument <= len(content), "a count beyond its length")
