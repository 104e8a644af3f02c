"""Safe reading of pickles with numbers from other projects; no code in them is executed.

A pickle can call any function by its name. Here, only the names that NumPy and PyTorch use for arrays are accepted, and
each stands for a function of this module, which creates an array of numbers. No other module reads pickles.
"""

import io
import pickle
import pickletools
import re
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch

from ..errors import InputError

LARGEST = 2 * 10**8  # bytes; the scores of a whole corpus take some megabytes
MEMO = ("PUT", "BINPUT", "LONG_BINPUT")


class _Refused(Exception):
    """A pickle contains something other than arrays and plain values; the message names it."""


class Numbers:
    """An array, a tensor or a number in a pickle; ``array`` is a NumPy array of booleans, integers or floats."""

    __slots__ = ("array",)

    def __init__(self, array: np.ndarray | None = None) -> None:
        self.array = array

    def __setstate__(self, state: Any) -> None:
        _, shape, dtype, fortran, content = state
        self.array = _array(content, dtype, shape, "F" if fortran else "C").array


class _Type:
    """The dtype of an array; ``numpy.dtype`` itself is not used, since a pickle could change it to contain pointers."""

    __slots__ = ("dtype",)

    def __init__(self, name: str, *_: Any) -> None:
        self.dtype = np.dtype(name)
        if self.dtype.kind not in "biuf":
            raise _Refused(f"an array of {ascii(name)[:20]}")

    def __setstate__(self, state: Any) -> None:
        self.dtype = self.dtype.newbyteorder(state[1])


def _array(content: Any, dtype: _Type, shape: tuple[int, ...] = (), order: str = "C") -> Numbers:
    return Numbers(np.frombuffer(content, dtype.dtype).reshape(shape, order=order))


def _tensor(storage: Numbers, offset: int, shape: tuple[int, ...], strides: tuple[int, ...], *_: Any) -> Numbers:
    view = torch.from_numpy(storage.array).as_strided(shape, strides, offset)
    if view.numel() > storage.array.size:
        raise ValueError("a tensor that is larger than its storage")
    return Numbers(view.numpy())


NAMES = {
    "collections.OrderedDict": lambda: {},
    "numpy.ndarray": Numbers,
    "numpy.dtype": _Type,
    "torch._utils._rebuild_tensor_v2": _tensor,
}
for core in ("core", "_core"):
    NAMES |= {
        f"numpy.{core}.multiarray._reconstruct": lambda *_: Numbers(),
        f"numpy.{core}.multiarray.scalar": lambda dtype, content: _array(content, dtype),
        f"numpy.{core}.numeric._frombuffer": _array,
    }


class _Unpickler(pickle.Unpickler):
    def __init__(self, content: bytes) -> None:
        super().__init__(io.BytesIO(content))
        self._names = {**NAMES, "_codecs.encode": self._bytes, "torch.storage._load_from_bytes": self._storage}
        self._left = 3 * len(content)

    def find_class(self, module: str, name: str) -> partial:
        """The function for a name; the base class would import it."""
        if found := self._names.get(f"{module}.{name}"):
            return partial(found)  # a new object, so that changes by the file do not affect later files
        raise _Refused(ascii(f"{module}.{name}")[1:-1])

    def _bytes(self, text: str, encoding: str) -> bytes:
        """Bytes, which old pickles store as text."""
        self._count(text)
        return text.encode({"latin1": "latin1"}[encoding])

    def _storage(self, content: bytes) -> Numbers:
        """The storage of a tensor, which is a ``torch.save`` file inside the pickle."""
        self._count(content)
        try:
            stored = torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)
        except pickle.UnpicklingError as error:
            found = re.search(r"GLOBAL (\S+)", str(error))
            raise _Refused(ascii(found[1])[1:-1] if found else "a storage that is broken") from None
        values = torch.empty(0, dtype=stored.dtype).set_(stored)
        return Numbers((values.float() if values.dtype == torch.bfloat16 else values).numpy())

    def _count(self, content: str | bytes) -> None:
        """Limit the total size of the results, because a small pickle can use the same bytes many times."""
        self._left -= len(content)
        if self._left < 0:
            raise _Refused("the same bytes over and over")


def read_numbers(path: Path | str) -> Any:
    """The lists, dictionaries, strings and numbers in a pickle, with arrays and tensors as ``Numbers``.

    Nothing in the file is imported or executed. Raises ``InputError`` if the file contains anything else (the message
    names it), if it is not a pickle, or if it is larger than 200 MB.
    """
    path = Path(path)
    try:
        if (size := path.stat().st_size) > LARGEST:
            raise InputError(f"{path} has {size:,} bytes, too many for scores; check that it is the right file")
        content = path.read_bytes()
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}") from None
    return numbers_in(content, str(path))


def numbers_in(content: bytes, source: str) -> Any:
    """What ``read_numbers`` returns, of a pickle in memory; ``source`` names it in messages."""
    try:
        for opcode, argument, _ in pickletools.genops(content):  # raises an error if the file is truncated
            if opcode.name in MEMO and argument > len(content):
                raise ValueError("a count beyond its length")  # memory would be allocated for it
        return _Unpickler(content).load()
    except _Refused as refused:
        raise InputError(
            f"{source} holds {refused}, which scores do not need; nothing in it was run. In the program that made it, "
            "save only lists, dictionaries, NumPy arrays and tensors"
        ) from None
    except Exception as error:  # a damaged file can make the unpickler raise any error
        raise InputError(
            f"{source} is not a pickle, or it is damaged ({error or type(error).__name__}); get it again"
        ) from None
