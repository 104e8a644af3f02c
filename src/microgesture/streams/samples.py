"""Samples of a network: frames of a clip for every input, all with the same crop."""

import hashlib
import math
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from ..config.declarations import Modality
from ..config.modalities import HEATMAPS, IN_SPACE, MODALITIES, SKELETONS, VIDEOS, store
from ..config.streams import TrainStep
from ..errors import InputError
from ..skeletons.keypoints import in_picture, in_space
from ..skeletons.points import at_times, centre, even_times, fill_box, normalise, random_times, vary
from ..skeletons.selections import selection_named
from ..storage.shards import Shard
from .colour_wheel import by_fastest
from .crops import (
    Box,
    keypoints_in_box,
    person_square,
    random_crop,
    resize_part,
    squares,
    to_pixels,
    video_box,
)
from .frames import interval_frames, interval_views, uniform_frames, uniform_views

_AS_IT_IS = (np.float32(1), np.float32(1))  # brightness and contrast

Key = tuple[int, int]  # row of a clip in a data set; number of the draw in training, or of the view in testing


class Sample(NamedTuple):
    """A sample of a clip, before it is mirrored, normalised or rendered on the device.

    ``data`` has one array for each input:

    * joint and limb: float32 keypoints (T, V, 3); x and y are in [0, 1] inside the crop; missing points are (0, 0, 0);
    * a skeleton or a modality made from it: float32 points (T, V, 3), or (T, V, 4) in 3-D, see ``points.normalise``;
    * images: (T, size, size, channels) as stored;
    * vectors: float32 (T, size, size, 2), u and v in fractions of the crop's width and height; or, for flow as a
      colour wheel, of the largest speed of the whole frame.

    ``label`` is -1 if unknown, ``row`` is the position of the clip in the data set, and ``times`` is the number of
    equal test views of the clip that this one represents.
    """

    data: tuple[np.ndarray, ...]
    mirror: bool
    brightness: np.float32
    contrast: np.float32
    label: int
    row: int
    times: int


class View(NamedTuple):
    """The frames (T,) of a clip for each input, their crop in fractions of the picture, and how many test views it is.

    For a skeleton, the frames may be fractional: its points are interpolated in time.
    """

    frames: tuple[np.ndarray, ...]
    crop: Box
    times: int


def random_generator(seed: int, draw: int, clip_id: str) -> np.random.Generator:
    """The random generator for one draw of one clip; it depends neither on the order nor on the worker process."""
    return np.random.default_rng([seed, draw, int(hashlib.sha256(clip_id.encode()).hexdigest()[:16], 16)])


class Examples:
    """The clips of a ``table`` that are not in ``left_out``, which gives the reason for each clip that is left out."""

    def __init__(self, table: pd.DataFrame, left_out: dict[str, str]) -> None:
        self.left_out = left_out
        kept = table[~table.clip_id.isin(list(left_out))]
        self.clip_ids: list[str] = kept.clip_id.tolist()
        self.labels = [-1 if pd.isna(label) else int(label) for label in kept.label]

    def __len__(self) -> int:
        return len(self.clip_ids)

    def test_keys(self, rows: Iterable[int] | None = None) -> list[Key]:
        """The keys (row, draw) of every distinct view of these clips (default: all), clip by clip."""
        rows = range(len(self)) if rows is None else rows
        return [(row, draw) for row in rows for draw in range(len(self._test_views(row)))]

    def _test_views(self, row: int) -> Collection:
        """The distinct test views of a clip."""
        raise NotImplementedError


