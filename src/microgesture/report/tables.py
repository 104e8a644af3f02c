"""Tables as a page shows them: the text of a cell, its sort key, and the length of the bar beside it."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd


@dataclass(frozen=True)
class Column:
    """The column ``name`` of a data frame, shown under ``title``; ``hint`` is the tooltip of the title.

    ``form`` is the format of numbers and is empty for text. With ``bar``, a bar stands beside the number; ``bar`` is
    the value of a full bar. With ``interval``, the columns ``<name>_low`` and ``<name>_high`` follow in brackets. With
    ``link``, the text is a link to the address in that column.
    """

    name: str
    title: str
    form: str = ""
    hint: str = ""
    bar: float | None = None
    interval: bool = False
    link: str | None = None


@dataclass(frozen=True)
class Cell:
    """The text of a cell, the number that it is sorted by, the filled fraction of its bar in [0, 1], and its link."""

    shown: str
    value: float | None = None
    share: float | None = None
    link: str | None = None


@dataclass(frozen=True)
class Table:
    """Columns and rows of cells; ``marked`` are the indices of the rows in bold. ``frame`` has the values."""

    columns: Sequence[Column]
    rows: Sequence[Sequence[Cell]]
    marked: frozenset[int]
    frame: pd.DataFrame


def make_table(frame: pd.DataFrame, columns: Sequence[Column], marked: Sequence[bool] = ()) -> Table:
    """Make a table of columns of a data frame; missing values become empty cells."""
    rows = [[_cell(line, column) for column in columns] for line in frame.to_dict("records")]
    ends = [
        f"{column.name}{end}" for column in columns for end in (("", "_low", "_high") if column.interval else ("",))
    ]
    return Table(columns, rows, frozenset(np.flatnonzero(np.array(marked, bool)).tolist()), frame[ends])


def _cell(line: dict, column: Column) -> Cell:
    value = line[column.name]
    if pd.isna(value):
        return Cell("")
    if not column.form:
        return Cell(str(value), link=line[column.link] if column.link else None)
    shown = column.form.format(value)
    if column.interval and not pd.isna(line[f"{column.name}_low"]):
        low, high = (column.form.format(line[f"{column.name}_{end}"]) for end in ("low", "high"))
        shown += f" [{low}, {high}]"
    share = None if column.bar is None else round(min(max(value / column.bar, 0), 1), 4) if column.bar else 0.0
    return Cell(shown, round(float(value), 6), share)
