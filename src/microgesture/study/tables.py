"""Labels, subjects and splits from tables beside the clips: text with separators, lists, and workbooks."""

import re
import zipfile
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from ..corpora.listing import known_split, split_named
from ..errors import InputError, UnusableClip
from ..skeletons.files.workbook import xlsx_rows
from ..storage.csv_files import csv_rows
from ..storage.names import composed
from .clips import FoundClip
from .parts import Borders, Ruler, find_borders

TEXTS = (".csv", ".tsv", ".txt")
WORKBOOK = ".xlsx"
KEYPOINTS_WIDTH = 400  # columns; OpenPose's 137 points have 411, and a list of clips has far fewer
LONGEST_ROW = 2**20  # bytes
LARGEST = 2**26  # bytes; larger files are not tables of names and labels
_DELIMITERS = (",", ";", "\t", " ")
_COLUMNS = {
    "label": ("label", "labels", "class", "gesture", "category", "action", "word", "sign",
              "annotation", "behavior", "behaviour"),
    "subject": ("subject", "person", "participant", "signer", "user", "actor"),
    "split": ("split", "set", "subset", "partition"),
}  # fmt: skip
_KIND_OF_VALUE = re.compile(r"_(?:id|name|label|code|number|no|value)$")
_ROW_END, _CELL = re.compile(rb"</(?:\w+:)?row>"), re.compile(rb"<(?:\w+:)?c[\s/>]")

Names = dict[str, int]  # the possible names of a clip, and its number


class _Row(NamedTuple):
    """A row of a table: the number of its clip, its cells, and its values of label, subject and split."""

    clip: int | None
    cells: list[str]
    values: dict[str, str]


def clip_names(clips: Sequence[FoundClip]) -> Names:
    """The number of the clip for each path, file name and name that belongs to only one clip."""
    found: dict[str, int | None] = {}
    for number, clip in enumerate(clips):
        texts = {clip.name}
        for path in clip.files:
            texts |= {composed(text) for text in (str(path), str(path.with_suffix("")), path.name, path.stem)}
        for text in texts:
            found[text] = number if text not in found else None
    return {text: number for text, number in found.items() if number is not None}


def is_table(path: Path) -> bool:
    """Whether a file may be a table of clips: text, or a workbook whose first row is too short for keypoints."""
    if path.suffix != WORKBOOK:
        return path.suffix.lower() in TEXTS
    try:
        return _first_width(path) < KEYPOINTS_WIDTH
    except (OSError, ValueError, zipfile.BadZipFile):
        return False


def _first_width(path: Path) -> int:
    """The number of cells in the first row of a workbook, without reading the others."""
    with zipfile.ZipFile(path) as archive:
        sheet = min(name for name in archive.namelist() if re.fullmatch(r"xl/worksheets/[^/]+\.xml", name))
        with archive.open(sheet) as part:
            start = part.read(LONGEST_ROW)
    return len(_CELL.findall(_ROW_END.split(start, 1)[0]))


def read_table(
    folder: Path, table: PurePosixPath, clips: Sequence[FoundClip], names: Names
) -> tuple[list[FoundClip], list[str], set[str]]:
    """The clips with the values of a table in ``folder``, messages about it, and the columns that it has for them.

    The column with the most ``names`` of clips (ids, file names or paths) identifies them. If there are only two
    columns, the other one has the labels. A file name with a split, such as ``train_list.txt``, gives the split.
    Rows with a start and an end are parts of their clip; if no column names clips, the file name of the table gives the
    clip. A table without names of clips is ignored.
    """
    try:
        rows, found = _named_rows(folder, table, names)
    except (InputError, UnusableClip, OSError) as error:
        return list(clips), [f"{error}. The table is ignored."], set()
    if not found:
        return list(clips), [], set()
    counts = [sum(clip is not None for clip in column) for column in found]
    named = counts.index(max(counts))
    header = found[named][0] is None
    columns = _told_columns(rows[0], named) if header else {}
    borders = find_borders(rows) if header else None
    if not columns and not borders and len(found) == 2:
        columns = {"label": 1 - named}
    split = split_named(table.stem)
    if not columns and not borders and not split:
        return list(clips), [f"{table} names clips, but has no column label, subject or split."], set()
    own = split if "split" not in columns else None
    told = [
        _Row(clip, cells, _values(cells, columns, own))
        for clip, cells in list(zip(found[named], rows, strict=True))[header:]
    ]
    placed = [row for row in told if row.clip is not None]
    if borders:
        clips, used, notes = _with_parts(folder, list(clips), placed, borders, table)
    else:
        clips, used, notes = _with_values(list(clips), placed, table)
    keys = (*columns, *(["split"] if own else []))
    of_clips = {key: sum(key in row.values for row in used) for key in keys}
    if of_clips:
        told_of = ", ".join(f"the {key} of {count} clips" for key, count in of_clips.items())
        notes.insert(0, f"{table} has {told_of}.")
    if missing := len(told) - len(placed):
        notes.append(f"{missing} rows of {table} name no existing clip.")
    if odd := sum(bool(_cell(row.cells, columns.get("split"))) and "split" not in row.values for row in used):
        notes.append(f"{odd} rows of {table} have a split other than train, val, test.")
    return clips, notes, {key for key, count in of_clips.items() if count}


