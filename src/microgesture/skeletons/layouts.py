"""Layouts: the names of the points in a file of keypoints, from the tables of the package or of the user."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache, cached_property
from typing import Any, NamedTuple

import numpy as np

from ..config.layouts import LAYOUT_NAMES, LayoutTable, shipped_layout
from ..errors import UnusableClip
from .spelling import spelled

OWN = "own"  # the name of a layout that is not in the package


def mirrored_name(name: str) -> str:
    """Return the name of the joint on the other side of the body; a joint on the midline keeps its name."""
    side, _, rest = name.partition(" ")
    return f"{ {'left': 'right', 'right': 'left'}[side] } {rest}".strip() if side in ("left", "right") else name


@dataclass(frozen=True)
class Layout:
    """The points of a kind of keypoint file: those of its ``table`` that have a name, and the means of some of them."""

    name: str
    table: LayoutTable

    @property
    def title(self) -> str:
        """The layout in messages."""
        return self.table.title

    @cached_property
    def names(self) -> tuple[str, ...]:
        """The names of the points of a ``Skeleton`` in this layout."""
        return self.table.names

    @property
    def points(self) -> int:
        """The number of points in a file."""
        return len(self.table.in_order)

    @cached_property
    def _named(self) -> list[int]:
        return [place for place, name in enumerate(self.table.in_order) if name]

    def named(self, keypoints: np.ndarray) -> np.ndarray:
        """Return the points that have names, (..., names, C), of all points of a file, with the means appended.

        The confidence of a mean is the lowest of its points; it is all zero if one of them is missing.
        """
        if len(self._named) == self.points and not self.table.means:
            return keypoints
        named = keypoints[..., self._named, :]
        means = [named[..., [self.names.index(name) for name in of], :] for of in self.table.means.values()]
        return np.concatenate([named, *map(_mean, means)], -2)

    def __reduce__(self) -> tuple:
        return layout_of, (self.table if self.name == OWN else self.name,)  # a short message between processes


def _mean(points: np.ndarray) -> np.ndarray:
    """Return the mean (..., 1, C) of points (..., V, C)."""
    confidence = 2 if points.shape[-1] == 6 else -1  # of points in pixels and in space, pixels come first
    mean = points.mean(-2, keepdims=True)
    mean[..., confidence] = points[..., confidence].min(-1, keepdims=True)
    places = np.delete(points, confidence, -1)
    found = (points[..., confidence] > 0).all(-1) & (places != 0).any(-1).all(-1)
    return np.where(found[..., None, None], mean, 0).astype(points.dtype)


class Skeleton(NamedTuple):
    """The keypoints of a recording, float32 (T, V, 3 or 6), see ``keypoints``, and the layout that names its points.

    ``projected`` is true for points in space without pixels, of which x and y are a view from the front.
    """

    keypoints_TVC: np.ndarray
    layout: Layout
    projected: bool = False

    @property
    def length(self) -> int:
        """The number of frames."""
        return len(self.keypoints_TVC)

    def converted(self, convert: Callable[[np.ndarray], np.ndarray]) -> "Skeleton":
        """Return it with other keypoints."""
        return self._replace(keypoints_TVC=convert(self.keypoints_TVC))


@cache
def layout_named(name: str) -> Layout:
    """Return a layout of the package."""
    return Layout(name, shipped_layout(name))


def layout_of(choice: str | LayoutTable) -> Layout:
    """Return the layout that a configuration names or defines."""
    return layout_named(choice) if isinstance(choice, str) else Layout(OWN, choice)


def layout_of_file(
    points: int, names: tuple[str, ...] | None, told: str | LayoutTable | None, in_space: bool
) -> Layout:
    """Return the layout of a file with so many points and, if it has them, their names.

    ``told`` is the layout in the settings of its corpus; it must agree. Without it the names decide, and without names
    the number of points. Raises ``UnusableClip`` if the file contradicts ``told`` or itself, or if nothing decides.
    """
    if names is not None and len(names) != points:
        raise UnusableClip(f"it has {len(names)} names for {points} points; give each point a name")
    if told is None:
        return layout_by_number(points, in_space) if names is None else layout_by_names(names)
    layout = layout_of(told)
    if layout.points != points:
        raise UnusableClip(f"it has {points} points, but keypoints.layout, {layout.title}, has {layout.points}")
    if names is not None and not _has_names(layout, tuple(map(spelled, names))):
        differing = next(pair for pair in zip(names, layout.table.in_order, strict=True) if spelled(pair[0]) != pair[1])
        raise UnusableClip(
            f"its point '{differing[0]}' is '{differing[1]}' in keypoints.layout, {layout.title}; correct one of them"
        )
    return layout


def _has_names(layout: Layout, plain: tuple[str, ...]) -> bool:
    return plain in (layout.table.in_order, tuple(map(spelled, layout.table.spelled)))


def layout_by_names(names: tuple[str, ...]) -> Layout:
    """Return the layout of a file that has the names of its points, in any usual spelling."""
    plain = tuple(map(spelled, names))
    for layout in map(layout_named, LAYOUT_NAMES):
        if _has_names(layout, plain):
            return layout
    if repeated := [name for name in plain if plain.count(name) > 1]:
        raise UnusableClip(f"two of its points have the name '{repeated[0]}'; rename one of them")
    return Layout(OWN, LayoutTable(title="the names in the files", points=plain))


def layout_by_number(points: int, in_space: bool) -> Layout:
    """Return the only layout with so many points; in space, only those of depth sensors count.

    Raises ``UnusableClip`` if there is none, or several with other names.
    """
    fitting = [layout for layout in map(layout_named, LAYOUT_NAMES) if layout.points == points]
    if in_space:
        fitting = [layout for layout in fitting if layout.table.depth_sensor]
    remedy = "set keypoints.layout of the corpus to the layout of its files, or to a yaml file with the names"
    if not fitting:
        known = ", ".join(f"{layout.name} ({layout.points})" for layout in map(layout_named, LAYOUT_NAMES))
        raise UnusableClip(f"{points} points alone do not tell their names; {remedy}. The layouts are {known}")
    if len({layout.names for layout in fitting}) > 1:
        raise UnusableClip(f"{points} points may be {' or '.join(layout.name for layout in fitting)}; {remedy}")
    return fitting[0]


def note_of(layout: Layout) -> dict[str, Any]:
    """What a shard of skeletons stores about a recording: the name of its layout, or the table of another layout."""
    return {"layout": layout.table.model_dump(mode="json") if layout.name == OWN else layout.name}


def stored_layout(told: Mapping[str, Any]) -> Layout:
    """Return the layout that ``note_of`` describes."""
    layout = told["layout"]
    return layout_of(layout if isinstance(layout, str) else LayoutTable.model_validate(layout))
