"""Parts of recordings: tables whose rows say where in a file a clip begins and ends, in frames or in time."""

import math
import re
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from ..errors import UnusableClip
from ..videos.reading import probe

_UNITS = {
    "frames": ("frame", "frames", "frame_number", "idx", "index"),
    "milliseconds": ("ms", "msec", "milliseconds"),
    "seconds": ("s", "sec", "secs", "seconds", "time", "timestamp", "ss_msec", "hh_mm_ss_ms", "hh_mm_ss"),
}  # ss_msec and others: as ELAN names what it exports
_UNIT_OF = {word: unit for unit, words in _UNITS.items() for word in words}
_BORDER = re.compile(
    r"(?:(?P<before>frame|time)_)?(?:(?P<start>start|begin|onset|first)|end|stop|offset|last)"
    r"_?(?:time_?)??(?P<unit>" + "|".join(sorted(_UNIT_OF, key=len, reverse=True)) + r")?"
)
_CLOCK = re.compile(r"(?:(?:(\d+):)?(\d+):)?(\d+(?:[.,]\d+)?)")


class Borders(NamedTuple):
    """The columns that say where a part starts and ends, and in what: frames, seconds or milliseconds."""

    start: int
    end: int
    unit: str


def find_borders(rows: Sequence[Sequence[str]]) -> Borders | None:
    """The borders that a table with column names has; where it has several, frames go first, then seconds.

    Where the names tell no unit, they are seconds if any has a colon or a fraction, and else frames.
    """
    starts, ends = {}, {}
    for column, name in enumerate(rows[0] if rows else ()):
        if found := _BORDER.fullmatch(re.sub(r"\W+", "_", name.strip().lower()).strip("_")):
            unit = _UNIT_OF.get(found["unit"] or found["before"] or "", "")
            (starts if found["start"] else ends).setdefault(unit, column)
    for unit in (*_UNITS, ""):
        if unit in starts and unit in ends:
            columns = starts[unit], ends[unit]
            return Borders(*columns, unit or _unit_of(rows[1:], columns))
    return None


class Ruler:
    """Turns the borders of a part of a video into frames; ``video`` is only opened for times."""

    def __init__(self, video: Path | None) -> None:
        self._video = video
        self._info = None

    def frames(self, start: str, end: str, unit: str) -> tuple[int, int] | None:
        """The first and the last frame (from 0, the last included), or None if the texts tell none.

        Of times the end is not included, and the rate of frames is the video's mean. Raises ``UnusableClip`` if there
        is no video to ask for it, or if it cannot be read.
        """
        if unit == "frames":
            first, last = _whole(start), _whole(end)
        else:
            times = _seconds(start, unit), _seconds(end, unit)
            if None in times:
                return None
            first, last = self._at(*times)
        return (first, last) if first is not None and last is not None and first <= last else None

    def _at(self, start: float, end: float) -> tuple[int, int]:
        if self._video is None:
            raise UnusableClip("keypoints have no rate of frames, so times say nothing of them; name frames")
        self._info = self._info or probe(self._video)
        if not self._info.fps:
            raise UnusableClip(f"{self._video}: says no rate of frames, so times say nothing of it; name frames")
        first, last = round(start * self._info.fps), math.ceil(end * self._info.fps - 1e-6) - 1
        return first, min(last, self._info.n_frames - 1) if self._info.n_frames else last


def _unit_of(rows: Sequence[Sequence[str]], columns: tuple[int, int]) -> str:
    texts = [row[column] for row in rows for column in columns if column < len(row)]
    return "seconds" if any(_whole(text) is None and _seconds(text, "") is not None for text in texts) else "frames"


def _whole(text: str) -> int | None:
    found = re.fullmatch(r"(\d{1,9})(?:\.0*)?", text.strip())
    return int(found[1]) if found else None


def _seconds(text: str, unit: str) -> float | None:
    found = _CLOCK.fullmatch(text.strip())
    if not found:
        return None
    hours, minutes, seconds = (float((part or "0").replace(",", ".")) for part in found.groups())
    return (3600 * hours + 60 * minutes + seconds) / (1000 if unit == "milliseconds" else 1)
