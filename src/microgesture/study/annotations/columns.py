"""What the columns of a table are, by their headings: starts and ends of parts, and kinds of values."""

import re
from collections.abc import Collection, Mapping, Sequence
from typing import NamedTuple

from ...corpora.listing import whole
from ...storage.names import composed
from .record import Note, literal
from .timecode import clock_seconds, is_timecode

# In order of preference: a table may have the same times in several units, and ELAN rounds timecodes to its own frames.
_UNITS = {
    "frames": ("frame", "frames", "frame_number", "idx", "index"),
    "seconds": ("s", "sec", "secs", "seconds", "time", "timestamp", "ss_msec", "hh_mm_ss_ms", "hh_mm_ss"),
    "milliseconds": ("ms", "msec", "milliseconds"),
    "timecode": ("hh_mm_ss_ff", "timecode", "smpte"),
    "PAL": ("pal",),
    "PAL-50": ("pal_50fps",),
    "NTSC": ("ntsc",),
}  # ss_msec and others: names in exports of ELAN
_UNIT_OF = {word: unit for unit, words in _UNITS.items() for word in words}
# The headings of ELAN in English, German and French, and other usual ones.
_STARTS = (
    *("start", "begin", "onset", "first", "anfang", "beginn", "anfangszeit", "startzeit"),
    *("début", "temps_de_début", "temps_de_départ"),
)
_ENDS = ("end", "stop", "offset", "last", "ende", "endzeit", "fin", "temps_de_fin")
_BORDER = re.compile(
    rf"(?:(?P<before>frame|time)_)?(?:(?P<start>{'|'.join(_STARTS)})|(?P<end>{'|'.join(_ENDS)}))"
    r"_?(?:time_?)??(?P<unit>" + "|".join(sorted(_UNIT_OF, key=len, reverse=True)) + r")?"
)
_KIND_OF_VALUE = re.compile(r"_(?:id|name|label|code|number|no|value)$")
# The first of these that is a heading counts.
_COLUMNS = {
    "label": (
        *("label", "labels", "class", "gesture", "category", "action", "word", "sign"),
        *("annotation", "annotations", "behavior", "behaviour"),
    ),
    "subject": ("subject", "person", "participant", "signer", "user", "actor", "teilnehmer"),
    "split": ("split", "set", "subset", "partition"),
    "tier": ("tier", "zeile", "ligne", "piste"),
    "coder": ("coder", "annotator", "rater", "observer"),
}
VALUES = ("label", "subject", "split")  # those that a whole clip can have


class Borders(NamedTuple):
    """The columns with the start and the end of a part, their unit, and whether the unit is a guess.

    Units are frames, seconds and milliseconds, and those of ``timecode``.
    """

    start: int
    end: int
    unit: str
    guessed: bool = False


def find_borders(rows: Sequence[Sequence[str]]) -> Borders | None:
    """The columns with borders in a table with column names; of several, frames come first, then seconds.

    Without a unit in the names, values with a colon or a fraction are timecodes or seconds. If all are whole numbers,
    they are taken as frames, which is a guess. A column ``offset`` is an end only beside an ``onset``: the time offset
    of BORIS is something else.
    """
    starts, ends = {}, {}
    for column, name in enumerate(rows[0] if rows else ()):
        if found := _BORDER.fullmatch(heading(name)):
            unit = _UNIT_OF.get(found["unit"] or found["before"] or "", "")
            if found["start"]:
                starts.setdefault(unit, (column, found["start"]))
            else:
                ends.setdefault((unit, found["end"] == "offset"), column)
    for unit in (*_UNITS, ""):
        start, word = starts.get(unit, (None, None))
        end = ends.get((unit, False), ends.get((unit, True)) if word == "onset" else None)
        if start is not None and end is not None:
            told = unit or _unit_of(rows[1:], (start, end))
            return Borders(start, end, told, guessed=not unit and told == "frames")
    return None


def told_columns(header: Sequence[str], but: Collection[int] = ()) -> dict[str, int]:
    """The column of each kind of value, by the headings; the columns in ``but`` are something else."""
    names = _meanings(header)
    found = {}
    for kind, spellings in _COLUMNS.items():
        columns = (names.index(name) for name in spellings if name in names)
        if (column := next((column for column in columns if column not in but), None)) is not None:
            found[kind] = column
    return found


def passed_over(header: Sequence[str], told: Mapping[str, int], but: Collection[int] = ()) -> list[Note]:
    """Notes about columns with the same kind of value as one of ``told_columns``; they are not read."""
    names = _meanings(header)
    notes = []
    for kind, column in told.items():
        others = [
            f"'{header[other]}' ({other + 1})"
            for other, name in enumerate(names)
            if name in _COLUMNS[kind] and other != column and other not in but
        ]
        if others:
            text = f"the {kind} is read from the column '{header[column]}' ({column + 1}), not from {', '.join(others)}"
            notes.append(Note(literal(text)))
    return notes


def _meanings(header: Sequence[str]) -> list[str]:
    return [_KIND_OF_VALUE.sub("", heading(cell)) for cell in header]


def heading(name: str) -> str:
    """The name of a column in lower case, with ``_`` for everything between its words."""
    return re.sub(r"\W+", "_", composed(name).strip().lower()).strip("_")


def _unit_of(rows: Sequence[Sequence[str]], columns: tuple[int, int]) -> str:
    texts = [row[column] for row in rows for column in columns if column < len(row)]
    if any(is_timecode(text) for text in texts):
        return "timecode"
    timed = any(whole(text.strip()) is None and clock_seconds(text) is not None for text in texts)
    return "seconds" if timed else "frames"
