"""The processors, the memory and the GPUs of the machine, on every system."""

import os
import sys
from functools import cache
from pathlib import Path

_DRIVERS = ("/dev/nvidiactl", "/dev/dxg", "/dev/kfd")  # on Linux: of CUDA, of CUDA in WSL2, of ROCm


def own_cores() -> int:
    """The number of cores that this process may use; the cores of the machine if the system does not report it."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def memory_bytes() -> int | None:
    """The memory of the machine in bytes; None if the system does not report it."""
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):
        return None


@cache
def has_gpu() -> bool:
    """Whether torch finds a GPU. On Linux torch, which takes seconds to import, is only asked if there is a driver."""
    if sys.platform == "linux" and not any(Path(driver).exists() for driver in _DRIVERS):
        return False
    import torch

    return torch.cuda.is_available()
