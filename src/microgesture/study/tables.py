"""What csv files that lie beside the clips tell of them."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path, PurePosixPath

from ..corpora.listing import known_split
from ..csv_files import csv_rows
from ..errors import InputError
from .clips import FoundClip

_COLUMNS = {
    "label": ("label", "labels", "class", "class_name", "gesture", "category", "action", "word"),
    "subject": ("subject", "subject_id", "person", "participant", "signer", "user", "actor"),
    "split": ("split", "set", "subset", "partition"),
}


def read_table(
    folder: Path, table: PurePosixPath, clips: Sequence[FoundClip]
) -> tuple[list[FoundClip], list[str], set[str]]:
    """The clips with what a csv file in ``folder`` tells of them, sentences on it, and which columns it had for them.

    The column with most names of clips (ids, file names or paths) names them. A table without column names has to be
    of two columns, names and labels. A table that names no clip is left alone.
    """
    try:
        rows = [cells for _, cells in csv_rows(folder / table)]
    except (InputError, OSError) as error:
        return list(clips), [f"{error}. Nothing was taken from it."], set()
    names = _names(clips)
    width = max(map(len, rows), default=0)
    found = [[_clip_of(cells[column], table, names) if column < len(cells) else None for cells in rows]
             for column in range(width)]  # fmt: skip
    counts = [sum(clip is not None for clip in column) for column in found]
    if not any(counts):
        return list(clips), [], set()
    named = counts.index(max(counts))
    header = found[named][0] is None
    columns = _told_columns(rows[0], named) if header else {"label": 1 - named} if width == 2 else {}
    if not columns:
        return list(clips), [f"{table} names clips, but no column of it is called label, subject or split."], set()
    pairs = list(zip(found[named], rows, strict=True))[header:]
    return _told(list(clips), pairs, columns, table)


def _told(
    clips: list[FoundClip], pairs: list[tuple[int | None, list[str]]], columns: dict[str, int], table: PurePosixPath
) -> tuple[list[FoundClip], list[str], set[str]]:
    notes, told = [], {key: 0 for key in columns}
    seen = [clip for clip, _ in pairs if clip is not None]
    repeated = {clip for clip, count in Counter(seen).items() if count > 1}
    odd = 0
    for clip, cells in pairs:
        if clip is None or clip in repeated:
            continue
        values = {key: cells[column] or None for key, column in columns.items() if column < len(cells)}
        if values.get("split"):
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


def _names(clips: Sequence[FoundClip]) -> dict[str, int]:
    """The clip that a text names: by path, file name or name; not where two are called so."""
    found: dict[str, int | None] = {}
    for number, clip in enumerate(clips):
        texts = {clip.name, *(text for path in clip.files for text in (str(path), path.name, path.stem))}
        for text in texts:
            found[text] = number if text not in found else None
    return {text: number for text, number in found.items() if number is not None}


def _clip_of(text: str, table: PurePosixPath, names: dict[str, int]) -> int | None:
    written = text.replace("\\", "/").removeprefix("./")
    tried = (written, str(table.parent / written), PurePosixPath(written).name)
    return next((names[name] for name in tried if name in names), None)


def _told_columns(header: list[str], named: int) -> dict[str, int]:
    lowered = [cell.lower().replace(" ", "_") for cell in header]
    found = {}
    for key, spellings in _COLUMNS.items():
        column = next((lowered.index(name) for name in spellings if name in lowered), None)
        if column is not None and column != named:
            found[key] = column
    return found
