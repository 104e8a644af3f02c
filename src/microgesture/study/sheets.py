"""Reading tables: text with separators, and the sheets of workbooks, as rows of texts with their numbers."""

import re
import zipfile
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from ..errors import InputError
from ..skeletons.files.workbook import valueless_cells, xlsx_sheets
from ..storage.csv_files import csv_rows
from .annotations.record import Line, Note

TEXTS = (".csv", ".tsv", ".txt")
WORKBOOK = ".xlsx"
KEYPOINTS_WIDTH = 400  # columns; OpenPose's 137 points have 411, and a list of clips has far fewer
LONGEST_ROW = 2**20  # bytes
LARGEST = 2**26  # bytes; larger files are not tables of names and labels
MOST_CELLS = 2**24  # of a sheet
_DELIMITERS = (",", ";", "\t", " ")
_ROW_END, _CELL = re.compile(rb"</(?:\w+:)?row>"), re.compile(rb"<(?:\w+:)?c[\s/>]")


class Sheet(NamedTuple):
    """A table: its name for messages, what its recording may be called, and its rows in each possible reading.

    ``refused`` tells why a likely reading is missing, and ``notes`` what is odd about its cells.
    """

    name: str
    own: tuple[str, ...]
    readings: tuple[list[Line], ...]
    refused: str = ""
    notes: tuple[Note, ...] = ()


def is_table(path: Path) -> bool:
    """Whether a file may be a table of clips: text, or a workbook, unless its first row is long enough for keypoints.

    A damaged workbook counts as a table, so that reading it tells what is wrong.
    """
    if path.suffix.lower() != WORKBOOK:
        return path.suffix.lower() in TEXTS
    try:
        return _first_width(path) < KEYPOINTS_WIDTH
    except (OSError, ValueError, zipfile.BadZipFile):
        return True


def _first_width(path: Path) -> int:
    """The number of cells in the first row of a workbook, without reading the others."""
    with zipfile.ZipFile(path) as archive:
        sheet = min(name for name in archive.namelist() if re.fullmatch(r"xl/worksheets/[^/]+\.xml", name))
        with archive.open(sheet) as part:
            start = part.read(LONGEST_ROW)
    return len(_CELL.findall(_ROW_END.split(start, 1)[0]))


def read_sheets(folder: Path, table: PurePosixPath) -> list[Sheet]:
    """The sheets of a table that are not empty; text has one sheet, with a reading for each separator.

    Raises ``InputError``, ``UnusableClip`` or ``OSError`` if the file cannot be read.
    """
    if table.suffix.lower() == WORKBOOK:
        sheets = xlsx_sheets(folder / table, LARGEST, MOST_CELLS)
        notes = _notes_of(valueless_cells(folder / table))
        filled = {name: lines for name, rows in sheets.items() if (lines := _lines(rows))}
        return [
            Sheet(
                str(table) if len(filled) == 1 else f"{table} (sheet {name})",
                (name, table.stem),
                (lines,),
                notes=() if number else notes,
            )
            for number, (name, lines) in enumerate(filled.items())
        ]
    if (size := (folder / table).stat().st_size) > LARGEST:
        raise InputError(f"{table} has {size} bytes, more than the limit of {LARGEST} for a table")
    readings, refused = [], {}
    for delimiter in _DELIMITERS:
        try:
            if lines := list(csv_rows(folder / table, delimiter)):
                readings.append(lines)
        except InputError as error:
            refused[delimiter] = error
    if not readings and refused:
        raise next(iter(refused.values()))
    if not readings:
        return []
    first = " ".join(readings[0][0][1])
    likely = next((refused[delimiter] for delimiter in ",;\t" if delimiter in first and delimiter in refused), "")
    return [
        Sheet(
            str(table),
            (table.stem,),
            tuple(readings),
            likely and f"it cannot be read ({likely})".replace(f"{folder}/", ""),
        )
    ]


def _notes_of(valueless: list[str]) -> tuple[Note, ...]:
    text = (
        "{} cells count as empty, because they are errors such as #N/A, or formulas that were never computed; correct "
        "them in a spreadsheet program and save the workbook"
    )
    return (Note(text, (len(valueless),), f"the first is {valueless[0]}"),) if valueless else ()


def _lines(rows: list[list]) -> list[Line]:
    texts = ([_text(cell) for cell in cells] for cells in rows)
    return [(number, cells) for number, cells in enumerate(texts, 1) if any(cells)]


def _text(cell: object) -> str:
    """The text of a cell in a workbook: 3, not 3.0."""
    return str(int(cell)) if isinstance(cell, float) and cell.is_integer() else str(cell).strip()
