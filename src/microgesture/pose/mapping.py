"""MediaPipe Holistic's points in the order of OpenPose-137: points of the same name in both layouts."""

from collections.abc import Mapping
from functools import cache
from typing import NamedTuple

import numpy as np

from ..skeletons.files.landmark_csv import HOLISTIC
from ..skeletons.keypoints import present
from ..skeletons.layouts import layout_named

LAYOUT = layout_named("openpose_137")
NAMES = LAYOUT.names
IRISES = {"right pupil": 468, "left pupil": 473}  # their centres, which only the refined mesh has
_REFINED = 10  # points of the refined mesh after those of the layout
# Points of each of MediaPipe's parts.
SIZES = {part.replace("_", " "): count + _REFINED * (part == "face") for part, (_, count) in HOLISTIC.items()}


class Origin(NamedTuple):
    """The source of a point of OpenPose: the mean of points ``of`` a ``part`` of MediaPipe; None: it has no source."""

    name: str
    part: str | None
    of: tuple[int, ...]


@cache
def origins() -> tuple[Origin, ...]:
    """Return the source of each point of OpenPose-137, in its order."""
    table = layout_named("mediapipe_holistic").table
    places = {name: place for place, name in enumerate(table.in_order) if name}
    return tuple(_origin(name, [places.get(one) for one in table.means.get(name, (name,))]) for name in NAMES)


def _origin(name: str, places: list[int | None]) -> Origin:
    if name in IRISES:
        return Origin(name, "face", (IRISES[name],))
    if None in places:
        return Origin(name, None, ())
    part, first = next((part, first) for part, (first, count) in HOLISTIC.items() if first <= places[0] < first + count)
    return Origin(name, part.replace("_", " "), tuple(place - first for place in places))


def in_openpose_order(parts: Mapping[str, np.ndarray]) -> np.ndarray:
    """Convert MediaPipe's parts, named as in SIZES, to keypoints float32 (T, 137, 3) in OpenPose's order.

    The values are x, y in pixels and confidence in 0..1. Each part is (T, V, 3) with the same values; a point that was
    not found is (0, 0, 0). The confidence of a mean of points is the lowest of theirs; the mean is missing if one of
    the points is missing. Points without a source in MediaPipe are always missing.
    """
    T = len(parts["pose"])
    keypoints_TVC = np.zeros((T, len(NAMES), 3), np.float32)
    for position, origin in enumerate(origins()):
        if origin.part is None:
            continue
        sources_TVC = parts[origin.part][:, origin.of]
        found_T = present(sources_TVC).all(1)
        keypoints_TVC[found_T, position, :2] = sources_TVC[found_T, :, :2].mean(1)
        keypoints_TVC[found_T, position, 2] = sources_TVC[found_T, :, 2].min(1)
    return keypoints_TVC
