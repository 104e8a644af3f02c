"""Run a network over the frames of a clip, in batches that fit into memory."""

import logging
from collections.abc import Callable, Iterator
from typing import TypeVar

import numpy as np
import torch

from ..errors import InputError, UnusableClip

log = logging.getLogger(__name__)

T = TypeVar("T")

# Texts in the errors of torch, its CUDA libraries and the system when memory runs out, besides the error classes.
NO_MEMORY = ("out of memory", "not enough memory", "can't allocate memory", "alloc_failed")


def device_named(name: str, threads: int) -> torch.device:
    """Return the device named "auto" (a GPU if there is one), "cpu", "cuda" or "cuda:1"; ``threads`` is for a CPU."""
    torch.set_num_threads(threads)
    if name == "cuda" and not torch.cuda.is_available():
        raise InputError("the device is set to cuda, but torch finds no GPU here; choose auto or cpu")
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    device = torch.device(name)
    if device.index is not None:
        torch.cuda.set_device(device)
    return device


class Batches:
    """Work in batches of at most ``size``; when a batch does not fit into memory, it and all later ones are halved.

    ``unit`` names the items of a batch in messages.
    """

    def __init__(self, size: int, unit: str) -> None:
        self.size = size
        self.unit = unit

    def over(self, count: int, work: Callable[[int, int], T]) -> Iterator[tuple[int, T]]:
        """Yield (start, ``work(start, stop)``) over 0..count in order; a call may be repeated with a smaller stop.

        Raises ``UnusableClip`` if memory does not suffice for a single item.
        """
        start = 0
        while start < count:
            stop = min(start + self.size, count)
            fits = True
            try:
                result = work(start, stop)
            except (MemoryError, RuntimeError) as error:
                if not is_out_of_memory(error):
                    raise
                if stop - start == 1:
                    reason = str(error).strip().partition("\n")[0]
                    raise UnusableClip(f"memory does not suffice for a single {self.unit}: {reason}") from None
                fits = False
            # Not in the handler: there, the error still holds references to what filled the memory.
            if fits:
                yield start, result
                start = stop
            else:
                self._halve(stop - start)

    def _halve(self, failed: int) -> None:
        self.size = failed // 2
        log.warning("out of memory with %d x %s at a time; continuing with %d", failed, self.unit, self.size)
        if torch.cuda.is_initialized():
            torch.cuda.empty_cache()


def finite(found_THW: np.ndarray, start: int) -> np.ndarray:
    """Return a network's output (T, H, W, ...) for the frames from ``start`` on, if all its values are finite.

    Otherwise raises ``UnusableClip``; infinite values and NaN come from an overflow in fp16, or from broken weights.
    """
    good_T = np.isfinite(found_THW).all(axis=tuple(range(1, found_THW.ndim)))
    if not good_T.all():
        frame = start + int(np.argmin(good_T))
        raise UnusableClip(f"the network's output for frame {frame} is not finite; bf16 or fp32 as precision may help")
    return found_THW


def is_out_of_memory(error: Exception) -> bool:
    """Whether an error means that memory ran out, on a GPU or a CPU."""
    if isinstance(error, MemoryError | torch.OutOfMemoryError):
        return True
    return any(words in str(error).lower() for words in NO_MEMORY)
