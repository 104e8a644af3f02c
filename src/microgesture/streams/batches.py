"""Samples in batches on the device that a network runs on."""

from collections.abc import Iterable, Iterator
from typing import Any

import torch
from torch.utils.data import DataLoader

from .fused_samples import Dataset, FusedSample
from .preemption import obey_parent_alone, signals_withheld
from .samples import Key, Sample


class TwoSplits:
    """The clips of train and val as one data set, so that the same worker processes load both: [split, key]."""

    def __init__(self, training: Dataset, validation: Dataset) -> None:
        self._splits = {"train": training, "val": validation}

    def __getitem__(self, key: tuple[str, Key]) -> Sample | FusedSample:
        split, key_in_split = key
        return self._splits[split][key_in_split]


def load_batches(
    dataset: Any, batches: Iterable[list[Key]], device: torch.device, workers: int | None = None
) -> Iterator[Any]:
    """The samples ``dataset[key]`` of each batch of keys, their fields stacked into tensors on the device.

    What is stored in bytes also travels in bytes. While the network runs on one batch, ``workers`` processes (default:
    the data set's) load the next ones, two each; they live until the last batch.
    """
    workers = dataset.workers if workers is None else workers
    loader = DataLoader(
        dataset,
        batch_sampler=batches,
        num_workers=workers,
        multiprocessing_context="fork" if workers else None,  # the open shards are shared, not sent
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
