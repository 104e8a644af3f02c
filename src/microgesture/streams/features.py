"""Stored features of a pretrained video encoder as the input of a network.

A head that is trained on them sees the same views in training and in testing: those that ``num_clips``, ``num_crops``
and mirroring give. A training draws one of them at random for each clip of an epoch.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from ..config.streams import TrainStep
from ..errors import InputError
from ..storage.shards import Shard
from .samples import Examples, Key, Sample, random_generator

KIND = "features"  # the folder of their shards
_AS_IT_IS = (np.float32(1), np.float32(1))  # brightness and contrast


def sides(step: TrainStep) -> tuple[bool, ...]:
    """Whether to mirror each of the stored sides of a view: mirrored views are stored if the recipe uses them."""
    return (False, True) if step.recipe.flip or step.recipe.in_testing().flip else (False,)


class FeatureDataset(Examples):
    """The clips of a stream on stored features: ``dataset[row, draw]`` is a ``Sample``, its data features (S, T, N, D).

    The arguments are those of ``ClipDataset``. In training, ``draw``, the seed and the clip's id choose a view and its
    side. In testing, ``draw`` is the number of a view, of which there are as many as were stored, whatever
    ``num_clips`` and ``num_crops``.
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
        if KIND not in shards:
            raise InputError(f"stream '{step.stream}' needs {KIND}, but there are no shards of them")
        opened = [Shard(path) for path in shards[KIND]]
        self._holder = {clip_id: shard for shard in opened for clip_id in shard.clip_ids}
        if missing := [clip_id for clip_id in table.clip_id if clip_id not in self._holder]:
            raise InputError(
                f"clip {missing[0]} ({len(missing)} such clips) is in none of the shards "
                f"{', '.join(map(str, shards[KIND]))}: they are older than the clips table; delete them, run again"
            )
        self._step, self._training, self.workers = step, training, workers
        reasons = {clip_id: self._holder[clip_id].reason(clip_id) for clip_id in table.clip_id}
        super().__init__(table, {clip_id: reason for clip_id, reason in reasons.items() if reason})

    @property
    def views(self) -> int:
        """The number of test views of each clip, including repeated ones."""
        return sum(self._times(0)) if len(self) else 1

    def __getitem__(self, key: Key) -> Sample:
        row, draw = key
        clip_id, times = self.clip_ids[row], self._times(row)
        view, mirror = draw, False
        if self._training:
            generator = random_generator(self._step.seed, draw, clip_id)
            view = int(generator.choice(len(times), p=np.array(times) / sum(times)))
            mirror = bool(self._step.recipe.flip and generator.random() < 0.5)
        (features_STND,) = self._holder[clip_id].read(clip_id, [view])
        return Sample((features_STND,), mirror, *_AS_IT_IS, self.labels[row], row, times[view])

    def _times(self, row: int) -> list[int]:
        return self._holder[self.clip_ids[row]].note(self.clip_ids[row])["times"]

    def _test_views(self, row: int) -> range:
        return range(len(self._times(row)))
