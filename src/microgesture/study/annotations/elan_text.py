"""Tab-delimited and comma-separated exports of ELAN, with a row for each annotation or a column for each tier.

The rows are those of ELAN's Transcription2TabDelimitedText and ExportTabdelimited: tier, participant, begin, end and
duration in one to four formats each, annotation, file name and path. The default export has no heading. Lines such as
``"#file:///D:/interview.mp4 -- offset: 0"`` or ``"#interview.eaf"`` name the recording of the rows below them.
"""

import re
from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal
from pathlib import PurePosixPath
from typing import NamedTuple
from urllib.parse import unquote

from ...videos import VIDEOS
from .columns import Borders, find_borders, heading, told_columns
from .record import Annotation, Find, Found, Line, Note, decimal_text
from .timecode import clock_seconds, is_timecode

_HEADING = re.compile(r"(.*\S) - (hh:mm:ss\.ms|ss\.msec|msec|PAL|PAL-50fps|NTSC)", re.IGNORECASE)
_COMMENT = re.compile(
    r"#(?P<file>.+?)(?: -- offset: (?P<offset>-?\d+)(?:, duration: \S+ / (?P<length>[\d.]+) /)?.*)?", re.ASCII
)
_ID = re.compile(r"(?P<label>.*?)\s*\[(?P<id>a\d+)\]")  # the option to include annotation ids
_FILES = {"file", "file_name", "file_path", "path", "datei", "dateiname", "dateipfad", "nom_du_fichier",
          "chemin_du_fichier"}  # fmt: skip
_NO_TIERS = {*_FILES, "duration", "dauer", "durée", "cv_description"}
_KINDS = {  # of times in the cells of a column, in order of preference
    "clock": re.compile(r"\d+:\d\d:\d\d[.,]\d{1,3}"),
    "seconds": re.compile(r"\d+[.,]\d+"),
    "milliseconds": re.compile(r"\d+"),
    "PAL": re.compile(r"\d+:\d\d:\d\d[:;]\d\d"),
}
_ROUNDED = Decimal("0.002")  # seconds by which a duration may differ from end less start


class _Recording(NamedTuple):
    """Lines with # about the rows below them: the recording, the offset of its media in ms, its length in s."""

    media: str = ""
    offset: int = 0
    length: Decimal | None = None


class _Columns(NamedTuple):
    """The columns of an export: with ``tier`` and ``label`` for a row each, or else a column for each of ``tiers``."""

    borders: Borders
    label: int | None = None
    tier: int | None = None
    subject: int | None = None
    tiers: tuple[int, ...] = ()


def read(lines: Sequence[Line], find: Find) -> Found | None:
    """The annotations of an export of ELAN; None if the table is something else."""
    rows, recordings = _without_comments(lines)
    if not rows:
        return None
    header = rows[0][1]
    of_elan = sum(bool(_HEADING.fullmatch(cell)) for cell in header) >= 2
    has_header = of_elan or find_borders([header]) is not None
    if has_header and not of_elan and len(rows) == len(lines):
        return None  # a table with other headings
    columns = _headed(rows, find, of_elan) if has_header else _unheaded(rows, find)
    if columns is None:
        return None
    body = range(int(has_header), len(rows))
    headings = header if has_header else []
    file_column = _file_column(headings, [rows[number][1] for number in body], columns, find)
    annotations = [
        annotation
        for number in body
        for annotation in _annotations(rows[number], recordings[number], header, columns, file_column)
    ]
    annotations, pieces = _joined(annotations)
    notes = [] if has_header else [Note("no headings, so the columns are taken as those of ELAN's export")]
    if any(recording.offset for recording in recordings):
        notes.append(Note("the offset of the media, which is in its first lines, is added to all times"))
    notes += pieces
    return Found(annotations, notes)


def _without_comments(lines: Sequence[Line]) -> tuple[list[Line], list[_Recording]]:
    """The rows without lines of ``#``, each with the content of the last such lines before it."""
    rows, recordings, block, current = [], [], [], _Recording()
    for row, cells in lines:
        filled = [cell for cell in cells if cell]
        comment = _COMMENT.fullmatch(cells[0]) if len(filled) == 1 else None
        if comment:
            path = unquote(comment["file"]).removeprefix("file:")
            name, offset = PurePosixPath(path.replace("\\", "/")).name, int(comment["offset"] or 0)
            block.append(_Recording(name, offset, clock_seconds(comment["length"] or "")))
            continue
        if block:
            videos = [recording for recording in block if recording.media.lower().endswith(VIDEOS)]
            current, block = (videos or block)[0], []
        rows.append((row, cells))
        recordings.append(current)
    return rows, recordings


def _headed(rows: Sequence[Line], find: Find, of_elan: bool) -> _Columns | None:
    """The columns by their headings; those that are not ``of_elan`` have no columns for tiers."""
    header = rows[0][1]
    times = {number: found for number, cell in enumerate(header) if (found := _HEADING.fullmatch(cell))}
    # ELAN writes begin, end and duration in this order, in the language of its user.
    names = list(dict.fromkeys(found[1].lower() for found in times.values()))
    plain = list(header)
    for number, found in times.items():
        side = ("begin", "end", "duration")[min(2, names.index(found[1].lower()))]
        plain[number] = f"{side} {found[2]}"
    borders = find_borders([header]) or find_borders([plain])
    if borders is None:
        return None
    told = told_columns(header, (*times, *borders[:2]))
    rest = [
        number
        for number, cell in enumerate(header)
        if cell and number not in (*times, *borders[:2]) and heading(cell) not in _NO_TIERS
        and number not in (told.get("tier"), told.get("subject"))
        and not any(find(cells[number]) is not None for _, cells in rows[1:] if number < len(cells))
    ]  # fmt: skip
    if "tier" in told or not of_elan:
        label = told.get("label", rest[0] if rest else None)
        return None if label is None else _Columns(borders, label, told.get("tier"), told.get("subject"))
    return _Columns(borders, tiers=tuple(rest), subject=told.get("subject")) if rest else None


