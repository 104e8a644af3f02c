"""DeepLabCut's csv of an analysed video, with the rows ``scorer``, ``individuals``, ``bodyparts`` and ``coords``."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ...errors import UnusableClip
from .numbers import csv_cells, read_numbers
from .whole import Found, HeadedCsv, Parsed, people_of

_HEADS = ("scorer", "individuals", "bodyparts", "coords")


class DeepLabCutCsv(HeadedCsv):
    """Each row has a frame number, then x, y and likelihood of each body part; empty cells are missing."""

    name = "deeplabcut_csv"

    def has_columns(self, columns: Sequence[str]) -> bool:
        return columns[:1] == [_HEADS[0]]

    def parse(self, path: Path) -> Parsed:
        rows = list(csv_cells(path))
        heads = {row[0]: row[1:] for row in rows[: len(_HEADS)] if row and row[0] in _HEADS}
        if not {"bodyparts", "coords"} <= set(heads):
            raise UnusableClip(f"{path}: the rows bodyparts and coords are missing; export the csv again")
        owners = heads.get("individuals", [""] * len(heads["bodyparts"]))
        if len({len(owners), len(heads["bodyparts"]), len(heads["coords"])}) > 1:
            raise UnusableClip(f"{path}: its first rows have different numbers of columns; export the csv again")
        columns = list(zip(owners, heads["bodyparts"], heads["coords"], strict=True))
        rows_TN = read_numbers(path, rows[len(heads) :], 1 + len(columns), "a frame number and the coords")
        return parsed(path, columns, rows_TN[:, 0], rows_TN[:, 1:])


def parsed(path: Path, columns: Sequence[tuple[str, str, str]], frames_T: np.ndarray, values_TN: np.ndarray) -> Parsed:
    """Return the people of a table of DeepLabCut, whose columns are of an individual, a body part and a coordinate.

    ``frames_T`` are the numbers of the frames. Raises ``UnusableClip`` if frames are missing or not in order.
    """
    if not np.array_equal(frames_T, frames_T[:1] + np.arange(len(frames_T))):
        raise UnusableClip(f"{path}: frames are missing, or not in order; export it again")
    places = {column: place for place, column in enumerate(columns)}
    names = tuple(dict.fromkeys(name for _, name, _ in columns))
    people = {own: _points(values_TN, [[places.get((own, name, axis)) for axis in ("x", "y", "likelihood")]
                                       for name in names]) for own, _, _ in columns}  # fmt: skip
    there = [[Found(own, points_TVC[t]) for own, points_TVC in people.items()] for t in range(len(frames_T))]
    return Parsed(people_of(path, there), names)


def _points(values_TN: np.ndarray, columns: list[list[int | None]]) -> np.ndarray:
    """The points of one individual, (T, V, 3), zero where a cell is empty or the individual lacks the body part."""
    points_TVC = np.zeros((len(values_TN), len(columns), 3), np.float32)
    for joint, places in enumerate(columns):
        if None not in places:
            points_TVC[:, joint] = values_TN[:, places]
    points_TVC[~np.isfinite(points_TVC).all(-1)] = 0
    return points_TVC