def _named_rows(folder: Path, table: PurePosixPath, names: Names) -> tuple[list[list[str]], list[list[int | None]]]:
    """The rows of a table, and for each column the clips that its cells name; empty if it names no clip.

    The separator of cells is the one that gives the most names of clips. A table with parts that names no clip gets an
    additional column with its own name.
    """
    readings = _readings(folder / table)
    owned = ([["", *rows[0]], *([table.stem, *cells] for cells in rows[1:])] for rows in readings if find_borders(rows))
    return _most_named(readings, table, names) or _most_named(owned, table, names) or ([], [])


def _most_named(
    readings: Iterable[list[list[str]]], table: PurePosixPath, names: Names
) -> tuple[list[list[str]], list[list[int | None]]] | None:
    best, most = None, (0, 0)
    for rows in readings:
        width = max(map(len, rows), default=0)
        found = [[_clip_of(cells[column], table, names) if column < len(cells) else None for cells in rows]
                 for column in range(width)]  # fmt: skip
        count = max((sum(clip is not None for clip in column) for column in found), default=0)
        if count and (count, width) > most:
            best, most = (rows, found), (count, width)
    return best


def _readings(path: Path) -> list[list[list[str]]]:
    """The rows of a table; for text, with each possible separator of cells."""
    if path.suffix == WORKBOOK:
        return [[[_text(cell) for cell in cells] for cells in xlsx_rows(path)]]
    if path.stat().st_size > LARGEST:
        return []
    readings, refused = [], []
    for delimiter in _DELIMITERS:
        try:
            readings.append([cells for _, cells in csv_rows(path, delimiter)])
        except InputError as error:
            refused.append(error)
    if not readings:
        raise refused[0]
    return readings


def _text(cell: object) -> str:
    """The text of a cell in a workbook: 3, not 3.0."""
    return str(int(cell)) if isinstance(cell, float) and cell.is_integer() else composed(str(cell)).strip()


def _cell(cells: Sequence[str], column: int | None) -> str:
    return cells[column] if column is not None and column < len(cells) else ""


def _values(cells: Sequence[str], columns: dict[str, int], split: str | None) -> dict[str, str]:
    """The values of a row; ``split`` is the split of the whole table, if it has one."""
    values = {key: _cell(cells, column) for key, column in columns.items()}
    if "split" in values:
        values["split"] = known_split(values["split"])
    if split:
        values["split"] = split
    return {key: value for key, value in values.items() if value and value.isprintable()}


def _with_values(
    clips: list[FoundClip], rows: Sequence[_Row], table: PurePosixPath
) -> tuple[list[FoundClip], list[_Row], list[str]]:
    """The clips with the values of their rows, the used rows, and messages about the others."""
    often = Counter(row.clip for row in rows)
    repeated = [clip for clip, count in often.items() if count > 1]
    used = [row for row in rows if often[row.clip] == 1]
    for row in used:
        clips[row.clip] = replace(clips[row.clip], **row.values)
    notes = []
    if repeated:
        notes.append(
            f"{table} has several rows for {len(repeated)} files, first for {clips[min(repeated)].name}; these rows "
            "are ignored. For parts of a file, the table needs the columns start and end."
        )
    return clips, used, notes


def _with_parts(
    folder: Path, clips: list[FoundClip], rows: Sequence[_Row], borders: Borders, table: PurePosixPath
) -> tuple[list[FoundClip], list[_Row], list[str]]:
    """The clips with the parts in rows, the used rows, and messages."""
    rulers: dict[int, Ruler] = {}
    used, troubles, unread = [], {}, 0
    for row in rows:
        if row.clip in troubles:
            continue
        clip = clips[row.clip]
        ruler = rulers.setdefault(row.clip, Ruler(folder / clip.video if clip.video else None))
        try:
            frames = ruler.frames(_cell(row.cells, borders.start), _cell(row.cells, borders.end), borders.unit)
        except UnusableClip as error:
            troubles[row.clip] = f"{table}, {clip.name}: {error}."
            continue
        if frames is None:
            unread += 1
            continue
        part = replace(clip, frames=frames, parts=(), **{key: row.values.get(key) for key in _COLUMNS})
        clips[row.clip] = replace(clip, parts=(*clip.parts, part))
        used.append(row)
    notes = list(troubles.values())
    if used:
        counted = (
            "in frames from 0, including the last" if borders.unit == "frames" else f"in {borders.unit} of their videos"
        )
        notes.insert(0, f"{table} has {len(used)} parts of {len({row.clip for row in used})} files, {counted}.")
    if unread:
        notes.append(f"{unread} rows of {table} have no valid start and end, and are ignored.")
    return clips, used, notes


def _clip_of(text: str, table: PurePosixPath, names: Names) -> int | None:
    written = text.replace("\\", "/").removeprefix("./")
    tried = (written, composed(str(table.parent / written)), PurePosixPath(written).name)
    return next((names[name] for name in tried if name in names), None)


def _told_columns(header: list[str], named: int) -> dict[str, int]:
    lowered = [_KIND_OF_VALUE.sub("", re.sub(r"\W+", "_", cell.lower())) for cell in header]
    found = {}
    for key, spellings in _COLUMNS.items():
        column = next((lowered.index(name) for name in spellings if name in lowered), None)
        if column is not None and column != named:
            found[key] = column
    return found
