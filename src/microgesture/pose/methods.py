"""The methods that find keypoints, by name."""

import importlib.util
from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path
from typing import NamedTuple

import numpy as np

from ..config.pose import POSE_METHODS, PoseMethod
from ..errors import InputError
from ..machine.extras import install_hint

Spans = list[tuple[int, int]]  # first and last frames, from 0, the last included
# Takes a video and spans, and yields each frame of the spans, once and in order, as (index, keypoints): float32 (V, 3)
# of a method that follows one person, or (P, V, 3) of one that finds all people.
Finder = Callable[[Path, Spans], Iterator[tuple[int, np.ndarray]]]


class Pose(NamedTuple):
    """How keypoints are found: the name of a method, and the folder of its networks (None: the published ones)."""

    name: str
    weights: str | None = None

    @property
    def method(self) -> PoseMethod:
        """The declaration of the method."""
        return POSE_METHODS[self.name]


def weight_files(folder: str | None) -> list[Path]:
    """Return the files of the networks in a folder of the user; none if the published networks are used."""
    return sorted(Path(folder).glob("*.onnx")) if folder else []


def missing_packages(method: PoseMethod) -> str | None:
    """Return what to install for a method, or None if it is installed."""
    if all(importlib.util.find_spec(package) for package in method.packages):
        return None
    return f"needs packages that are not installed: {install_hint(method.extra)}"


def require(pose: Pose) -> None:
    """Raise ``InputError`` if the packages of a method are not installed."""
    if (missing := missing_packages(pose.method)) is not None:
        raise InputError(f"finding keypoints with {pose.method.title} {missing}")


def finder(pose: Pose) -> Finder:
    """Return the function that finds keypoints; call it in a separate process. Raises ``InputError`` if it cannot."""
    require(pose)
    return import_module(pose.method.module).finder(pose.weights)
