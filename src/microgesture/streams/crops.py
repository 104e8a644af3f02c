"""Crops: the part of a picture that is used, in fractions of the picture, for frames and for keypoints."""

from typing import NamedTuple

import cv2
import numpy as np

from ..skeletons.keypoints import present
from ..videos.person_box import person_box

PERSON_MARGIN = 0.25  # added to the person's extent, as in PoseConv3D's PoseCompact
ATTEMPTS = 10  # at a random crop that fits into the picture
SMALLEST_PERSON = 10  # pixels; the sides of a smaller box are not rounded


class Box(NamedTuple):
    """A box in a picture: left, top, width and height, in pixels or in fractions of the picture."""

    x: float
    y: float
    width: float
    height: float

    def part(self, crop: "Box") -> "Box":
        """The part of this box inside a crop, which is given in fractions of this box."""
        return Box(
            self.x + crop.x * self.width,
            self.y + crop.y * self.height,
            crop.width * self.width,
            crop.height * self.height,
        )


WHOLE = Box(0.0, 0.0, 1.0, 1.0)


def random_crop(area: tuple[float, float], generator: np.random.Generator, aspect: float = 1.0) -> Box:
    """A random crop of a picture: a random fraction of the area, at a random position (RandomResizedCrop).

    ``aspect`` is the picture's width divided by its height. The crop's is between 3:4 and 4:3. If a crop does not fit
    into the picture, another one is sampled. If ten crops do not fit, the largest square in the centre is used.
    """
    width, height = _random_size(area, aspect, generator)
    if max(width, height) > 1:
        # Other generators draw the further attempts, so that later draws do not depend on their number.
        again = (_random_size(area, aspect, other) for other in generator.spawn(ATTEMPTS - 1))
        width, height = next((size for size in again if max(size) <= 1), (0.0, 0.0))
    x, y = generator.random(2).tolist()
    if not width:
        return squares(aspect, 1, 1)[0]
    return Box(x * (1 - width), y * (1 - height), width, height)


def _random_size(area: tuple[float, float], aspect: float, generator: np.random.Generator) -> tuple[float, float]:
    """The width and height of a random crop, in fractions of those of the picture; they may exceed 1."""
    share = generator.uniform(*area)
    stretch = np.exp(generator.uniform(np.log(3 / 4), np.log(4 / 3)) / 2) / np.sqrt(aspect)
    return float(np.sqrt(share) * stretch), float(np.sqrt(share) / stretch)


def squares(width: float, height: float, count: int) -> list[Box]:
    """The largest square in the centre of a picture; with ``count`` 3 also those at both ends of its longer side.

    In a square picture all three are equal.
    """
    side = min(width, height)
    spare = Box((width - side) / width, (height - side) / height, side / width, side / height)
    return [spare._replace(x=spare.x * place, y=spare.y * place) for place in ((0.5,) if count == 1 else (0, 0.5, 1))]


def to_pixels(crop: Box, width: int, height: int) -> Box:
    """The crop of a picture in pixels, rounded to whole pixels, with sides of at least 1."""
    left, top = min(int(crop.x * width + 0.5), width - 1), min(int(crop.y * height + 0.5), height - 1)
    right, bottom = int((crop.x + crop.width) * width + 0.5), int((crop.y + crop.height) * height + 0.5)
    return Box(left, top, max(1, right - left), max(1, bottom - top))


def video_box(keypoints_TVC: np.ndarray, width: int | None, height: int | None, margin: float | None) -> Box:
    """The box of a clip's stored rgb frames in its source video, in pixels; integers are pixel centres.

    The frames were cropped by ``videos.person_box`` of all keypoints (T, V, 3). That box is in whole pixels, so
    it begins half a pixel before the centre of its first pixel. ``margin`` None stands for full frames. Raises
    ``UnusableClip`` if there is no such box.
    """
    cut = person_box(keypoints_TVC, width, height, margin)
    return Box(cut.x - 0.5, cut.y - 0.5, cut.width, cut.height)


def person_square(keypoints_TVC: np.ndarray) -> Box:
    """A square around a person in a clip, in pixels (PoseConv3D's PoseCompact).

    It is the bounding box of all present points, enlarged by a quarter and then to a square, whose sides are truncated
    to whole pixels. It may extend beyond the image. If no point is present, it is the unit square, and no result
    depends on it.
    """
    points_N2 = keypoints_TVC[present(keypoints_TVC)][:, :2]
    if not len(points_N2):
        return WHOLE
    low, high = points_N2.min(0), points_N2.max(0)
    side = float((high - low).max()) * (1 + PERSON_MARGIN) or 1.0
    corners_22 = (low + high) / 2 + np.array([[-side], [side]]) / 2
    if side >= SMALLEST_PERSON:
        corners_22 = np.trunc(corners_22)
    (x, y), (width, height) = corners_22[0].tolist(), (corners_22[1] - corners_22[0]).tolist()
    return Box(x, y, width, height)


def keypoints_in_box(keypoints_TVC: np.ndarray, box: Box) -> np.ndarray:
    """The keypoints with x and y in fractions of a box: (0, 0) is its upper left corner, (1, 1) its lower right."""
    placed_TVC = keypoints_TVC.astype(np.float32)
    placed_TVC[..., :2] = (placed_TVC[..., :2] - (box.x, box.y)) / (box.width, box.height)
    placed_TVC[~present(keypoints_TVC)] = 0
    return placed_TVC


def resize_part(frame_HWC: np.ndarray, box: Box, resized_HWC: np.ndarray) -> None:
    """Resize the part of a frame (H, W) or (H, W, C) inside a box of whole pixels into an array of its dtype or float.

    Only the part is converted.
    """
    cut_HWC = frame_HWC[box.y : box.y + box.height, box.x : box.x + box.width]
    height, width = resized_HWC.shape[:2]
    shrinks = box.height > height or box.width > width
    how = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
    cv2.resize(cut_HWC.astype(resized_HWC.dtype, copy=False), (width, height), dst=resized_HWC, interpolation=how)
