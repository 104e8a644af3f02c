"""Relative depth of a clip, from one of three backends.

``skeleton``: uses the 2-D keypoints only and needs no trained weights, see ``skeleton_depth``.
``folder``: reads depth videos that the user made with another estimator, one for each clip.
``transformers``: a network that estimates the depth of each stored rgb frame, see ``learned_depth``.
"""

from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path
from typing import Protocol

import cv2
import numpy as np
import pandas as pd

from ..errors import InputError, UnusableClip
from ..progress import progress
from ..skeletons.selections import selection_named
from ..storage.clips import Clips, frames_of
from ..storage.names import Folders
from ..storage.shards import Shard, build_shard, each_clip
from ..videos.isolation import each_clip_isolated
from ..videos.person_box import Box, crop, person_box
from ..videos.reading import DECODER_MEMORY, decode, probe
from .skeleton_depth import SkeletonDepth
from .stored_depth import to_stored
from .work import Work

BACKENDS = ("skeleton", "folder", "transformers")
SECONDS = 900  # for the depth video of one clip


class DepthEstimator(Protocol):
    """Estimates depth without the rgb frames; for estimators that use them see ``learned_depth``."""

    def __call__(self, clip: tuple, keypoints_TVC: np.ndarray | None, box: Box, size: int) -> np.ndarray:
        """Return the nearness (T, h, w) of a clip in ``box``, resized like the rgb frames.

        ``clip`` is its row of the clips table. Scale and offset are arbitrary but the same in all frames; larger is
        nearer. Raises ``UnusableClip``.
        """
        ...


class DepthFolder:
    """The folder backend: grey (or equal-channel) videos ``<folder>/<clip_id>.mp4``, brighter is nearer.

    Each has as many frames as its clip, before resampling, and shows the whole frame of the source, at any resolution.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._files = Folders(folder)

    def __call__(self, clip: tuple, keypoints_TVC: np.ndarray | None, box: Box, size: int) -> np.ndarray:
        name = f"{clip.clip_id}.mp4"
        path = self.folder / (self._files.find(name) or name)
        found, n_frames = probe(path, count=True), clip.end - clip.start + 1
        if found.n_frames != n_frames:
            raise UnusableClip(f"{path} has {found.n_frames} frames, but its clip has {n_frames}")
        width, height = _frame_size(clip)
        shape = width or found.width, height or found.height
        frames = decode(path, 0, n_frames - 1)
        gray = (cv2.resize(cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY), shape) for frame in frames)
        return np.stack([crop(frame, box, size) for frame in gray])[frames_of(clip, 0)]


def depth_of_clips(
    estimate: DepthEstimator, table: pd.DataFrame, keypoints: Path | None, size: int, margin: float | None
) -> Callable[[str], np.ndarray]:
    """Return a function that computes the stored depth of a clip, uint8 (T, h, w), from its id.

    ``keypoints`` is the keypoints shard; ``margin`` is as in ``person_box``. The function raises ``UnusableClip`` if
    the estimator does, or if the estimator needs points and the clip has none.
    """
    rows = {row.clip_id: row for row in table.itertuples()}
    selected = Shard(keypoints) if keypoints else None

    def make(clip_id: str) -> np.ndarray:
        clip = rows[clip_id]
        # Without keypoints a depth video shows the full frame, like rgb; skeleton depth needs them, so read raises.
        wanted = selected and (isinstance(estimate, SkeletonDepth) or not selected.reason(clip_id))
        keypoints_TVC = selected.read(clip_id) if wanted else None
        box = person_box(keypoints_TVC, *_frame_size(clip), margin)
        return to_stored(estimate(clip, keypoints_TVC, box, size))

    return make


def _frame_size(clip: tuple) -> tuple[int | None, int | None]:
    """Return the width and height of a clip's video; None where the table lacks them."""
    return tuple(None if pd.isna(pixels) else int(pixels) for pixels in (clip.width, clip.height))


def make_depth(
    clips: Clips,
    shard: int,
    keypoints: Path | None,
    output: Path,
    scratch: Path,
    *,
    backend: str,
    selection: str,
    size: int,
    margin: float | None,
    folder: Path | str | None = None,
    rgb: Path | None = None,
    model: str | None = None,
    precision: str = "fp32",
    device: str = "auto",
    threads: int = 1,
) -> None:
    """Write the depth of one shard of clips, uint8 (T, h, w), in the same box and size as the rgb stage.

    ``backend`` is "skeleton", "folder" (needs ``folder``) or "transformers" (needs ``rgb``, the rgb shard of the same
    clips, and ``model``, a folder or a name on the hub); ``selection`` names the selection in ``keypoints``.
    ``precision`` ("fp32", "bf16", "fp16") is the network's on a GPU, ``device`` is "auto", "cpu" or "cuda", ``threads``
    is the number of CPU threads. A separate process runs the network or reads the videos of ``folder``. A clip that
    ends this process, or exceeds its memory or time, is stored as unusable with the reason. Raises ``InputError`` if
    the settings do not fit together, or if the network cannot be set up.
    """
    if backend not in BACKENDS:
        raise InputError(f"there is no depth backend '{backend}'; choose one of {', '.join(BACKENDS)}")
    if backend == "folder" and folder is None:
        raise InputError("the depth backend 'folder' needs depth.folder, the folder of the depth videos; set it")
    if backend == "skeleton" and keypoints is None:
        raise InputError("the depth backend 'skeleton' needs keypoints, and this corpus has none; use 'folder'")
    if backend == "transformers" and rgb is None:
        raise InputError(
            "the depth backend 'transformers' needs rgb frames, and this corpus has no video; use 'skeleton'"
        )
    table = clips.usable[clips.usable.shard == shard]
    if backend == "transformers":
        from .learned_depth import NETWORKS, depth_of_shard  # needs torch, which takes seconds to import

        build = partial(NETWORKS[backend], model, precision, device, threads)
        made = partial(each_clip_isolated, start=partial(depth_of_shard, rgb, build))
    elif backend == "folder":
        start = partial(depth_of_clips, DepthFolder(Path(folder)), table, keypoints, size, margin)
        made = partial(each_clip_isolated, start=start, seconds=SECONDS, memory=DECODER_MEMORY)
    else:
        estimate = SkeletonDepth(selection_named(selection))
        made = partial(each_clip, make=depth_of_clips(estimate, table, keypoints, size, margin))

    def produce(clip_ids: list[str]) -> Iterable:
        return made(progress(clip_ids, f"depth {output.parent.name}/{output.stem}", total=len(clip_ids)))

    build_shard(output, scratch, list(table.clip_id), produce, "jpeg")


def make(work: Work) -> None:
    """Run the stage; see ``make_depth``."""
    depth, rgb, keypoints = work.settings["depth"], work.settings["rgb"], work.shards.get("keypoints")
    make_depth(
        *(work.clips, work.shard, keypoints, work.output, work.scratch),
        **depth.model_dump(),
        **work.settings["keypoints"].model_dump(),
        size=rgb.size,
        margin=rgb.person_margin,
        rgb=work.shards.get("rgb"),
        device=work.device,
        threads=work.threads,
    )
