"""Samples of a fused network: the samples of its two branches for the same clip."""

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from ..config.streams import TrainStep
from .features import FeatureDataset
from .samples import ClipDataset, Examples, Key, Sample


class FusedSample(NamedTuple):
    """A sample of a clip for a fused network.

    ``samples`` and ``moments`` have one entry for each branch. ``samples`` are of type ``Sample``; their own ``mirror``
    is ignored, and the ``mirror`` of this tuple applies to both. ``moments`` are the positions of the frames in the
    clip, float32 (T,), from 0 to 1. A moment is -1 if the frame repeats an earlier one, and all are -1 if the clip
    lacks the input. The other fields are as in ``Sample``.
    """

    samples: tuple[Sample, ...]
    moments: tuple[np.ndarray, ...]
    mirror: bool
    label: int
    row: int
    times: int


class FusedDataset(Examples):
    """The clips of a fused stream: ``dataset[row, draw]`` is a ``FusedSample``.

    The arguments are those of ``ClipDataset``, of which there is one for each branch. If a clip lacks one input, only
    the other is used; ``left_out`` contains the clips that lack both. In training the random generators of both
    branches start with the same seed, so that equal recipes give the same frames and crops. In testing, the views of
    both branches are paired in order.
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
        """The number of test views of each clip, including repeated ones."""
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
        """The key of each branch, None if the clip lacks its input, and the number of equal test views."""
        if self._training:
            rows = [rows.get(self.clip_ids[row]) for rows in self._rows]
            return tuple(None if of_branch is None else (of_branch, draw) for of_branch in rows), 1
        return list(self._test_views(row).items())[draw]

    def _test_views(self, row: int) -> Counter[tuple[Key | None, ...]]:
        """The distinct test views, and how often each occurs."""
        listed = []
        for branch, rows in zip(self._branches, self._rows, strict=True):
            of_branch = rows.get(self.clip_ids[row])
            keys = [None] if of_branch is None else [(of_branch, draw) for draw in branch.test_draws(of_branch)]
            listed.append([key for key in keys for _ in range(self.views // len(keys))])
        return Counter(zip(*listed, strict=True))


Dataset = ClipDataset | FusedDataset | FeatureDataset


def open_dataset(
    table: pd.DataFrame, shards: Mapping[str, Sequence[Path]], step: TrainStep, **options: bool | float
) -> Dataset:
    """The clips of a stream: fused, on stored features, or neither; ``options`` are those of ``ClipDataset``."""
    on_features = step.encoder is not None and step.encoder.stored
    opened = FusedDataset if step.branches else FeatureDataset if on_features else ClipDataset
    return opened(table, shards, step, **options)