class ClipDataset(Examples):
    """The clips of a stream: ``dataset[row, draw]`` is a ``Sample``.

    ``shards`` are the shards of each modality that the inputs of the step are made from, files or open ones. All inputs
    of a clip have the same crop and are mirrored together. Each has its own sampling of the frames, as in
    RGBPoseConv3D: beside ``heatmap_frames`` heatmaps, a video has ``frames`` frames.

    In training, ``draw``, the seed and the clip's id determine the frames, the crop and the mirroring. In testing,
    nothing is random, and ``draw`` is the number of a distinct view; the views combine ``num_clips`` fixed samplings
    with ``num_crops`` squares of a video. ``left_out`` has the clips of ``table`` that lack an input, with the reason.

    ``workers`` is the number of processes that read the clips. With 0, the clips are read once and kept in memory if
    they need at most ``memory`` GiB in total. Raises ``InputError`` if a clip is in none of the shards.
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
        kinds = list(dict.fromkeys(store(modality) for modality in step.inputs))
        if missing := [kind for kind in kinds if kind not in shards]:
            raise InputError(
                f"stream '{step.stream}' needs {', '.join(kinds)}, but there are no shards of {missing[0]}"
            )
        self._stores = {kind: _Store(kind, shards[kind], table.clip_id) for kind in kinds}
        self._inputs, self._seed, self._margin = step.inputs, step.seed, step.margin
        self._wheel = step.flow_encoding == "colour_wheel"
        self._selection = selection_named(step.selection) if step.selection else None
        self._recipe = step.recipe if training else step.recipe.in_testing()
        self._training, self._num_clips, self.workers = training, num_clips, workers
        # A crop is rounded to the pixels of the first video. Without a video it is not rounded.
        self._video = next((self._stores[store(modality)] for modality in step.inputs if modality in VIDEOS), None)
        self._num_crops = num_crops if self._video else 1
        # Heatmaps beside a video show its part of the frame, which depends on the size of the source.
        self._located = self._video is not None and any(modality in HEATMAPS for modality in self._inputs)
        self._lit = any(MODALITIES[store(modality)].lit for modality in step.inputs)
        reasons = {row.clip_id: self._reason(row) for row in table.itertuples()}
        super().__init__(table, {clip_id: reason for clip_id, reason in reasons.items() if reason})
        if self._located:
            kept = table[table.clip_id.isin(self.clip_ids)]
            self._sizes = list(zip(kept.width.astype(int), kept.height.astype(int), strict=True))
        keep = workers == 0 and sum(held.bytes(self.clip_ids) for held in self._stores.values()) <= memory * 2**30
        for held in self._stores.values():
            held.kept = {} if keep else None
            held.shown_again = not training and self._num_crops > 1

    @property
    def views(self) -> int:
        """The number of test views of each clip, including repeated ones."""
        return self._num_clips * self._num_crops

    def test_draws(self, row: int) -> list[int]:
        """The number of the distinct test view for each of the ``views`` of a clip, sampling by sampling."""
        every = self._every_test_view(row)
        number = {pair: draw for draw, pair in enumerate(dict.fromkeys(every))}
        return [number[pair] for pair in every]

    def moments(self, key: Key) -> np.ndarray:
        """The position of each frame of the only input in its clip, float32 (T,), from 0 to 1; -1 if it is repeated."""
        view, _ = self._view(*key)
        (frames_T,) = view.frames
        moments_T = np.full(len(frames_T), -1, np.float32)
        frames, first = np.unique(frames_T, return_index=True)
        moments_T[first] = frames / max(self._frame_count(key[0]) - 1, 1)
        return moments_T

    def blank(self) -> Sample:
        """A placeholder for a clip that lacks the inputs: zeros of the usual shapes, with row 0 and label -1."""
        return Sample(tuple(map(self._zeros, self._inputs, self._lengths)), False, *_AS_IT_IS, -1, 0, 1)

    def __getitem__(self, key: Key) -> Sample:
        row, draw = key
        recipe = self._recipe
        view, generator = self._view(row, draw)
        if self._video:
            # The keypoints use the crop after rounding to the pixels of the video.
            height, width = self._video.shape(self.clip_ids[row])[1:3]
            left, top, across, down = to_pixels(view.crop, width, height)
            view = view._replace(crop=Box(left / width, top / height, across / width, down / height))
        mirror = bool(generator and recipe.flip and generator.random() < 0.5)
        color_jitter = recipe.color_jitter if generator and self._lit else 0.0
        brightness, contrast = (
            generator.uniform(1 - color_jitter, 1 + color_jitter, 2).astype(np.float32) if color_jitter else _AS_IT_IS
        )
        data = tuple(
            self._shown(modality, row, frames_T, view.crop, generator)
            for modality, frames_T in zip(self._inputs, view.frames, strict=True)
        )
        return Sample(data, mirror, brightness, contrast, self.labels[row], row, view.times)

    def _view(self, row: int, draw: int) -> tuple[View, np.random.Generator | None]:
        """A view and, in training, the random generator for everything else about the sample."""
        if not self._training:
            return self._test_views(row)[draw], None
        generator = random_generator(self._seed, draw, self.clip_ids[row])
        return self._random_view(row, generator), generator

    def _zeros(self, modality: str, length: int) -> np.ndarray:
        if modality not in VIDEOS:
            of_a_joint = 4 if modality in IN_SPACE else 3
            return np.zeros((length, len(self._selection.joints), of_a_joint), np.float32)
        seen = MODALITIES[modality]
        return np.zeros((length, self._recipe.size, self._recipe.size, seen.channels), self._dtype(seen))

    @staticmethod
    def _dtype(seen: Modality) -> np.dtype:
        return np.dtype(np.float32 if seen.content == "vectors" else seen.dtype)

    def _shown(
        self, modality: str, row: int, frames_T: np.ndarray, crop: Box, generator: np.random.Generator | None
    ) -> np.ndarray:
        if modality in SKELETONS:
            return self._points(modality, row, frames_T, generator)
        shown = self._keypoints if modality in HEATMAPS else partial(self._images, modality)
        return shown(row, frames_T, crop)

    def _points(
        self, modality: str, row: int, frames_T: np.ndarray, generator: np.random.Generator | None
    ) -> np.ndarray:
        seen = in_space if modality in IN_SPACE else in_picture
        keypoints_TVC = at_times(seen(self._stores["keypoints"].read(self.clip_ids[row])), frames_T)
        boxed = self._recipe.normalisation == "box"
        if boxed:
            points_TVC = centre(keypoints_TVC)
        else:
            points_TVC = normalise(keypoints_TVC, self._selection, self._recipe.own_hands)
        if generator:
            points_TVC = vary(points_TVC, self._recipe.augmentation, generator)
        return fill_box(points_TVC) if boxed else points_TVC  # the box is that of the points as the network sees them

    def _keypoints(self, row: int, frames_T: np.ndarray, crop: Box) -> np.ndarray:
        keypoints_TVC = in_picture(self._stores["keypoints"].read(self.clip_ids[row]))
        if self._located:
            picture = video_box(keypoints_TVC, *self._sizes[row], self._margin)
        else:
            picture = person_square(keypoints_TVC)
        return keypoints_in_box(keypoints_TVC[frames_T], picture.part(crop))

    def _images(self, modality: str, row: int, frames_T: np.ndarray, crop: Box) -> np.ndarray:
        held, clip_id, seen = self._stores[modality], self.clip_ids[row], MODALITIES[modality]
        height, width, *channels = held.shape(clip_id)[1:]
        box = to_pixels(crop, width, height)
        distinct, places_T = np.unique(frames_T, return_inverse=True)
        frames = held.each(clip_id, distinct)
        if seen.content == "vectors" and self._wheel:  # relative to the fastest pixel of the whole frame
            frames = (by_fastest(frame_HWC[None].astype(np.float32), seen.unit)[0] for frame_HWC in frames)
        part = np.empty((len(distinct), self._recipe.size, self._recipe.size, *channels), self._dtype(seen))
        for frame_HWC, resized_HWC in zip(frames, part, strict=True):
            resize_part(frame_HWC, box, resized_HWC)
        if seen.content == "vectors" and not self._wheel:
            part /= np.float32((seen.unit * box.width, seen.unit * box.height))
        part_THWC = part.reshape(*part.shape[:3], seen.channels)
        return part_THWC if np.array_equal(distinct, frames_T) else part_THWC[places_T]

    def _reason(self, clip: tuple) -> str | None:
        """Why a clip (a row of the table) lacks an input; None if it has all inputs."""
        reasons = [held.reason(clip.clip_id) for held in self._stores.values()]
        if any(reasons):
            return next(reason for reason in reasons if reason)
        counts = {kind: held.shape(clip.clip_id)[0] for kind, held in self._stores.items()}
        if len(set(counts.values())) > 1:
            listed = " but ".join(f"{count} frames of {kind}" for kind, count in counts.items())
            return f"{clip.clip_id} has {listed}; they do not show the same"
        if set(self._inputs) & set(IN_SPACE) and self._stores["keypoints"].shape(clip.clip_id)[-1] != 6:
            return f"{clip.clip_id}: its keypoints have no metres, only places in the picture"
        if self._located and (pd.isna(clip.width) or pd.isna(clip.height)):
            return f"{clip.clip_id}: the size of its video is unknown, so its keypoints have no place in it"
        return None

    @property
    def _lengths(self) -> list[int]:
        """The number of frames of each input."""
        recipe, beside = self._recipe, len(self._inputs) > 1
        heatmaps = recipe.heatmap_frames or recipe.frames if beside else recipe.frames
        return [heatmaps if modality in HEATMAPS else recipe.frames for modality in self._inputs]

    def _frame_count(self, row: int) -> int:
        return next(iter(self._stores.values())).shape(self.clip_ids[row])[0]

    def _picture(self, row: int) -> tuple[int, int]:
        """The width and height of a picture of a clip; heatmaps alone show a square."""
        return self._video.shape(self.clip_ids[row])[2:0:-1] if self._video else (1, 1)

    def _random_view(self, row: int, generator: np.random.Generator) -> View:
        frames = tuple(
            self._random_frames(modality, length, self._frame_count(row), generator)
            for modality, length in zip(self._inputs, self._lengths, strict=True)
        )
        width, height = self._picture(row)
        return View(frames, random_crop(self._recipe.crop_area, generator, width / height), 1)

    def _random_frames(self, modality: str, length: int, n_frames: int, generator: np.random.Generator) -> np.ndarray:
        recipe = self._recipe
        if modality in SKELETONS:
            return random_times(n_frames, length, recipe.augmentation, generator)
        if recipe.interval is None:
            return uniform_frames(n_frames, length, generator)
        return interval_frames(n_frames, length, recipe.interval, generator)

    def _test_views(self, row: int) -> list[View]:
        distinct = Counter(self._every_test_view(row))
        return [View(tuple(map(np.array, frames)), crop, times) for (frames, crop), times in distinct.items()]

    def _every_test_view(self, row: int) -> list[tuple[tuple[tuple[float, ...], ...], Box]]:
        samplings = (
            self._test_frames(modality, length, self._frame_count(row))
            for modality, length in zip(self._inputs, self._lengths, strict=True)
        )
        together = [tuple(tuple(frames.tolist()) for frames in of_view) for of_view in zip(*samplings, strict=True)]
        crops = squares(*self._picture(row), self._num_crops)
        return [(frames, crop) for frames in together for crop in crops]

    def _test_frames(self, modality: str, length: int, n_frames: int) -> Sequence[np.ndarray]:
        interval, views = self._recipe.interval, self._num_clips
        if modality in SKELETONS:
            return [even_times(n_frames, length)] * views
        if interval is None:
            return uniform_views(n_frames, length, views)
        return interval_views(n_frames, length, interval, views)


class _Store:
    """The shards of one modality, read by clip id.

    ``kept`` are the clips that stay in memory, None to keep none. With ``shown_again``, the frames that ``each`` yields
    are kept until others are asked for: the crops of one view follow each other.
    """

    def __init__(self, kind: str, paths: Sequence[Path | Shard], clip_ids: Iterable[str]) -> None:
        self._bytes = np.dtype(MODALITIES[kind].dtype).itemsize
        shards = [Shard(path) if isinstance(path, Path) else path for path in paths]
        self._holder = {clip_id: shard for shard in shards for clip_id in shard.clip_ids}
        self.kept: dict[str, np.ndarray] | None = None
        self.shown_again = False
        self._latest: tuple[tuple[str, bytes] | None, list[np.ndarray]] = (None, [])
        if missing := [clip_id for clip_id in clip_ids if clip_id not in self._holder]:
            raise InputError(
                f"clip {missing[0]} ({len(missing)} such clips) is in none of the shards "
                f"{', '.join(str(path) for path in paths)}: they are older than the clips table; delete them, run again"
            )

    def reason(self, clip_id: str) -> str | None:
        return self._holder[clip_id].reason(clip_id)

    def shape(self, clip_id: str) -> tuple[int, ...]:
        return self._holder[clip_id].shape(clip_id)

    def bytes(self, clip_ids: Iterable[str]) -> int:
        return sum(math.prod(self.shape(clip_id)) for clip_id in clip_ids) * self._bytes

    def read(self, clip_id: str) -> np.ndarray:
        """All frames of a clip."""
        if self.kept is None:
            return self._holder[clip_id].read(clip_id)
        if clip_id not in self.kept:
            self.kept[clip_id] = self._holder[clip_id].read(clip_id)
        return self.kept[clip_id]

    def each(self, clip_id: str, frames: np.ndarray) -> Iterable[np.ndarray]:
        """The frames of a clip one by one, each decoded when it is asked for."""
        if self.kept is not None:
            whole = self.read(clip_id)
            return (whole[frame] for frame in frames)
        if not self.shown_again:
            return self._holder[clip_id].each(clip_id, frames)
        if self._latest[0] != (asked := (clip_id, frames.tobytes())):
            self._latest = asked, list(self._holder[clip_id].each(clip_id, frames))
        return self._latest[1]
