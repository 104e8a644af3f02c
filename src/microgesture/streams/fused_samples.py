"""One example for a fused network: what each of its branches is shown of a clip, side by side."""

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from ..config.streams import TrainStep
from .samples import ClipDataset, Examples, Key, Sample


class FusedSample(NamedTuple):
    """What a fused network is shown of a clip.

    ``samples`` and ``moments`` have an entry for each branch: a ``Sample``, which is mirrored as ``mirror`` says and
    not as it says itself, and where in the clip each of its frames lies, float32 (T,), from 0 to 1. Moments are -1 for
    frames that an earlier one is equal to, and all are -1 where the clip lacks the input. The other fields are those of
    a ``Sample``.
    """

    samples: tuple[Sample, ...]
    moments: tuple[np.ndarray, ...]
    mirror: bool
    label: int
    row: int
    times: int


class FusedDataset(Examples):
    """The clips of a fused stream, drawn as ``FusedSample``: ``dataset[row, draw]``.

    It holds a ``ClipDataset`` for each branch, whose arguments these are. A clip that lacks one input is shown by the
    other alone; ``left_out`` names those that lack both. In training both branches draw the frames and the part of the
    picture from generators that start alike, so that equal recipes show the same. In testing the views of a clip are
    those of both, side by side in their order.
    """

    def __init__(
        self,
        table: pd.DataFrame,
        shards: Mapping[str, Sequence[Path]],
        step: TrainStep,
        *,
        training: bool,
        num_clips: int = 1,
        num_crops: int = 1,
        workers: int = 0,
        memory: float = 1.0,
    ) -> None:
        share = {"num_clips": num_clips, "num_crops": num_crops, "workers": workers, "memory": memory / len(step.parts)}
        self._branches = [ClipDataset(table, shards, part, training=training, **share) for part in step.parts]
        self._rows = [{clip_id: row for row, clip_id in enumerate(branch.clip_ids)} for branch in self._branches]
        self._training, self.workers = training, workers
        left_out = {
            clip_id: "; ".join(dict.fromkeys(branch.left_out[clip_id] for branch in self._branches))
            for clip_id in table.clip_id
            if not any(clip_id in rows for rows in self._rows)
        }
        super().__init__(table, left_out)

    @property
    def views(self) -> int:
        """How many views of testing each clip has, equal ones counted as often as they occur."""
        return max(branch.views for branch in self._branches)

    def __getitem__(self, key: Key) -> FusedSample:
        row, draw = key
        keys, times = self._shown(row, draw)
        samples, moments, mirrors = [], [], []
        for branch, of_branch in zip(self._branches, keys, strict=True):
            sample = branch.blank() if of_branch is None else branch[of_branch]
            unseen_T = np.full(len(sample.data[0]), -1, np.float32)
            samples.append(sample)
            moments.append(unseen_T if of_branch is None else branch.moments(of_branch))
            mirrors += [] if of_branch is None else [sample.mirror]
        return FusedSample(tuple(samples), tuple(moments), mirrors[0], self.labels[row], row, times)

    def _shown(self, row: int, draw: int) -> tuple[tuple[Key | None, ...], int]:
        """What each branch shows, None where the clip lacks its input, and how many views of testing are like that."""
        if self._training:
            rows = [rows.get(self.clip_ids[row]) for rows in self._rows]
            return tuple(None if of_branch is None else (of_branch, draw) for of_branch in rows), 1
        return list(self._test_views(row).items())[draw]

    def _test_views(self, row: int) -> Counter[tuple[Key | None, ...]]:
        """The distinct views of testing, and how often each occurs."""
        listed = []
        for branch, rows in zip(self._branches, self._rows, strict=True):
            of_branch = rows.get(self.clip_ids[row])
            keys = [None] if of_branch is None else [(of_branch, draw) for draw in branch.test_draws(of_branch)]
            listed.append([key for key in keys for _ in range(self.views // len(keys))])
        return Counter(zip(*listed, strict=True))


Dataset = ClipDataset | FusedDataset


def open_dataset(
    table: pd.DataFrame, shards: Mapping[str, Sequence[Path]], step: TrainStep, **options: bool | float
) -> Dataset:
    """The clips of a stream, fused or not; the options are those of ``ClipDataset``."""
    return (FusedDataset if step.branches else ClipDataset)(table, shards, step, **options)
