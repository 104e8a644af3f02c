"""MediaPipe Holistic's points in the order of OpenPose-137; ``tables/mediapipe.json`` has the reason for each."""

import json
from collections.abc import Mapping
from functools import lru_cache
from importlib.resources import files
from typing import NamedTuple

import numpy as np

from ..skeletons.keypoints import present
from ..skeletons.layouts import layout_named

LAYOUT = layout_named("openpose_137")
NAMES = LAYOUT.names
SIZES = {"pose": 33, "face": 478, "left hand": 21, "right hand": 21}  # points of each of MediaPipe's parts


class Origin(NamedTuple):
    """The source of a point of OpenPose: the mean of points ``of`` a ``part`` of MediaPipe; None: it has no source."""

    name: str
    part: str | None
    of: tuple[int, ...]
    why: str


@lru_cache(maxsize=1)
def origins() -> tuple[Origin, ...]:
    """Read the table: one row for each point of OpenPose-137, in its order."""
    table = json.loads(files("microgesture").joinpath("tables/mediapipe.json").read_text(encoding="utf-8"))
    return tuple(Origin(row["name"], row["part"], tuple(row["of"]), row["why"]) for row in table["points"])


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
