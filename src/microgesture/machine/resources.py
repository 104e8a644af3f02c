"""The resources of the machine that a job may use."""

from dataclasses import dataclass

import cv2
import torch

from ..errors import InputError


@dataclass(frozen=True)
class Resources:
    """The devices, CPU threads, processes and memory of a job.

    ``device`` is auto (a GPU if there is one), cpu or cuda. ``threads`` is the number of CPU threads, and ``workers``
    the number of processes that load clips in parallel to the network, both for each device. Without workers, the clips
    of a stream are kept in memory if they need at most ``memory`` GiB. ``devices`` is the number of devices of a
    training. With ``compile`` the network is compiled. ``gpus`` are the indices in torch of the GPUs to use, at least
    one for each device; if empty, the first GPUs are used.

    Results do not depend on these values, except for rounding errors and for batch norm, which averages over a
    micro-batch.
    """

    device: str = "auto"
    threads: int = 1
    workers: int = 0
    memory: float = 1.0
    devices: int = 1
    compile: bool = False
    gpus: tuple[int, ...] = ()

    def prepare(self, rank: int = 0) -> torch.device:
        """Set the number of threads; return the device of the process with this rank.

        Raises ``InputError`` if there are fewer GPUs than ``devices``.
        """
        torch.set_num_threads(self.threads)
        cv2.setNumThreads(self.threads)
        if self.device == "cpu" or (self.device == "auto" and not torch.cuda.is_available()):
            return torch.device("cpu")
        if self.devices > max(torch.cuda.device_count(), 1):
            raise InputError(f"devices is {self.devices}, but only {torch.cuda.device_count()} GPUs are here; lower it")
        if self.gpus:
            torch.cuda.set_device(self.gpus[rank])  # otherwise pinning memory would use memory of the first GPU
            return torch.device("cuda", self.gpus[rank])
        return torch.device("cuda", rank) if self.devices > 1 else torch.device("cuda")
