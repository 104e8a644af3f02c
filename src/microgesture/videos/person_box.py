"""The box around the person in a clip, and frames that are cropped to it."""

from dataclasses import dataclass

import cv2
import numpy as np

from ..errors import UnusableClip


@dataclass(frozen=True)
class Box:
    """A rectangle of a frame in whole pixels: upper left corner ``x``, ``y`` and size; it may exceed the frame."""

    x: int
    y: int
    width: int
    height: int

    def resized(self, size: int) -> tuple[int, int]:
        """Return the width and height of the box after its shorter side is resized to ``size`` pixels."""
        scale = size / min(self.width, self.height)
        return round(self.width * scale), round(self.height * scale)


def person_box(keypoints_TVC: np.ndarray | None, width: int | None, height: int | None, margin: float | None) -> Box:
    """Return one square around the person for a whole clip, so that the crop does not move with the gesture.

    ``keypoints_TVC`` is (T, V, 3): x, y in pixels and confidence, (0, 0, 0) where missing. The box around all present
    points, limited to the frame, is enlarged by the fraction ``margin`` of its size on each side, and then to a square.
    Without two distinct points, or with ``margin`` None, the result is the full frame. ``width`` and ``height`` are the
    frame's, in pixels. If they are unknown (None), the box is not limited, and ``UnusableClip`` is raised if there are
    no points.
    """
    points_N2 = np.empty((0, 2))
    if keypoints_TVC is not None and margin is not None:
        present = np.isfinite(keypoints_TVC).all(-1) & (keypoints_TVC[..., 2] > 0)
        points_N2 = keypoints_TVC[present][:, :2].astype(np.float64)
    if width and height:
        points_N2 = points_N2.clip(0, (width, height))
    side = 0.0
    if len(points_N2):
        low, high = points_N2.min(0), points_N2.max(0)
        side = float((high - low).max()) * (1 + 2 * margin)
    if side > 0:
        corner = np.floor((low + high - side) / 2).astype(int)
        return Box(int(corner[0]), int(corner[1]), int(np.ceil(side)) + 1, int(np.ceil(side)) + 1)
    if not (width and height):
        raise UnusableClip("there are no keypoints to locate the person, and the size of the frame is unknown")
    return Box(0, 0, width, height)


def crop(frame_HWC: np.ndarray, box: Box, size: int) -> np.ndarray:
    """Cut the box out of a frame (H, W, ...), black outside the frame, and resize it to ``box.resized(size)``."""
    height, width = frame_HWC.shape[:2]
    left, top = max(box.x, 0), max(box.y, 0)
    right, bottom = min(box.x + box.width, width), min(box.y + box.height, height)
    if (left, top, right - left, bottom - top) == (box.x, box.y, box.width, box.height):
        cut = frame_HWC[top:bottom, left:right]
    else:
        cut = np.zeros((box.height, box.width, *frame_HWC.shape[2:]), frame_HWC.dtype)
        if right > left and bottom > top:
            inside = frame_HWC[top:bottom, left:right]
            cut[top - box.y : bottom - box.y, left - box.x : right - box.x] = inside
    shrinking = size < min(box.width, box.height)
    how = cv2.INTER_AREA if shrinking else cv2.INTER_LINEAR
    try:
        return cv2.resize(np.ascontiguousarray(cut), box.resized(size), interpolation=how)
    except cv2.error as error:
        if error.code == cv2.Error.StsNoMem:
            raise MemoryError(error.err) from None
        raise
