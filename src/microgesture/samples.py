"""One example for a network: which frames of a clip it sees, and which part of them."""

import hashlib
import math
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
import pandas as pd

from .errors import InputError
from .keypoints import present
from .recipe import Recipe
from .shards import Shard

POSE_INPUTS = ("joint", "limb")
PERSON_MARGIN = 0.25  # added to the person's extent, as in PoseConv3D's PoseCompact
FLOW_STEPS = 32  # a flow shard counts in 1/32 pixel
BYTES = {"joint": 4, "limb": 4, "rgb": 1, "taylor": 1, "flow": 2, "depth": 1}  # of a stored value
_AS_IT_IS = (np.float32(1), np.float32(1))  # brightness and contrast


class Sample(NamedTuple):
    """What a network is shown of a clip, before it is mirrored, normalised or rendered on the device.

    ``data``: for joint and limb float32 keypoints (T, V, 3), x y in [0, 1] over the crop (outside it beyond), missing
    (0, 0, 0); for rgb and taylor uint8 (T, size, size, 3); for depth uint8 (T, size, size, 1); for flow float32
    (T, size, size, 2), u v in shares of the crop's width and height. ``label`` is -1 where unknown, ``row`` the clip's
    position in the data set.
    """

    data: np.ndarray
    mirror: bool
    brightness: np.float32
    contrast: np.float32
    label: int
    row: int


class Box(NamedTuple):
    """Part of an image: left, top, width and height, in its pixels or as shares of it."""

    x: float
    y: float
    width: float
    height: float


def random_generator(seed: int, draw: int, clip_id: str) -> np.random.Generator:
    """The generator of all that is random about one showing of one clip, whatever the order or the worker."""
    return np.random.default_rng([seed, draw, int(hashlib.sha256(clip_id.encode()).hexdigest()[:16], 16)])


def uniform_frames(n_frames: int, length: int, generator: np.random.Generator) -> np.ndarray:
    """``length`` random frames spread over a clip, in order, int (length,) (PoseConv3D's UniformSampleFrames).

    A clip of at least 2 ``length`` frames is cut into equal parts and gives a random frame of each; one of at least
    ``length`` skips frames at random places; a shorter one starts anywhere and begins again at its end.
    """
    steps = np.arange(length)
    if n_frames < length:
        return (generator.integers(n_frames) + steps) % n_frames
    if n_frames < 2 * length:
        gaps = np.zeros(length + 1, int)
        gaps[generator.choice(length + 1, n_frames - length, replace=False)] = 1
        return steps + np.cumsum(gaps)[:-1]
    edges = np.arange(length + 1) * n_frames // length
    return edges[:-1] + generator.integers(np.diff(edges))


def uniform_views(n_frames: int, length: int, views: int) -> list[np.ndarray]:
    """The distinct ones of ``views`` fixed samplings by the rules of ``uniform_frames``, at evenly spread phases."""
    phases = (np.arange(views) + 0.5) / views
    steps = np.arange(length)
    if n_frames < length:
        return _distinct([(int(phase * n_frames) + steps) % n_frames for phase in phases])
    return _distinct([((steps + phase) * n_frames / length).astype(int) for phase in phases])


def interval_frames(n_frames: int, length: int, interval: int, generator: np.random.Generator) -> np.ndarray:
    """``length`` frames ``interval`` apart from a random start, int (length,); a short clip begins again at its end."""
    start = generator.integers(max(n_frames - _span(length, interval), 0) + 1)
    return (start + interval * np.arange(length)) % n_frames


