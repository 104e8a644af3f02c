"""Exclusive use of GPUs: jobs that run in parallel on one machine lock the GPUs that they use."""

import os
from collections.abc import Iterator
from contextlib import contextmanager

from ..errors import InputError
from .device_locks import held, locks_folder


@contextmanager
def held_gpus(device: str, count: int = 1) -> Iterator[tuple[int, ...]]:
    """Lock ``count`` GPUs while the block runs; yield their indices in torch.

    They are the first free GPUs among those in CUDA_VISIBLE_DEVICES. If jobs of this user hold too many, this waits.
    Nothing is locked if SLURM has given this job exactly ``count`` GPUs. On the CPU (``device`` is "cpu", or "auto"
    without a GPU) it locks nothing and yields (). Raises ``InputError`` if the machine has fewer than ``count`` GPUs.
    """
    if device == "cpu":
        yield ()
        return
    import torch  # takes seconds, which a job on the CPU may not need

    if device == "auto" and not torch.cuda.is_available():
        yield ()
        return
    here = torch.cuda.device_count()
    if not here:
        raise InputError("device is cuda, but torch finds no GPU here; choose auto or cpu")
    if count > here:
        raise InputError(f"devices is {count}, but only {here} GPUs are here; lower it")
    if count == here and "SLURM_JOB_GPUS" in os.environ:
        yield tuple(range(count))
        return
    # Indices depend on CUDA_VISIBLE_DEVICES, so the locks use the UUID.
    names = [f"gpu-{torch.cuda.get_device_properties(number).uuid}" for number in range(here)]
    with held(names, count, locks_folder()) as numbers:
        yield numbers
