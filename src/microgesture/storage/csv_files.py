"""Text tables that people hand in, read strictly: a damaged one is refused by file and row, and no row goes missing."""

import csv
import io
from collections.abc import Iterator
from pathlib import Path

import pandas as pd

from ..errors import InputError


def text_of(path: Path) -> str:
    """The text of a file in UTF-8, line ends as they are; raises ``InputError`` if it is something else."""
    try:
        return path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: not a text file in UTF-8 ({error}); save it as one") from None


def csv_rows(path: Path, delimiter: str = ",") -> Iterator[tuple[int, list[str]]]:
    """The rows of a csv file, as (line from 1, stripped cells), without blank lines and empty cells at its end.

    A row of separators alone before other rows is kept: something stood there, and rows may be counted. Raises
    ``InputError`` for quotes that make no sense, and for a cell over several lines, which is how a stray quote swallows
    the rows after it.
    """
    reader = csv.reader(io.StringIO(text_of(path), newline=""), delimiter=delimiter, strict=True)
    line, empty = 1, []
    try:
        for cells in reader:
            if reader.line_num > line:
                raise InputError(f"{path}, row {line}: a cell in quotes does not end in its row; mend the quotes")
            cells = [cell.strip() for cell in cells]
            if any(cells):
                yield from empty
                yield line, cells
                empty = []
            elif len(cells) > 1:
                empty.append((line, cells))
            line = reader.line_num + 1
    except csv.Error as error:
        raise InputError(f"{path}, row {line}: not readable as csv ({error}); mend the quotes") from None


def csv_table(path: Path) -> pd.DataFrame:
    """A csv file with a row of column names as a table of strings, None where a cell is empty.

    Raises ``InputError`` if a column has no name of its own or a row is longer or shorter than the first.
    """
    rows = csv_rows(path)
    _, columns = next(rows, (1, []))
    if not columns:
        raise InputError(f"{path}: the file is empty; its first row must name the columns")
    refuse_repeated(path, columns)
    records = []
    for line, cells in rows:
        if len(cells) != len(columns):
            raise InputError(f"{path}, row {line}: {len(cells)} cells in {len(columns)} columns; mend the row")
        records.append([cell or None for cell in cells])
    return pd.DataFrame(records, columns=columns, dtype=object)


def refuse_repeated(path: Path, columns: list[str]) -> None:
    """Raise ``InputError`` if two columns have the same name; columns without a name may be several."""
    if repeated := [column for column in columns if column and columns.count(column) > 1]:
        raise InputError(f"{path}: {columns.count(repeated[0])} columns are named '{repeated[0]}'; keep one")