def interval_views(n_frames: int, length: int, interval: int, views: int) -> list[np.ndarray]:
    """The distinct ones of ``views`` samplings like ``interval_frames``, their starts evenly spread over the clip."""
    last = max(n_frames - _span(length, interval), 0)
    starts = [last // 2] if views == 1 else np.linspace(0, last, views).round().astype(int)
    return _distinct([(start + interval * np.arange(length)) % n_frames for start in starts])


def _span(length: int, interval: int) -> int:
    return (length - 1) * interval + 1


def _distinct(samplings: Sequence[np.ndarray]) -> list[np.ndarray]:
    return list({tuple(frames): frames for frames in samplings}.values())


def random_box(width: float, height: float, area: tuple[float, float], generator: np.random.Generator) -> Box:
    """A crop of a random share of the area, sides between 3:4 and 4:3 (to each other as in the image), anywhere."""
    share = generator.uniform(*area)
    stretch = np.exp(generator.uniform(np.log(3 / 4), np.log(4 / 3)) / 2)
    w = width * min(1.0, np.sqrt(share) * stretch)
    h = height * min(1.0, np.sqrt(share) / stretch)
    return Box(generator.uniform(0, width - w), generator.uniform(0, height - h), w, h)


def centre_square(width: float, height: float) -> Box:
    """The largest square in the middle."""
    side = min(width, height)
    return Box((width - side) / 2, (height - side) / 2, side, side)


def person_square(keypoints_TVC: np.ndarray) -> Box:
    """The square about all that was found of a person in a clip, with a margin, in pixels (PoseConv3D's PoseCompact).

    The box of all present points, a quarter longer and wider, then enlarged to a square. It may reach beyond the image.
    Where nothing was found it is of no matter, and of size 1.
    """
    points_N2 = keypoints_TVC[present(keypoints_TVC)][:, :2]
    if not len(points_N2):
        return Box(0.0, 0.0, 1.0, 1.0)
    low, high = points_N2.min(0), points_N2.max(0)
    side = float((high - low).max()) * (1 + PERSON_MARGIN) or 1.0
    x, y = (low + high) / 2 - side / 2
    return Box(float(x), float(y), side, side)


def keypoints_in_box(keypoints_TVC: np.ndarray, box: Box) -> np.ndarray:
    """The keypoints with x and y as shares of a box: (0, 0) is its upper left corner, (1, 1) its lower right one."""
    placed_TVC = keypoints_TVC.astype(np.float32)
    placed_TVC[..., :2] = (placed_TVC[..., :2] - (box.x, box.y)) / (box.width, box.height)
    placed_TVC[~present(keypoints_TVC)] = 0
    return placed_TVC


def frames_in_box(frames_THWC: np.ndarray, box: Box, size: int) -> np.ndarray:
    """The part of each frame inside a box, resized to (T, size, size, C), in the frames' dtype."""
    x, y = round(box.x), round(box.y)
    width, height = max(1, round(box.width)), max(1, round(box.height))
    cut_THWC = frames_THWC[:, y : y + height, x : x + width]
    shrinks = max(cut_THWC.shape[1:3]) > size
    method = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
    resized = [cv2.resize(frame, (size, size), interpolation=method) for frame in cut_THWC]
    return np.stack(resized).reshape(len(frames_THWC), size, size, -1)


class ClipDataset:
    """The clips of a stream, drawn as ``Sample``: ``dataset[row, draw]``.

    In training, ``draw`` numbers the showings of a clip and decides on its frames, crop and mirroring, together with
    the seed and the clip's id. In testing it numbers one of at most ``views`` fixed samplings, the middle is shown and
    nothing is random. ``left_out`` names the clips of ``table`` that have no frames of this input, and why. ``workers``
    processes are to read it; without any, clips that all together take at most ``memory`` GiB are read once and kept.
    Raises ``InputError`` if a clip is in none of the shards.
    """

    def __init__(
        self,
        table: pd.DataFrame,
        shards: Sequence[Path],
        input: str,
        recipe: Recipe,
        *,
        training: bool,
        seed: int = 0,
        views: int = 1,
        workers: int = 0,
        memory: float = 1.0,
    ) -> None:
        opened = [Shard(path) for path in shards]
        holder = {clip_id: shard for shard in opened for clip_id in shard.clip_ids}
        if missing := [clip_id for clip_id in table.clip_id if clip_id not in holder]:
            raise InputError(
                f"clip {missing[0]} ({len(missing)} such clips) is in none of the shards "
                f"{', '.join(str(path) for path in shards)}; they are older than the clips table, make them again"
            )
        reasons = {clip_id: holder[clip_id].reason(clip_id) for clip_id in table.clip_id}
        self.left_out = {clip_id: reason for clip_id, reason in reasons.items() if reason}
        kept = table[~table.clip_id.isin(list(self.left_out))]
        self.clip_ids: list[str] = kept.clip_id.tolist()
        self.labels = [-1 if pd.isna(label) else int(label) for label in kept.label]
        self._holders = [holder[clip_id] for clip_id in self.clip_ids]
        self._input, self._recipe, self._training, self._seed, self._views = input, recipe, training, seed, views
        self.workers = workers
        keep = workers == 0 and self._bytes() <= memory * 2**30
        self._kept: dict[int, np.ndarray] | None = {} if keep else None

    def __len__(self) -> int:
        return len(self.clip_ids)

    def test_keys(self) -> list[tuple[int, int]]:
        """Every view of every clip, as (row, draw), in the clips' order."""
        return [(row, view) for row in range(len(self)) for view in range(len(self._samplings(row)))]

    def __getitem__(self, key: tuple[int, int]) -> Sample:
        row, draw = key
        generator = random_generator(self._seed, draw, self.clip_ids[row]) if self._training else None
        frames = self._random_frames(row, generator) if generator else self._samplings(row)[draw]
        place = self._keypoints if self._input in POSE_INPUTS else self._images
        data = place(row, frames, generator)
        mirror = bool(generator and self._recipe.flip and generator.random() < 0.5)
        jitter = self._recipe.jitter if generator and self._input == "rgb" else 0.0
        brightness, contrast = generator.uniform(1 - jitter, 1 + jitter, 2).astype(np.float32) if jitter else _AS_IT_IS
        return Sample(data, mirror, brightness, contrast, self.labels[row], row)

    def _keypoints(self, row: int, frames: np.ndarray, generator: np.random.Generator | None) -> np.ndarray:
        keypoints_TVC = self._read(row)
        box = person_square(keypoints_TVC)
        if generator:
            crop = random_box(box.width, box.height, self._recipe.crop_area, generator)
            box = Box(box.x + crop.x, box.y + crop.y, crop.width, crop.height)
        return keypoints_in_box(keypoints_TVC[frames], box)

    def _images(self, row: int, frames: np.ndarray, generator: np.random.Generator | None) -> np.ndarray:
        frames_THWC = self._read(row, frames)
        height, width = frames_THWC.shape[1:3]
        box = (
            random_box(width, height, self._recipe.crop_area, generator) if generator else centre_square(width, height)
        )
        if self._input != "flow":
            return frames_in_box(frames_THWC, box, self._recipe.size)
        vectors_THWC = frames_in_box(frames_THWC.astype(np.float32), box, self._recipe.size)
        return vectors_THWC / np.float32((FLOW_STEPS * box.width, FLOW_STEPS * box.height))

    def _read(self, row: int, frames: np.ndarray | None = None) -> np.ndarray:
        if self._kept is None:
            return self._holders[row].read(self.clip_ids[row], frames)
        if row not in self._kept:
            self._kept[row] = self._holders[row].read(self.clip_ids[row])
        return self._kept[row] if frames is None else self._kept[row][frames]

    def _bytes(self) -> int:
        shapes = (holder.shape(clip_id) for holder, clip_id in zip(self._holders, self.clip_ids, strict=True))
        return sum(math.prod(shape) for shape in shapes) * BYTES[self._input]

    def _frame_count(self, row: int) -> int:
        return self._holders[row].shape(self.clip_ids[row])[0]

    def _random_frames(self, row: int, generator: np.random.Generator) -> np.ndarray:
        n_frames, recipe = self._frame_count(row), self._recipe
        if recipe.interval is None:
            return uniform_frames(n_frames, recipe.frames, generator)
        return interval_frames(n_frames, recipe.frames, recipe.interval, generator)

    def _samplings(self, row: int) -> list[np.ndarray]:
        n_frames, recipe = self._frame_count(row), self._recipe
        if recipe.interval is None:
            return uniform_views(n_frames, recipe.frames, self._views)
        return interval_views(n_frames, recipe.frames, recipe.interval, self._views)
