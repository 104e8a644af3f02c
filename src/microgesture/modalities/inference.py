"""Running a network over the frames of a clip, as many of them at once as memory holds."""

import logging
from collections.abc import Callable, Iterator
from typing import TypeVar

import numpy as np
import torch

from ..errors import InputError, UnusableClip

log = logging.getLogger(__name__)

T = TypeVar("T")

# What torch, its CUDA libraries and the system say when memory runs out, besides the error classes for it.
NO_MEMORY = ("out of memory", "not enough memory", "can't allocate memory", "alloc_failed")


def device_named(name: str, threads: int) -> torch.device:
    """The device that "auto" (a GPU where there is one), "cpu", "cuda" or "cuda:1" means; ``threads`` are a CPU's."""
    torch.set_num_threads(threads)
    if name == "cuda" and not torch.cuda.is_available():
        raise InputError("the device is to be cuda, but torch finds no GPU here; choose auto or cpu")
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    device = torch.device(name)
    if device.index is not None:
        torch.cuda.set_device(device)
    return device


class Batches:
    """Work in batches of at most ``size``; one that does not fit into memory is halved, and so are all that follow.

    ``unit`` names what is counted, for messages.
    """

    def __init__(self, size: int, unit: str) -> None:
        self.size = size
        self.unit = unit

    def over(self, count: int, work: Callable[[int, int], T]) -> Iterator[tuple[int, T]]:
        """``work(start, stop)`` for 0..count in order, as (start, result); it may be called again for a smaller stop.

        Raises ``UnusableClip`` if there is not memory enough for one.
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
                    raise UnusableClip(f"memory does not hold even one {self.unit} at a time: {reason}") from None
                fits = False
            # Not in the handler: the error holds on to what filled the memory.
            if fits:
                yield start, result
                start = stop
            else:
                self._halve(stop - start)

    def _halve(self, failed: int) -> None:
        self.size = failed // 2
        log.warning("out of memory with %d x %s at a time; going on with %d", failed, self.unit, self.size)
        if torch.cuda.is_initialized():
            torch.cuda.empty_cache()


def finite(found_THW: np.ndarray, start: int) -> np.ndarray:
    """What a network found in frames from ``start`` on (T, H, W, ...), unless it holds an infinity or no number.

    That raises ``UnusableClip``: it comes of an overflow in fp16, or of weights that are broken.
    """
    good_T = np.isfinite(found_THW).all(axis=tuple(range(1, found_THW.ndim)))
    if not good_T.all():
        frame = start + int(np.argmin(good_T))
        raise UnusableClip(f"the network finds no finite values in frame {frame}; bf16 or fp32 as precision may help")
    return found_THW


def is_out_of_memory(error: Exception) -> bool:
    """Whether an error says that memory ran out, on a GPU or a CPU."""
    if isinstance(error, MemoryError | torch.OutOfMemoryError):
        return True
    return any(words in str(error).lower() for words in NO_MEMORY)
