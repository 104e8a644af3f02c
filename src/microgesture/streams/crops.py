"""Which part of a picture a network sees, as shares of the picture, and how frames and keypoints are cut to it."""

from typing import NamedTuple

import cv2
import numpy as np

from ..skeletons.keypoints import present
from ..videos.reading import person_box

PERSON_MARGIN = 0.25  # added to the person's extent, as in PoseConv3D's PoseCompact


class Box(NamedTuple):
    """Part of a picture: left, top, width and height, in its pixels or as shares of it."""

    x: float
    y: float
    width: float
    height: float

    def part(self, crop: "Box") -> "Box":
        """The part of this box that a crop, given as shares of it, leaves."""
        return Box(
            self.x + crop.x * self.width,
            self.y + crop.y * self.height,
            crop.width * self.width,
            crop.height * self.height,
        )


WHOLE = Box(0.0, 0.0, 1.0, 1.0)


def random_crop(area: tuple[float, float], generator: np.random.Generator) -> Box:
    """A crop of a random share of the area, sides between 3:4 and 4:3 (to each other as in the picture), anywhere."""
    share = generator.uniform(*area)
    stretch = np.exp(generator.uniform(np.log(3 / 4), np.log(4 / 3)) / 2)
    width, height = min(1.0, np.sqrt(share) * stretch), min(1.0, np.sqrt(share) / stretch)
    return Box(generator.uniform(0, 1 - width), generator.uniform(0, 1 - height), width, height)


def squares(width: int, height: int, count: int) -> list[Box]:
    """The largest square in the middle of a picture, or ``count`` of 3: at both ends of its longer side too.

    In a square picture they are equal.
    """
    side = min(width, height)
    spare = Box((width - side) / width, (height - side) / height, side / width, side / height)
    return [spare._replace(x=spare.x * place, y=spare.y * place) for place in ((0.5,) if count == 1 else (0, 0.5, 1))]


def to_pixels(crop: Box, width: int, height: int) -> Box:
    """The crop of a picture in pixels, rounded to whole ones, at least one."""
    left, top = min(int(crop.x * width + 0.5), width - 1), min(int(crop.y * height + 0.5), height - 1)
    right, bottom = int((crop.x + crop.width) * width + 0.5), int((crop.y + crop.height) * height + 0.5)
    return Box(left, top, max(1, right - left), max(1, bottom - top))


def video_box(keypoints_TVC: np.ndarray, width: int | None, height: int | None, margin: float) -> Box:
    """The box of a clip's stored rgb frames in its source video, in pixels with whole numbers at pixel centres.

    The frames are crops by ``videos.reading.person_box`` of all keypoints (T, V, 3). That box counts whole pixels, so
    it begins half a pixel before the centre of its first pixel. Raises ``UnusableClip`` if there is no such box.
    """
    cut = person_box(keypoints_TVC, width, height, margin)
    return Box(cut.x - 0.5, cut.y - 0.5, cut.width, cut.height)


def person_square(keypoints_TVC: np.ndarray) -> Box:
    """The square about all that was found of a person in a clip, with a margin, in pixels (PoseConv3D's PoseCompact).

    The box of all present points, a quarter longer and wider, then enlarged to a square. It may reach beyond the image.
    Where nothing was found it is of no matter, and of size 1.
    """
    points_N2 = keypoints_TVC[present(keypoints_TVC)][:, :2]
    if not len(points_N2):
        return WHOLE
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
    """The part of each frame inside a box of whole pixels, resized to (T, size, size, C), in the frames' dtype."""
    cut_THWC = frames_THWC[:, box.y : box.y + box.height, box.x : box.x + box.width]
    shrinks = max(cut_THWC.shape[1:3]) > size
    method = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
    resized = [cv2.resize(frame, (size, size), interpolation=method) for frame in cut_THWC]
    return np.stack(resized).reshape(len(frames_THWC), size, size, -1)
