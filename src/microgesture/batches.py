"""Samples in batches on the device that a network runs on."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

import cv2
import torch
from torch.utils.data import DataLoader

from .recipe import Recipe
from .samples import ClipDataset, Sample

Key = tuple[int, int]  # row of the clip in the data set, and which showing or view of it
PRECISIONS = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}


@dataclass(frozen=True)
class Machine:
    """What a job may use of the machine it runs on; no result depends on it.

    ``device`` is auto (a GPU where there is one), cpu or cuda; ``threads`` are a CPU's; ``workers`` are processes that
    read clips beside the network; ``memory`` is the GiB that the clips of a stream may take to be kept, if there are no
    workers.
    """

    device: str = "auto"
    threads: int = 1
    workers: int = 0
    memory: float = 1.0

    def prepare(self) -> torch.device:
        """Set the number of threads; returns the device to run on."""
        torch.set_num_threads(self.threads)
        cv2.setNumThreads(self.threads)
        if self.device == "auto":
            return torch.device("cuda" if torch.cuda.is_available() else "cpu")
        return torch.device(self.device)


def load_batches(dataset: ClipDataset, batches: Sequence[Sequence[Key]], device: torch.device) -> Iterator[Sample]:
    """The named samples, batch by batch, their fields stacked into tensors on the device."""
    loader = DataLoader(
        dataset,
        batch_sampler=batches,
        num_workers=dataset.workers,
        pin_memory=device.type == "cuda",
    )
    for batch in loader:
        yield Sample(*(field.to(device, non_blocking=True) for field in batch))


def in_batches(keys: Sequence[Key], size: int) -> list[list[Key]]:
    """The keys in order, in as few batches of at most ``size`` as there can be, as equal in length as they can be.

    Equal, so that no batch is too small for batch normalisation, or for the fast convolutions of a CPU.
    """
    count = -(-len(keys) // size)
    edges = [len(keys) * batch // count for batch in range(count + 1)] if keys else [0]
    return [list(keys[start:stop]) for start, stop in pairwise(edges)]


def autocast(recipe: Recipe, device: torch.device) -> torch.autocast:
    """The precision a network runs in: the recipe's on a GPU; float32 on a CPU, where less is slower."""
    mixed = recipe.precision != "fp32" and device.type == "cuda"
    return torch.autocast(device.type, PRECISIONS[recipe.precision] if mixed else None, enabled=mixed)
