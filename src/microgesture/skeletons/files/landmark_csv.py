"""Tables of landmarks with column names: one row for each joint of a frame, or one row for each frame.

* tidy: ``frame, joint, x, y`` and optionally ``z``, ``confidence`` and ``person``;
* MediaPipe's landmarks: ``frame, type, landmark_index, x, y, z``, with the types pose, face, left_hand and right_hand;
* wide: ``nose_x, nose_y, nose_confidence, ...``, or numbered: ``x0, y0, z0, visibility0, ...``.
"""

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from ...errors import InputError, UnusableClip
from ...storage.csv_files import csv_rows
from ..file_format import People
from .numbers import csv_header
from .whole import Found, HeadedCsv, Parsed, people_of

_FRAME = ("frame", "frame_id", "frame_number")
_JOINT = ("joint", "keypoint", "bodypart", "landmark", "point", "name")
_CONFIDENCE = ("confidence", "score", "likelihood", "visibility", "probability", "c", "v")
_PERSON = ("person", "person_id", "individual", "track", "track_id", "id")
_AXES = {"x": "x", "y": "y", "z": "z"} | dict.fromkeys(_CONFIDENCE, "c")
_WIDE = re.compile(rf"(?P<name>.+?)[ _.](?P<axis>{'|'.join(_AXES)})")
_NUMBERED = re.compile(rf"(?P<axis>{'|'.join(_AXES)})[ _.]?(?P<name>\d+)")
# The first point of each type in the layout mediapipe_holistic, and the number of its points.
HOLISTIC = {"pose": (0, 33), "face": (33, 468), "left_hand": (501, 21), "right_hand": (522, 21)}
_MOST = 1_000_000  # frames
FEWEST = 3  # joints of a wide table; one with fewer may be about something else


class _Cell(NamedTuple):
    """A joint in a frame: its row, the frame, the person or "", the joint, and x, y, z (NaN without) and confidence."""

    row: int
    frame: int
    own: str
    joint: str
    values: tuple[float, float, float, float]


class LandmarkCsv(HeadedCsv):
    """Any of the tables above; see the module."""

    name = "landmark_csv"

    def has_columns(self, columns: Sequence[str]) -> bool:
        return _kind(columns) is not None and not _is_light_hand(columns)

    def in_space(self, path: Path) -> bool:
        columns = csv_header(path)
        kind, axes = _kind(columns), [found["axis"] for column in columns if (found := _WIDE.fullmatch(column))]
        return (kind == "tidy" and "z" in columns) or (kind == "wide" and "z" in axes)

    def parse(self, path: Path) -> Parsed:
        try:
            return _parse(path)
        except InputError as error:  # of the reader of tables; here it concerns one file
            raise UnusableClip(str(error)) from None


def _parse(path: Path) -> Parsed:
    rows = csv_rows(path)
    _, columns = next(rows)
    columns = [column.lower() for column in columns]
    kind = _kind(columns)
    if kind == "mediapipe":
        return _mediapipe(path, list(_tidy(path, columns, rows, "landmark_index", "type")))
    cells = list(_tidy(path, columns, rows) if kind == "tidy" else _wide(path, columns, rows))
    names = tuple(dict.fromkeys(cell.joint for cell in cells))
    numbered = all(name.isdigit() for name in names)
    if numbered:
        names = tuple(sorted(names, key=int))
    people = _assembled(path, cells, {name: place for place, name in enumerate(names)})
    return Parsed(people, None if numbered else names)


def _kind(columns: Sequence[str]) -> str | None:
    named = set(columns)
    if {"type", "landmark_index", "x", "y"} <= named and named & set(_FRAME):
        return "mediapipe"
    if {"x", "y"} <= named and named & set(_FRAME) and named & set(_JOINT):
        return "tidy"
    ends: dict[str, set[str]] = {}
    for column in columns:
        if found := _axis(column):
            ends.setdefault(found["name"], set()).add(found["axis"])
    joints = [name for name, axes in ends.items() if {"x", "y"} <= axes]
    return "wide" if len(joints) >= FEWEST else None


def _is_light_hand(columns: Sequence[str]) -> bool:
    """Whether the columns are a number and 35 points that only have numbers, such as ``point0_x``."""
    found = [match for column in columns if (match := _axis(column))]
    return len(columns) == 106 and all(match["name"][-1].isdigit() for match in found)


def _axis(column: str) -> re.Match | None:
    return _NUMBERED.fullmatch(column) or _WIDE.fullmatch(column)


def _tidy(
    path: Path,
    columns: Sequence[str],
    rows: Iterator[tuple[int, list[str]]],
    joint: str | None = None,
    person: str | None = None,
) -> Iterator[_Cell]:
    def place(*names: str | None) -> int | None:
        return next((columns.index(name) for name in names if name in columns), None)

    frame, joint_at, own = place(*_FRAME), place(joint, *_JOINT), place(person, *_PERSON)
    axes = [place("x"), place("y"), place("z"), place(*_CONFIDENCE)]
    for row, cells in rows:
        if len(cells) != len(columns):
            raise UnusableClip(f"{path}, row {row}: {len(cells)} cells in {len(columns)} columns; correct the row")
        numbers = [np.nan if at is None else _number(path, row, columns[at], cells[at]) for at in axes]
        values = _joint(numbers, axes[2] is not None, axes[3] is not None)
        yield _Cell(row, _whole(path, row, cells[frame]), "" if own is None else cells[own], cells[joint_at], values)


