"""GPUs that a job has for itself: whoever starts jobs side by side on one machine hands out none."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch

from ..errors import InputError
from .device_locks import held, locks_folder


@contextmanager
def held_gpus(device: str, count: int = 1) -> Iterator[tuple[int, ...]]:
    """Keep other jobs off ``count`` GPUs while the block runs; gives torch's numbers of them.

    They are the first free ones that CUDA_VISIBLE_DEVICES lets torch see; while there are too few this waits. There are
    none to keep, and (), where ``device`` ("auto", "cpu" or "cuda") means the CPU. Raises ``InputError`` if there are
    fewer than ``count`` at all.
    """
    if device == "cpu" or (device == "auto" and not torch.cuda.is_available()):
        yield ()
        return
    here = torch.cuda.device_count()
    if not here:
        raise InputError("the device is to be cuda, but torch finds no GPU here; choose auto or cpu")
    if count > here:
        raise InputError(f"devices is {count}, but only {here} GPUs are here; lower it")
    # A number means another GPU in each job that sees other ones.
    names = [f"gpu-{torch.cuda.get_device_properties(number).uuid}" for number in range(here)]
    with held(names, count, locks_folder()) as numbers:
        yield numbers
