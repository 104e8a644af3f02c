"""Samples in batches on the device that a network runs on."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, NamedTuple

import cv2
import numpy as np
import torch
from torch.utils.data import DataLoader

from ..config.recipes import Recipe
from ..errors import InputError
from .fused_samples import Dataset, FusedSample
from .preemption import obey_parent_alone, signals_withheld
from .samples import Sample

Key = tuple[int, int]  # row of the clip in the data set, and which showing or view of it
PRECISIONS = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}


@dataclass(frozen=True)
class Machine:
    """What a job may use of the machine it runs on.

    ``device`` is auto (a GPU where there is one), cpu or cuda. ``threads`` of the CPU and ``workers``, processes that
    read clips beside the network, are for each device; ``memory`` is the GiB that the clips of a stream may take to be
    kept, if there are no workers. ``devices`` is how many a training runs on, ``compile`` has its network compiled.
    ``gpus`` are torch's numbers of those to use, one for each device at least; the first ones where it is empty.

    No result depends on any of it, but for rounding, and for batch norm, which averages over what one device takes at
    once.
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


class Piece(NamedTuple):
    """The part of a step's clips that a device takes at once, and which of the step's pieces it is, on all devices."""

    number: int
    keys: list[Key]


def load_batches(
    dataset: Dataset, batches: Sequence[Sequence[Key]], device: torch.device
) -> Iterator[Sample | FusedSample]:
    """The named samples, batch by batch, their fields stacked into tensors on the device.

    What is stored in bytes also travels in bytes; while the network runs on one batch the workers read the next ones.
    """
    loader = DataLoader(
        dataset,
        batch_sampler=batches,
        num_workers=dataset.workers,
        multiprocessing_context="fork" if dataset.workers else None,  # the open shards are shared, not sent
        pin_memory=device.type == "cuda",
        worker_init_fn=obey_parent_alone,
    )
    with signals_withheld():
        loaded = iter(loader)
    for batch in loaded:
        yield _moved(batch, device)


def _moved(batch: Any, device: torch.device) -> Any:
    """A tensor, or tuples or lists of them, lists as tuples, on the device."""
    if isinstance(batch, torch.Tensor):
        return batch.to(device, non_blocking=True)
    parts = (_moved(part, device) for part in batch)
    return type(batch)(*parts) if hasattr(batch, "_fields") else tuple(parts)


def in_batches(keys: Sequence[Key], size: int) -> list[list[Key]]:
    """The keys in order, in as few batches of at most ``size`` as there can be, as equal in length as they can be.

    Equal, so that no batch is too small for batch normalisation, or for the fast convolutions of a CPU.
    """
    return _in_parts(keys, -(-len(keys) // size))


def epoch_batches(labels: Sequence[int], recipe: Recipe, seed: int, epoch: int) -> list[list[Key]]:
    """The clips of each step of an epoch, which are known by their labels: ``repeats`` rounds, each in another order.

    A round shows every clip once, or with ``sampling`` balanced as many clips, as many of each class. No clip is shown
    twice under the same number.
    """
    keys = []
    for draw in range(epoch * recipe.repeats, (epoch + 1) * recipe.repeats):
        generator = np.random.default_rng([seed, draw])
        if recipe.sampling == "plain":
            keys += [(int(row), draw) for row in generator.permutation(len(labels))]
        else:
            shown: Counter[int] = Counter()
            for row in balanced_order(labels, generator):
                keys.append((row, draw + shown[row] * recipe.epochs * recipe.repeats))
                shown[row] += 1
    return in_batches(keys, recipe.batch)


def balanced_order(labels: Sequence[int], generator: np.random.Generator) -> list[int]:
    """As many rows as there are labels, in random order, as many of each label: the numbers differ by 1 at most.

    A row comes again only when all others of its label have come as often.
    """
    known = generator.permutation(np.unique(labels))
    order = []
    for place, label in enumerate(known):
        wanted = len(range(place, len(labels), len(known)))
        rows = np.flatnonzero(np.asarray(labels) == label)
        rounds = [generator.permutation(rows) for _ in range(-(-wanted // len(rows)))]
        order += np.concatenate(rounds)[:wanted].tolist() if rounds else []
    return generator.permutation(order).tolist()


def turns(clips: int, device_batch: int | None, devices: int) -> int:
    """How many pieces of a step each device takes, one after the other."""
    return -(-clips // (devices * (device_batch or clips)))


def pieces_of(keys: Sequence[Key], device_batch: int | None, rank: int, devices: int) -> list[Piece]:
    """What the device ``rank`` of ``devices`` takes of a step's clips, turn by turn, at most ``device_batch`` at once.

    All devices' pieces together are the step, as equal in length as they can be. Each device has one at least, if there
    are no fewer clips than devices.
    """
    each = turns(len(keys), device_batch, devices)
    parts = _in_parts(keys, devices * each)
    own = range(rank * each, (rank + 1) * each)
    return [Piece(number, parts[number]) for number in own if parts[number]]


def _in_parts(keys: Sequence[Key], count: int) -> list[list[Key]]:
    edges = [len(keys) * part // count for part in range(count + 1)] if count else [0]
    return [list(keys[start:stop]) for start, stop in pairwise(edges)]


def autocast(recipe: Recipe, device: torch.device) -> torch.autocast:
    """The precision a network runs in: the recipe's on a GPU; float32 on a CPU, where less is slower."""
    mixed = recipe.precision != "fp32" and device.type == "cuda"
    return torch.autocast(device.type, PRECISIONS[recipe.precision] if mixed else None, enabled=mixed)