def _unheaded(rows: Sequence[Line], find: Find) -> _Columns | None:
    """The columns of the default export, recognised by their values: times, and durations that are their differences.

    There may be a tier and a participant before them; a column that names clips is neither, and then the times have to
    be certain, for another program has made the table.
    """
    cells = [cells for _, cells in rows]
    kinds = [
        next((kind for kind, shape in _KINDS.items() if all(shape.fullmatch(row[column]) for row in cells)), "")
        for column in range(min(map(len, cells)))
    ]
    for first in range(min(3, len(kinds))):
        for groups in (3, 2):
            for formats in range(4, 0, -1):
                shape = kinds[first : first + formats]
                after = first + groups * formats
                if "" in shape or len(set(shape)) < formats or kinds[first:after] != shape * groups:
                    continue
                kind = next(kind for kind in _KINDS if kind in shape)
                columns = [first + group * formats + shape.index(kind) for group in range(groups)]
                names = [
                    None if any(find(row[column]) is not None for row in cells) else column for column in range(first)
                ]
                sure = bool({"clock", "PAL"} & set(shape))
                if (sure or None not in names) and _are_times(cells, columns, kind, sure):
                    unit = "seconds" if kind == "clock" else kind
                    return _Columns(Borders(*columns[:2], unit), after, *names)
    return None


def _are_times(cells: Sequence[Sequence[str]], columns: Sequence[int], kind: str, sure: bool) -> bool:
    """Whether these columns can be begin, end and duration; without duration, they have to be ``sure`` times."""
    if kind == "PAL":
        return all(is_timecode(row[column]) for row in cells for column in columns)
    scale = 1000 if kind == "milliseconds" else 1
    times = [[clock_seconds(row[column]) for column in columns] for row in cells]
    if any(None in row for row in times):
        return False
    times = [[time / scale for time in row] for row in times]
    if len(columns) == 2:
        return sure and all(start <= end for start, end in times)
    return all(abs(end - start - duration) <= _ROUNDED for start, end, duration in times)


def _file_column(headings: Sequence[str], cells: Sequence[Sequence[str]], columns: _Columns, find: Find) -> int | None:
    """The column whose cells most often name clips or files of ELAN, or else the one with a heading for files."""
    own = {columns.borders.start, columns.borders.end, columns.label, columns.tier, columns.subject, *columns.tiers}
    named = {
        column: sum(
            column < len(row) and (find(row[column]) is not None or row[column].endswith(".eaf")) for row in cells
        )
        for column in set(range(max(map(len, cells), default=0))) - own
    }
    best = max(named, key=named.__getitem__, default=None)
    if best is not None and named[best]:
        return best
    return next((column for column, name in enumerate(headings) if heading(name) in _FILES), None)


def _annotations(
    line: Line, recording: _Recording, header: Sequence[str], columns: _Columns, file_column: int | None
) -> list[Annotation]:
    row, cells = line

    def cell(column: int | None) -> str:
        return cells[column] if column is not None and column < len(cells) else ""

    unit = columns.borders.unit
    start, end = cell(columns.borders.start), cell(columns.borders.end)
    if recording.offset and unit in ("seconds", "milliseconds"):
        start, end = (_shifted(text, unit, recording.offset) for text in (start, end))
    if columns.tiers:
        labels = [(header[column], cell(column)) for column in columns.tiers if cell(column)]
    else:
        labels = [(cell(columns.tier), cell(columns.label))]
    return [
        Annotation(
            media=cell(file_column) or recording.media,
            start=start,
            end=end,
            unit=unit,
            row=f"row {row}",
            label=label,
            subject=cell(columns.subject),
            tier=tier,
            length=recording.length,
        )
        for tier, label in labels
    ]


def _joined(annotations: Sequence[Annotation]) -> tuple[list[Annotation], list[Note]]:
    """The annotations with their pieces joined, and a doubt about pieces that cannot be distinguished from annotations.

    With a column for each tier, ELAN can repeat a value in the rows of all annotations within it. Then only the ids of
    annotations, such as ``[a12]``, tell what belongs together.
    """
    found = [_ID.fullmatch(entry.label) for entry in annotations]
    if annotations and all(match or not entry.label for match, entry in zip(found, annotations, strict=True)):
        whole: dict[tuple, Annotation] = {}
        for number, (match, entry) in enumerate(zip(found, annotations, strict=True)):
            key = (entry.media, entry.tier, match["id"]) if match else number
            first = whole.setdefault(key, replace(entry, label=match["label"] if match else ""))
            whole[key] = replace(first, end=entry.end)
        return list(whole.values()), []
    ends = {(entry.media, entry.tier, entry.label, entry.end) for entry in annotations}
    abutting = sum((entry.media, entry.tier, entry.label, entry.start) in ends for entry in annotations)
    if not abutting:
        return list(annotations), []
    return list(annotations), [
        Note(
            "{} annotations begin where another with the same label ends; if ELAN has repeated values of a tier in the "
            "rows of others, export again without this option",
            (abutting,),
        )
    ]


def _shifted(text: str, unit: str, offset: int) -> str:
    time = clock_seconds(text)
    return text if time is None else decimal_text(time + (offset if unit == "milliseconds" else Decimal(offset) / 1000))
