"""What tables that lie beside the clips tell of them: text with commas, semicolons or tabs, lists, and workbooks."""

import re
import zipfile
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path, PurePosixPath
from xml.parsers import expat

from ..corpora.listing import known_split, split_named
from ..errors import InputError, UnusableClip
from ..skeletons.reading import xlsx_rows
from ..storage.csv_files import csv_rows
from .clips import FoundClip

TEXTS = (".csv", ".tsv", ".txt")
WORKBOOK = ".xlsx"
KEYPOINTS_WIDTH = 400  # columns; OpenPose's 137 points are 411, and no list of clips is nearly as wide
LARGEST = 2**26  # bytes of a table; what is larger is none of names and labels
_DELIMITERS = (",", ";", "\t", " ")
_COLUMNS = {
    "label": ("label", "labels", "class", "gesture", "category", "action", "word", "sign"),
    "subject": ("subject", "person", "participant", "signer", "user", "actor"),
    "split": ("split", "set", "subset", "partition"),
}
_KIND_OF_VALUE = re.compile(r"_(?:id|name|label|code|number|no)$")

Names = dict[str, int]  # what a clip may be called, and its number


def clip_names(clips: Sequence[FoundClip]) -> Names:
    """The clip that a text names: by path, file name or name; not where two are called so."""
    found: dict[str, int | None] = {}
    for number, clip in enumerate(clips):
        texts = {clip.name, *(text for path in clip.files for text in (str(path), path.name, path.stem))}
        for text in texts:
            found[text] = number if text not in found else None
    return {text: number for text, number in found.items() if number is not None}


def is_table(path: Path) -> bool:
    """Whether a file may tell of clips: text, or a workbook whose first row is too short for keypoints."""
    if path.suffix != WORKBOOK:
        return path.suffix.lower() in TEXTS
    try:
        return _first_width(path) < KEYPOINTS_WIDTH
    except (OSError, ValueError, zipfile.BadZipFile, expat.ExpatError):
        return False


def _first_width(path: Path) -> int:
    """The number of cells in the first row of a workbook, without reading the others."""
    cells = rows = 0

    def begin(name: str, _: dict[str, str]) -> None:
        nonlocal cells
        cells += name.rpartition(":")[2] == "c" and not rows

    def end(name: str) -> None:
        nonlocal rows
        rows += name.rpartition(":")[2] == "row"

    parser = expat.ParserCreate()
    parser.StartElementHandler, parser.EndElementHandler = begin, end
    with zipfile.ZipFile(path) as archive:
        sheet = min(name for name in archive.namelist() if re.fullmatch(r"xl/worksheets/[^/]+\.xml", name))
        with archive.open(sheet) as part:
            while not rows and (chunk := part.read(1 << 16)):
                parser.Parse(chunk)
    return cells


def read_table(
    folder: Path, table: PurePosixPath, clips: Sequence[FoundClip], names: Names
) -> tuple[list[FoundClip], list[str], set[str]]:
    """The clips with what a table in ``folder`` tells of them, sentences on it, and which columns it had for them.

    The column with most ``names`` of clips (ids, file names or paths) names them. Two columns are one of names and one
    of labels, whatever they are called. A file that is named after a split, such as ``train_list.txt``, tells that.
    A table that names no clip is left alone.
    """
    try:
        rows, found = _named_rows(folder, table, names)
    except (InputError, UnusableClip, OSError) as error:
        return list(clips), [f"{error}. Nothing was taken from it."], set()
    if not found:
        return list(clips), [], set()
    counts = [sum(clip is not None for clip in column) for column in found]
    named = counts.index(max(counts))
    header = found[named][0] is None
    columns = _told_columns(rows[0], named) if header else {}
    if not columns and len(found) == 2:
        columns = {"label": 1 - named}
    split = split_named(table.stem)
    if not columns and not split:
        return list(clips), [f"{table} names clips, but no column of it is called label, subject or split."], set()
    pairs = list(zip(found[named], rows, strict=True))[header:]
    return _told(list(clips), pairs, columns, table, split if "split" not in columns else None)


def _named_rows(folder: Path, table: PurePosixPath, names: Names) -> tuple[list[list[str]], list[list[int | None]]]:
    """The rows of a table, and for each column the clips that its cells name; none if it names no clip.

    What separates cells is what makes most of them names.
    """
    best, most = ([], []), 0
    for rows in _readings(folder / table):
        width = max(map(len, rows), default=0)
        found = [[_clip_of(cells[column], table, names) if column < len(cells) else None for cells in rows]
                 for column in range(width)]  # fmt: skip
        count = max((sum(clip is not None for clip in column) for column in found), default=0)
        if (count, width) > (most, len(best[1])) and count:
            best, most = (rows, found), count
    return best


def _readings(path: Path) -> list[list[list[str]]]:
    """The rows of a table, for text by each character that may separate its cells."""
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
    """A cell of a workbook as one would write it: 3, not 3.0."""
    return str(int(cell)) if isinstance(cell, float) and cell.is_integer() else str(cell).strip()


def _told(
    clips: list[FoundClip],
    pairs: list[tuple[int | None, list[str]]],
    columns: dict[str, int],
    table: PurePosixPath,
    split: str | None,
) -> tuple[list[FoundClip], list[str], set[str]]:
    notes, told = [], {key: 0 for key in (*columns, *(["split"] if split else []))}
    seen = [clip for clip, _ in pairs if clip is not None]
    repeated = {clip for clip, count in Counter(seen).items() if count > 1}
    odd = 0
    for clip, cells in pairs:
        if clip is None or clip in repeated:
            continue
        values = {key: cells[column] or None for key, column in columns.items() if column < len(cells)}
        if split:
            values["split"] = split
        elif values.get("split"):
            values["split"] = known_split(text := values["split"])
            odd += values["split"] is None and bool(text)
        values = {key: value for key, value in values.items() if value and value.isprintable()}
        clips[clip] = replace(clips[clip], **values)
        for key in values:
            told[key] += 1
    notes.append(f"{table} tells " + ", ".join(f"the {key} of {count} clips" for key, count in told.items()) + ".")
    if missing := sum(clip is None for clip, _ in pairs):
        notes.append(f"{missing} rows of {table} name no clip that is there.")
    if repeated:
        notes.append(
            f"{table} has several rows for {len(repeated)} files, the first is {clips[min(repeated)].name}, and "
            "nothing was taken from them; for parts of a file, rows of clips.csv have columns start and end."
        )
    if odd:
        notes.append(f"{odd} rows of {table} have a split that is none of train, val, test.")
    return clips, notes, {key for key, count in told.items() if count}


def _clip_of(text: str, table: PurePosixPath, names: Names) -> int | None:
    written = text.replace("\\", "/").removeprefix("./")
    tried = (written, str(table.parent / written), PurePosixPath(written).name)
    return next((names[name] for name in tried if name in names), None)


def _told_columns(header: list[str], named: int) -> dict[str, int]:
    lowered = [_KIND_OF_VALUE.sub("", re.sub(r"\W+", "_", cell.lower())) for cell in header]
    found = {}
    for key, spellings in _COLUMNS.items():
        column = next((lowered.index(name) for name in spellings if name in lowered), None)
        if column is not None and column != named:
            found[key] = column
    return found