def _wide(path: Path, columns: Sequence[str], rows: Iterator[tuple[int, list[str]]]) -> Iterator[_Cell]:
    joints: dict[str, dict[str, int]] = {}
    for at, column in enumerate(columns):
        if found := _axis(column):
            joints.setdefault(found["name"], {})[_AXES[found["axis"]]] = at
    joints = {name: axes for name, axes in joints.items() if {"x", "y"} <= set(axes)}
    numbered = all(name.isdigit() for name in joints)
    frame = next((columns.index(name) for name in _FRAME if name in columns), None)
    for number, (row, cells) in enumerate(rows):
        if len(cells) != len(columns):
            raise UnusableClip(f"{path}, row {row}: {len(cells)} cells in {len(columns)} columns; correct the row")
        at_frame = number if frame is None else _whole(path, row, cells[frame])
        for name, axes in joints.items():
            numbers = [_number(path, row, columns[axes[axis]], cells[axes[axis]]) if axis in axes else np.nan
                       for axis in ("x", "y", "z", "c")]  # fmt: skip
            # The depth of MediaPipe's numbered landmarks is relative and in other units than x and y.
            values = _joint(numbers, "z" in axes and not numbered, "c" in axes)
            yield _Cell(row, at_frame, "", name, values)


def _joint(numbers: Sequence[float], deep: bool, confident: bool) -> tuple[float, float, float, float]:
    """Return x, y, z and confidence, all zero but for an absent z if one of them is missing."""
    x, y, z, confidence = numbers
    found = np.isfinite((x, y)).all() and (not deep or np.isfinite(z)) and (not confident or np.isfinite(confidence))
    if not found:
        return 0.0, 0.0, 0.0 if deep else np.nan, 0.0
    return x, y, z if deep else np.nan, confidence if confident else 1.0


def _mediapipe(path: Path, cells: Sequence[_Cell]) -> Parsed:
    """The points of the types that the table has; ``own`` is the type, and the relative depth is left out."""
    kinds = {cell.own for cell in cells}
    if unknown := sorted(kinds - set(HOLISTIC)):
        raise UnusableClip(f"{path}: type {unknown[0]!r} is not one of {', '.join(HOLISTIC)}; correct the column type")
    places = {
        (kind, str(number)): first + number for kind, (first, count) in HOLISTIC.items() for number in range(count)
    }
    placed = []
    for cell in cells:
        place = places.get((cell.own, cell.joint))
        if place is None and not (cell.own == "face" and cell.joint.isdigit() and int(cell.joint) < 478):
            raise UnusableClip(f"{path}, row {cell.row}: {cell.own} has no landmark {cell.joint!r}")
        if place is not None:
            placed.append(cell._replace(own="", joint=str(place), values=(*cell.values[:2], np.nan, cell.values[3])))
    count = 33 if kinds == {"pose"} else 543
    return Parsed(_assembled(path, placed, {str(place): place for place in range(count)}))


def _assembled(path: Path, cells: Sequence[_Cell], places: dict[str, int]) -> People:
    if not cells:
        raise UnusableClip(f"{path}: the table has no rows")
    base = 0 if any(cell.frame == 0 for cell in cells) else min(1, min(cell.frame for cell in cells))
    last = max(cell.frame for cell in cells) - base
    if min(cell.frame for cell in cells) < 0 or last > _MOST:
        raise UnusableClip(f"{path}: frames are from {min(cell.frame for cell in cells)} to {last}; count them from 0")
    deep = any(np.isfinite(cell.values[2]) for cell in cells)
    channels = (0, 1, 2, 3) if deep else (0, 1, 3)
    frames: list[dict[str, np.ndarray]] = [{} for _ in range(last + 1)]
    seen = set()
    for cell in cells:
        if (key := (cell.frame, cell.own, cell.joint)) in seen:
            raise UnusableClip(
                f"{path}, row {cell.row}: frame {cell.frame} has '{cell.joint}' twice; add a column person if these "
                "are two people"
            )
        seen.add(key)
        of_person = frames[cell.frame - base].setdefault(cell.own, np.zeros((len(places), len(channels)), np.float32))
        of_person[places[cell.joint]] = [cell.values[channel] for channel in channels]
    return people_of(path, [[Found(own, points_VC) for own, points_VC in frame.items()] for frame in frames])


def _number(path: Path, row: int, column: str, cell: str) -> float:
    if cell.lower() in ("", "nan", "na", "none", "null"):
        return np.nan
    try:
        if "_" not in cell:
            return float(cell)
    except ValueError:
        pass
    raise UnusableClip(f"{path}, row {row}, column {column}: {cell!r} is not a number")


def _whole(path: Path, row: int, cell: str) -> int:
    number = _number(path, row, "frame", cell)
    if not float(number).is_integer():
        raise UnusableClip(f"{path}, row {row}, column frame: {cell!r} is not the number of a frame")
    return int(number)
