"""Posture for emotion: the points of a clip and their displacements, at evenly spaced times."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ..skeletons.keypoints import in_picture
from ..skeletons.points import at_times, even_times, normalise
from ..skeletons.selections import Selection
from ..storage.shards import Shard


def pose_features(keypoints_TVC: np.ndarray, selection: Selection, frames: int) -> np.ndarray:
    """Compute the posture at ``frames`` times of a clip, float32 (frames, 4 V).

    For each joint these are x and y of the normalised point, and its displacement since the time before. Both are 0
    where the joint is missing, and the displacement also at the first time.
    """
    points_FVC = normalise(at_times(in_picture(keypoints_TVC), even_times(len(keypoints_TVC), frames)), selection)
    found_FV = points_FVC[..., 2] > 0
    offset_FV2 = np.zeros_like(points_FVC[..., :2])
    offset_FV2[1:] = np.diff(points_FVC[..., :2], axis=0) * (found_FV[1:] & found_FV[:-1])[..., None]
    return np.concatenate((points_FVC[..., :2], offset_FV2), -1).reshape(frames, -1).astype(np.float32)


class Poses:
    """The postures of the clips in shards of keypoints: ``poses[clip_id]``, None for a clip without keypoints."""

    def __init__(self, shards: Sequence[Path], selection: Selection, frames: int) -> None:
        self.size = frames, 4 * len(selection.joints)
        self._selection = selection
        self._holder = {clip_id: shard for shard in map(Shard, shards) for clip_id in shard.clip_ids}

    def __getitem__(self, clip_id: str) -> np.ndarray | None:
        shard = self._holder.get(clip_id)
        if shard is None or shard.reason(clip_id):
            return None
        return pose_features(shard.read(clip_id), self._selection, self.size[0])
