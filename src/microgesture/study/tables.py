"""Labels, subjects, splits and parts from the tables and annotation files beside the clips."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from ..corpora.listing import known_split, split_named
from ..errors import InputError, UnusableClip
from ..storage.names import composed
from ..videos import VIDEOS
from .annotations import boris_project, boris_table, eaf, elan_text
from .annotations.columns import find_borders, passed_over, told_columns
from .annotations.record import Annotation, Find, Found, Line, Note, person
from .clips import FoundClip
from .sheets import Sheet, is_table, read_sheets

FILES: dict[str, Callable[[Path], Found]] = {
    ".eaf": eaf.read,
    ".boris": boris_project.read,
    ".boris.gz": boris_project.read,
}
TABLES: tuple[Callable[[Sequence[Line], Find], Found | None], ...] = (boris_table.read, elan_text.read)
# Tables, annotations and keypoints in other formats.
UNREAD = (
    *(".xls", ".xlsb", ".xlsm", ".ods", ".numbers", ".parquet", ".feather", ".sav", ".rds", ".json", ".jsonl"),
    *(".textgrid", ".anvil", ".sds", ".tbs", ".xml", ".etf", ".opf", ".srt", ".vtt"),
    *(".hdf5", ".pkl", ".pickle", ".mat", ".c3d", ".bvh", ".trc"),
)
_LINKED = (*VIDEOS, ".wav", ".mp3", ".m4a", ".eaf")  # what a table may name in place of the clip's own file

Names = dict[str, int]  # the possible names of a clip, and its number


class _Named(NamedTuple):
    """The rows of a table, and for each column the clips that its cells name."""

    lines: list[Line]
    found: list[list[int | None]]


@dataclass(frozen=True)
class Table:
    """What a table tells: its annotations, with an empty ``unit`` for those of whole recordings.

    ``own`` is the number of the clip that has the name of the table. ``unused`` is the reason why it tells nothing.
    """

    name: str
    find: Find
    own: int | None = None
    annotations: Sequence[Annotation] = ()
    notes: Sequence[Note] = ()
    unused: str = ""

    @property
    def renamed(self) -> str:
        """The only recording that the annotations name, if it is not there, but a clip with the name of the table."""
        media = {entry.media for entry in self.annotations} - {""}
        return (
            next((name for name in media if self.find(name) is None), "")
            if self.own is not None and len(media) == 1
            else ""
        )

    def placed(self) -> list[tuple[int, Annotation]]:
        """The annotations of clips, each with the number of its clip."""
        clips = {name: self.find(name) for name in {entry.media for entry in self.annotations}}
        clips |= {"": self.own, self.renamed: self.own}
        return [(clip, entry.cleaned()) for entry in self.annotations if (clip := clips[entry.media]) is not None]


def clip_names(clips: Sequence[FoundClip]) -> Names:
    """The number of the clip for each path, file name and name that belongs to only one clip.

    A number as name counts without its leading zeros too, since spreadsheets remove them.
    """
    found: dict[str, int | None] = {}
    for number, clip in enumerate(clips):
        texts = {clip.name}
        for path in clip.files:
            texts |= {str(path), str(path.with_suffix("")), path.name, path.stem}
        for text in {composed(text) for text in texts}:
            found[text] = number if text not in found else None
    short: dict[str, int | None] = {}
    for text, number in found.items():
        if text.isdecimal() and number is not None:
            bare = text.lstrip("0") or "0"
            short[bare] = number if short.get(bare, number) == number else None
    return {text: number for text, number in (short | found).items() if number is not None}


def has_annotations(path: Path) -> bool:
    """Whether a file is read as a table or as annotations."""
    return _ending(path.name) is not None or is_table(path)


def read_tables(folder: Path, path: PurePosixPath, names: Names) -> list[Table]:
    """What a file in ``folder`` tells; each sheet of a workbook is a table."""
    find = partial(_clip_of, path.parent, names)
    try:
        if ending := _ending(path.name):
            found = FILES[ending](folder / path)
            return [Table(str(path), find, find(path.name[: -len(ending)]), found.annotations, found.notes)]
        sheets = read_sheets(folder, path)
    except (InputError, UnusableClip, OSError) as error:
        return [Table(str(path), find, unused=f"it cannot be read ({error})".replace(f"{folder}/", ""))]
    tables = [(sheet, _table(sheet, find, split_named(path.stem))) for sheet in sheets]
    return [replace(table, notes=(*table.notes, *sheet.notes)) for sheet, table in tables] or [
        Table(str(path), find, unused="it is empty")
    ]


def _ending(name: str) -> str | None:
    return next((ending for ending in FILES if name.lower().endswith(ending)), None)


def _table(sheet: Sheet, find: Find, split: str | None) -> Table:
    """What a sheet tells: an export of a coding tool, or any table that names clips.

    The column with the most names of clips (ids, file names or paths) identifies them. If there are only two columns,
    the other one has the labels. ``split`` is the one in the name of the file, such as ``train_list.txt``. Rows with a
    start and an end are parts of their clip; if no column names clips, the name of the table gives the clip.
    """
    own = next((number for name in sheet.own if (number := find(name)) is not None), None)
    for lines in sheet.readings:
        for read in TABLES:
            if found := read(lines, find):
                return Table(sheet.name, find, own, found.annotations, found.notes)
    named = _most_named(sheet.readings, find)
    if named is None and own is not None:
        named = next((_Named(lines, []) for lines in sheet.readings if find_borders([lines[0][1]])), None)
    if named is None:
        why = "it names no clip" if own is None else "it has the name of a clip, but no start and end are recognised"
        return Table(sheet.name, find, unused=sheet.refused or why)
    return _read_rows(sheet.name, named, find, own, split)


def _most_named(readings: Sequence[list[Line]], find: Find) -> _Named | None:
    """The reading, that is the separator of cells, with the most names of clips."""
    best, most = None, (0, 0)
    for lines in readings:
        width = max((len(cells) for _, cells in lines), default=0)
        found = [
            [find(cells[column]) if column < len(cells) else None for _, cells in lines] for column in range(width)
        ]
        count = max((sum(clip is not None for clip in column) for column in found), default=0)
        if count and (count, width) > most:
            best, most = _Named(lines, found), (count, width)
    return best


def _read_rows(name: str, table: _Named, find: Find, own: int | None, split: str | None) -> Table:
    counts = [sum(clip is not None for clip in column) for column in table.found]
    media = counts.index(max(counts)) if counts else None
    header = media is None or table.found[media][0] is None
    rows = [cells for _, cells in table.lines]
    columns = told_columns(rows[0], () if media is None else (media,)) if header else {}
    borders = find_borders(rows) if header else None
    if not columns and not borders and len(table.found) == 2:
        columns = {"label": 1 - media}
    if split and counts and 2 * max(counts) < len(rows):
        split = None  # the name of the table has a word such as test, but it is no list of clips
    if not columns and not borders and not split:
        return Table(
            name, find, unused="it names clips, but has no column label, subject or split, and no start and end"
        )
    annotations, odd = [], 0
    for row, cells in table.lines[header:]:
        values = {key: cells[column] for key, column in columns.items() if column < len(cells)}
        if told := values.get("split"):
            values["split"] = known_split(told) or ""
            odd += not values["split"]
        elif split and "split" not in columns:
            values["split"] = split
        if not borders:
            values.pop("tier", None)  # a tier is one of annotations
        start, end = (cells[column] if column < len(cells) else "" for column in borders[:2]) if borders else ("", "")
        annotations.append(
            Annotation(
                media=cells[media] if media is not None and media < len(cells) else "",
                start=start,
                end=end,
                unit=borders.unit if borders else "",
                guessed=bool(borders and borders.guessed),
                row=f"row {row}",
                **{**values, "subject": person(values.get("subject", ""))},
            )
        )
    known = columns if borders else {kind: column for kind, column in columns.items() if kind != "tier"}
    notes = passed_over(rows[0], known, (media, *(borders or ())[:2])) if header else []
    notes += [Note("{} rows have a split other than train, val, test", (odd,))] if odd else []
    annotations, repeated = (annotations, []) if borders else _without_repeated(annotations, find)
    return Table(name, find, own if media is None else None, annotations, [*notes, *repeated])


def _without_repeated(annotations: Sequence[Annotation], find: Find) -> tuple[list[Annotation], list[Note]]:
    """The annotations of whole recordings that have only one by their coder, and a note about the others."""
    often = Counter((find(entry.media), entry.coder) for entry in annotations)
    repeated = [entry for entry in annotations if find(entry.media) is not None
                and often[find(entry.media), entry.coder] > 1]  # fmt: skip
    if not repeated:
        return list(annotations), []
    files = len({find(entry.media) for entry in repeated})
    return [entry for entry in annotations if often[find(entry.media), entry.coder] == 1], [
        Note(
            "{} files have several rows, which are ignored; parts of a file need the columns start and end",
            (files,),
            f"the first is {repeated[0].media} in {repeated[0].row}",
        )
    ]


def _clip_of(folder: PurePosixPath, names: Names, text: str) -> int | None:
    written = composed(text).replace("\\", "/").removeprefix("./")
    base = PurePosixPath(written).name
    tried = [written, base]
    if base.lower().endswith(_LINKED):
        tried.append(PurePosixPath(base).stem)
    return next((names[name] for text in tried for name in (text, composed(str(folder / text))) if name in names), None)
