"""Batches of samples on the device of the network."""

from collections.abc import Iterable, Iterator
from typing import Any

import torch
from torch.utils.data import DataLoader

from .fused_samples import Dataset, FusedSample
from .preemption import obey_parent_alone, signals_withheld
from .samples import Key, Sample


class TwoSplits:
    """The clips of train and val as one data set, ``dataset[split, key]``: the same worker processes load both."""

    def __init__(self, training: Dataset, validation: Dataset) -> None:
        self._splits = {"train": training, "val": validation}

    def __getitem__(self, key: tuple[str, Key]) -> Sample | FusedSample:
        split, key_in_split = key
        return self._splits[split][key_in_split]


def load_batches(
    dataset: Any, batches: Iterable[list[Key]], device: torch.device, workers: int | None = None
) -> Iterator[Any]:
    """For each batch of keys, the samples ``dataset[key]``, with their fields stacked into tensors on ``device``.

    Data that is stored as bytes is also transferred as bytes. While the network processes one batch, ``workers``
    processes (default: ``dataset.workers``) load the next batches, two each. They run until the last batch.
    """
    workers = dataset.workers if workers is None else workers
    loader = DataLoader(
        dataset,
        batch_sampler=batches,
        num_workers=workers,
        multiprocessing_context="fork" if workers else None,  # forked workers share the open shards
        pin_memory=device.type == "cuda",
        worker_init_fn=obey_parent_alone,
    )
    with signals_withheld():
        loaded = iter(loader)
    for batch in loaded:
        yield _moved(batch, device)


def _moved(batch: Any, device: torch.device) -> Any:
    """Move a tensor, or nested tuples and lists of tensors, to the device; lists become tuples."""
    if isinstance(batch, torch.Tensor):
        return batch.to(device, non_blocking=True)
    parts = (_moved(part, device) for part in batch)
    return type(batch)(*parts) if hasattr(batch, "_fields") else tuple(parts)
