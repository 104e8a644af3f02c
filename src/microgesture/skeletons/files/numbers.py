"""Tables of numbers, one row for each frame: headers are detected and skipped, and every cell is checked."""

import csv
import itertools
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np

from ...errors import UnusableClip


def csv_cells(path: Path) -> Iterator[list[str]]:
    """Yield the rows of a csv file; raises ``UnusableClip`` if it is not one."""
    try:
        with open(path, newline="", encoding="utf-8-sig") as lines:
            yield from csv.reader(lines)
    except (csv.Error, UnicodeDecodeError) as error:
        raise UnusableClip(f"{path}: not a readable csv file ({error})") from None


def csv_header(path: Path) -> list[str]:
    """Return the names in the first row of a csv file, in lower case; empty if the file is not text."""
    try:
        with open(path, newline="", encoding="utf-8-sig") as lines:
            first = lines.readline(1 << 20)
    except (OSError, UnicodeDecodeError):
        return []
    mark = next((mark for mark in ",;\t" if mark in first), ",")
    try:
        return [cell.strip().lower() for cell in next(csv.reader([first], delimiter=mark), [])]
    except csv.Error:
        return []


def read_numbers(path: Path, rows: Iterable[list], columns: int, layout: str) -> np.ndarray:
    """Read the rows of a table, float32 (T, columns), NaN where a cell is empty.

    ``layout`` describes the columns in messages. Raises ``UnusableClip`` that names the file, the row and the column.
    """
    numbered = enumerate(rows, start=1)
    first = next(numbered, None)
    if first is None:
        raise UnusableClip(f"{path}: the file is empty")
    frames = [] if _is_header(first[1]) else [_numbers(path, *first, columns, layout)]
    frames += [_numbers(path, row, cells, columns, layout) for row, cells in numbered if cells]
    if not frames:
        raise UnusableClip(f"{path}: the file has no frames")
    return np.stack(frames)


def read_points(path: Path, rows: Iterable[list], points: int, numbering: int) -> np.ndarray:
    """Read rows of ``numbering`` columns of frame numbers, followed by x, y and confidence of each point."""
    layout = "x, y and confidence of each point" + (" after a frame number" if numbering else "")
    rows_TN = read_numbers(path, rows, numbering + 3 * points, layout)
    return rows_TN[:, numbering:].reshape(len(rows_TN), points, 3)


def _is_header(cells: list) -> bool:
    """Whether the first row has the names of the columns: words, or 0, 1, 2, ... as written by pandas."""
    filled = [cell for cell in cells if cell not in ("", None)]
    numbers = [_number(cell) for cell in filled]
    if all(number is None for number in numbers):
        return bool(filled)
    steps = [a is not None and b is not None and b - a == 1 for a, b in itertools.pairwise(numbers)]
    return len(steps) > 1 and all(steps)


def _numbers(path: Path, row: int, cells: list, columns: int, layout: str) -> np.ndarray:
    if len(cells) != columns:
        raise UnusableClip(f"{path}, row {row}: {len(cells)} columns, expected {columns} ({layout})")
    try:
        kinds = set(map(type, cells))
        # NumPy would read TRUE as 1 and 1_0 as 10.
        if bool not in kinds and not (str in kinds and "_" in "".join(map(str, cells))):
            return np.array(cells, np.float32)
    except (ValueError, TypeError, OverflowError):
        pass  # a cell is empty or not a number
    values = [np.nan if cell in ("", None) else _number(cell) for cell in cells]
    if None in values:
        column = values.index(None)
        raise UnusableClip(f"{path}, row {row}, column {column + 1}: {cells[column]!r} is not a number")
    return np.array(values, np.float32)


def _number(cell: object) -> float | None:
    if isinstance(cell, bool) or (isinstance(cell, str) and "_" in cell):  # float would read these as numbers
        return None
    try:
        return float(cell)
    except (TypeError, ValueError, OverflowError):
        return None
