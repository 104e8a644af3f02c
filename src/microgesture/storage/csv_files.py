"""Strict reading of CSV files from users: errors name the file and the row, and no row is lost."""

import codecs
import csv
import io
import re
from collections.abc import Iterator
from pathlib import Path

import pandas as pd

from ..errors import InputError
from .names import composed

UTF_16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
_SEPARATOR = re.compile(r'\A"?sep=[^\r\n]"?(?=[\r\n])', re.IGNORECASE)  # a first row that tells Excel the separator
FORMULA = ("=", "+", "-", "@", "\t", "\r")  # beginnings of cells that a spreadsheet computes


def text_of(path: Path) -> str:
    """The text of a file in Unicode's form NFC, with its line ends unchanged.

    The file is in UTF-8, or in UTF-16 if it begins with its byte order mark, as "Unicode text" of Excel does. Raises
    ``InputError`` for other encodings.
    """
    data = path.read_bytes()
    try:
        return composed(data.decode("utf-16" if data.startswith(UTF_16) else "utf-8-sig"))
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: not a text file in UTF-8 ({error}); save it in UTF-8") from None


def csv_rows(path: Path, delimiter: str | None = None) -> Iterator[tuple[int, list[str]]]:
    """The rows of a CSV file as (line number from 1, stripped cells), without blank lines.

    Without a ``delimiter`` it is the comma, or if the first row has none, a semicolon or tab in it, as spreadsheets
    write where commas are decimal points. A first row such as ``sep=;`` is skipped. Rows of separators only are removed
    at the end of the file and kept elsewhere, since callers may count rows. Raises ``InputError`` for invalid quotes,
    and for a cell that spans several lines, because a stray quote would hide the rows that follow it.
    """
    text = _SEPARATOR.sub("", text_of(path))
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter or _delimiter(text), strict=True)
    line, empty = 1, []
    try:
        for cells in reader:
            if reader.line_num > line:
                raise InputError(f"{path}, row {line}: a quoted cell does not end in its row; correct the quotes")
            cells = [cell.strip() for cell in cells]
            if any(cells):
                yield from empty
                yield line, cells
                empty = []
            elif len(cells) > 1:
                empty.append((line, cells))
            line = reader.line_num + 1
    except csv.Error as error:
        raise InputError(f"{path}, row {line}: not readable as CSV ({error}); correct the quotes") from None


def _delimiter(text: str) -> str:
    first_row = re.split(r"[\r\n]", text.lstrip("\r\n"), maxsplit=1)[0]
    return next((mark for mark in ",;\t" if mark in first_row), ",")


def csv_table(path: Path) -> pd.DataFrame:
    """A CSV file with a header row, as a table of strings; empty cells are None.

    Raises ``InputError`` if two columns have the same name, or if a row is longer or shorter than the header.
    """
    rows = csv_rows(path)
    _, columns = next(rows, (1, []))
    if not columns:
        raise InputError(f"{path}: the file is empty; its first row must name the columns")
    refuse_repeated(path, columns)
    records = []
    for line, cells in rows:
        if len(cells) != len(columns):
            raise InputError(f"{path}, row {line}: {len(cells)} cells in {len(columns)} columns; correct the row")
        records.append([cell or None for cell in cells])
    return pd.DataFrame(records, columns=columns, dtype=object)


def without_formulas(table: pd.DataFrame) -> pd.DataFrame:
    """A table for people: an apostrophe precedes texts that a spreadsheet would compute (OWASP, CSV injection)."""
    return table.map(lambda cell: f"'{cell}" if isinstance(cell, str) and cell.startswith(FORMULA) else cell)


def refuse_repeated(path: Path, columns: list[str]) -> None:
    """Raise ``InputError`` if two columns have the same name; several columns without a name are allowed."""
    if repeated := [column for column in columns if column and columns.count(column) > 1]:
        raise InputError(f"{path}: {columns.count(repeated[0])} columns are named '{repeated[0]}'; keep one")
