"""Windows as views of a stretch: a part of its frames, and of each frame the square around the person."""

from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

import numpy as np

from ..config.rgb import RgbPersonSettings, RgbSettings
from ..errors import UnusableClip
from ..storage.shards import Shard
from ..videos.person_box import Box, person_box
from .stretches import Stretch

LARGEST_SIZE = 4096  # pixels, the limit of the setting rgb.size


class View(NamedTuple):
    """What a window shows of its stretch: places in its frames, and a part of its picture, left to bottom in 0..1."""

    frames: slice
    part: tuple[float, float, float, float]


class Geometry:
    """The boxes of stretches and windows in the video, so that each window is cut to its person, as a clip is.

    ``settings`` are those of rgb or rgb_person for stretches: with their margin the box of each stretch contains the
    boxes of its windows, and with their size a window has about the pixels of a clip. ``size`` is the width and height
    of the video.
    """

    def __init__(
        self, stretches: Iterable[Stretch], spans: np.ndarray, size: tuple, settings: RgbSettings | RgbPersonSettings
    ) -> None:
        self._size, self._margin = size, settings.person_margin
        self._boxes: dict[str, list[Box]] = {}
        margin, zooms = settings.margin, []
        for stretch in stretches:
            windows = [self._box(stretch.keypoints, stretch.part(*spans[row])) for row in stretch.rows_M]
            self._boxes[stretch.name] = windows
            if (
                self._margin is None
                or isinstance(stretch.keypoints, UnusableClip)
                or not (stretch.keypoints[..., 2] > 0).any()
            ):
                continue  # both show the full frame
            if len(windows) == 1:
                continue  # they are the same
            tight = self._box(stretch.keypoints, slice(None), 0.0)
            margin = max(margin, *(_needed_margin(tight, window) for window in windows))
        self.settings = settings.model_copy(update={"margin": margin})
        for stretch in stretches:
            if whole := self.whole(stretch):
                zooms += [_side(whole) / _side(window) for window in self._boxes[stretch.name] if window]
        size = round(settings.size * float(np.median(zooms))) if zooms else settings.size
        self.settings = self.settings.model_copy(update={"size": min(size, LARGEST_SIZE)})

    def whole(self, stretch: Stretch) -> Box | None:
        """The box of a stretch in the video; None if nothing tells where it is."""
        return self._box(stretch.keypoints, slice(None), self.settings.person_margin)

    def views(self, stretch: Stretch, spans: np.ndarray) -> list[View]:
        """The view of each window of a stretch; ``spans`` (N, 2) are the first and last frames of all windows."""
        whole, views = self.whole(stretch), []
        for row, box in zip(stretch.rows_M, self._boxes[stretch.name], strict=True):
            part = (0.0, 0.0, 1.0, 1.0)
            if whole and box:
                left, top = (box.x - whole.x) / whole.width, (box.y - whole.y) / whole.height
                part = (left, top, left + box.width / whole.width, top + box.height / whole.height)
            views.append(View(stretch.part(*spans[row]), part))
        return views

    def _box(self, keypoints: np.ndarray | UnusableClip, frames: slice, margin: float | None = None) -> Box | None:
        points_TVC = None if isinstance(keypoints, UnusableClip) else keypoints[frames, :, :3]
        try:
            return person_box(points_TVC, *self._size, self._margin if margin is None else margin)
        except UnusableClip:
            return None


def _side(box: Box) -> int:
    return min(box.width, box.height)


def _needed_margin(tight: Box, window: Box) -> float:
    """The margin with which the box around a person's points, given without margin, contains the box of a window."""
    reaches = []
    for start, length, begin, extent in (
        (tight.x, tight.width, window.x, window.width),
        (tight.y, tight.height, window.y, window.height),
    ):
        centre = start + length / 2
        reaches += [centre - begin, begin + extent - centre]
    side = max(tight.width - 2, 1)  # without what was rounded up
    return max((max(reaches) + 1) / side - 0.5, 0.0)


class WindowShard:
    """The windows of a stretch, to be read like a ``Shard``.

    ``views`` has the view of each window by its id, and ``stretch`` is the array of the stretch (T, ...) or the reason
    why there is none. With ``whole_picture``, windows show all of each frame.
    """

    def __init__(
        self, stretch: np.ndarray | UnusableClip, views: Mapping[str, View], whole_picture: bool = False
    ) -> None:
        self.clip_ids = list(views)
        self._views, self._stretch, self._whole_picture = views, stretch, whole_picture

    def reason(self, clip_id: str) -> str | None:
        """Why the window has no array, or None if it has one."""
        return str(self._stretch) if isinstance(self._stretch, UnusableClip) else None

    def shape(self, clip_id: str) -> tuple[int, ...]:
        """The shape (T, ...) of the array of a window."""
        return self._seen(clip_id).shape

    def read(self, clip_id: str, frames: np.ndarray | None = None) -> np.ndarray:
        """The requested frames of a window (default: all), (T, ...)."""
        seen_T = self._seen(clip_id)
        return seen_T if frames is None else seen_T[frames]

    def each(self, clip_id: str, frames: np.ndarray) -> Iterator[np.ndarray]:
        """The requested frames of a window one by one."""
        return iter(self.read(clip_id, frames))

    def _seen(self, clip_id: str) -> np.ndarray:
        if isinstance(self._stretch, UnusableClip):
            raise self._stretch
        view = self._views[clip_id]
        shown_T = self._stretch[view.frames]
        if self._whole_picture:
            return shown_T
        height, width = shown_T.shape[1:3]
        left, top, right, bottom = (
            round(min(max(edge, 0.0), 1.0) * side)
            for edge, side in zip(view.part, (width, height, width, height), strict=True)
        )
        left, top = min(left, width - 1), min(top, height - 1)
        return shown_T[:, top : max(bottom, top + 1), left : max(right, left + 1)]


def array_of(shard: Shard, name: str) -> np.ndarray | UnusableClip:
    """The array of a stretch in a shard, or the reason why there is none."""
    try:
        return shard.read(name)
    except UnusableClip as reason:
        return reason
