"""Tables as a page shows them: what a cell says, what it is sorted by, and how long the bar behind it is."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd


@dataclass(frozen=True)
class Column:
    """A column of a frame, ``name``, under ``title``; ``hint`` is said when one points at the title.

    ``form`` formats numbers and is empty for text. With ``bar`` the number has a bar behind it, of the share ``bar`` is
    1 of. With ``interval`` the columns ``<name>_low`` and ``<name>_high`` stand behind it in brackets.
    """

    name: str
    title: str
    form: str = ""
    hint: str = ""
    bar: float | None = None
    interval: bool = False


@dataclass(frozen=True)
class Cell:
    """What is shown, what it is sorted by where that is a number, and the bar's share in [0, 1], if it has one."""

    shown: str
    value: float | None = None
    share: float | None = None


@dataclass(frozen=True)
class Table:
    """Columns and rows of cells; ``marked`` are the numbers of rows that stand out."""

    columns: Sequence[Column]
    rows: Sequence[Sequence[Cell]]
    marked: frozenset[int] = frozenset()


def make_table(frame: pd.DataFrame, columns: Sequence[Column], marked: Sequence[bool] = ()) -> Table:
    """The columns of a frame, as they are to be shown; an empty cell where there is no number or text."""
    rows = [[_cell(line, column) for column in columns] for line in frame.to_dict("records")]
    return Table(columns, rows, frozenset(np.flatnonzero(np.array(marked, bool)).tolist()))


def _cell(line: dict, column: Column) -> Cell:
    value = line[column.name]
    if pd.isna(value):
        return Cell("")
    if not column.form:
        return Cell(str(value))
    shown = column.form.format(value)
    if column.interval and not pd.isna(line[f"{column.name}_low"]):
        low, high = (column.form.format(line[f"{column.name}_{end}"]) for end in ("low", "high"))
        shown += f" [{low}, {high}]"
    share = None if column.bar is None else round(min(max(value / column.bar, 0), 1), 4) if column.bar else 0.0
    return Cell(shown, round(float(value), 6), share)
