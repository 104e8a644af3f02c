"""What a job may use of the machine that it runs on."""

from dataclasses import dataclass

import cv2
import torch

from ..errors import InputError


@dataclass(frozen=True)
class Resources:
    """The devices, CPU threads, processes and memory of a job.

    ``device`` is auto (a GPU where there is one), cpu or cuda. ``threads`` of the CPU and ``workers``, processes that
    load clips in parallel to the network, are for each device; ``memory`` is the GiB up to which the clips of a stream
    are kept in memory, if there are no workers. ``devices`` is the number of devices of a training; with ``compile``
    the network is compiled. ``gpus`` are torch's numbers of the GPUs to use, at least one for each device; if empty,
    the first ones.

    No result depends on any of it, except for rounding, and for batch norm, which averages over a micro-batch.
    """

    device: str = "auto"
    threads: int = 1
    workers: int = 0
    memory: float = 1.0
    devices: int = 1
    compile: bool = False
    gpus: tuple[int, ...] = ()

    def prepare(self, rank: int = 0) -> torch.device:
        """Set the number of threads; returns the device that the process of this rank runs on.

        Raises ``InputError`` if there are fewer GPUs than ``devices``.
        """
        torch.set_num_threads(self.threads)
        cv2.setNumThreads(self.threads)
        if self.device == "cpu" or (self.device == "auto" and not torch.cuda.is_available()):
            return torch.device("cpu")
        if self.devices > max(torch.cuda.device_count(), 1):
            raise InputError(f"devices is {self.devices}, but only {torch.cuda.device_count()} GPUs are here; lower it")
        if self.gpus:
            torch.cuda.set_device(self.gpus[rank])  # or pinning memory would take some of the first one's
            return torch.device("cuda", self.gpus[rank])
        return torch.device("cuda", rank) if self.devices > 1 else torch.device("cuda")
