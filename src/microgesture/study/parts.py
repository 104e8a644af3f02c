"""Parts of recordings: tables whose rows have the start and the end of clips, in frames or in time."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from ..corpora.listing import whole
from ..errors import UnusableClip
from ..videos.reading import probe
from ..videos.timestamps import FrameTimes

_UNITS = {
    "frames": ("frame", "frames", "frame_number", "idx", "index"),
    "milliseconds": ("ms", "msec", "milliseconds"),
    "seconds": ("s", "sec", "secs", "seconds", "time", "timestamp", "ss_msec", "hh_mm_ss_ms", "hh_mm_ss"),
}  # ss_msec and others: names in exports of ELAN
_UNIT_OF = {word: unit for unit, words in _UNITS.items() for word in words}
_BORDER = re.compile(
    r"(?:(?P<before>frame|time)_)?(?:(?P<start>start|begin|onset|first)|end|stop|offset|last)"
    r"_?(?:time_?)??(?P<unit>" + "|".join(sorted(_UNIT_OF, key=len, reverse=True)) + r")?"
)
_CLOCK = re.compile(r"(?:(?:(\d+):)?(\d+):)?(\d+(?:[.,]\d+)?)")


class Borders(NamedTuple):
    """The columns with the start and the end of a part, and their unit: frames, seconds or milliseconds."""

    start: int
    end: int
    unit: str


def find_borders(rows: Sequence[Sequence[str]]) -> Borders | None:
    """The columns with borders in a table with column names; of several, frames come first, then seconds.

    Without a unit in the names, the values are seconds if any has a colon or a fraction, and else frames.
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
    """Converts the borders of a part of a video into frames; ``video`` is opened only for times."""

    def __init__(self, video: Path | None) -> None:
        self._video = video
        self.times: FrameTimes | None = None  # of the video, once a time was given

    def frames(self, start: str, end: str, unit: str) -> tuple[int, int] | None:
        """The first and the last frame (from 0, the last included), or None if the texts are not valid.

        The end of a time range is not included; for times see ``FrameTimes.frames``. Raises ``UnusableClip`` for times
        if there is no video or if it cannot be read.
        """
        if unit == "frames":
            borders = whole(start.strip()), whole(end.strip())
        else:
            borders = _seconds(start, unit), _seconds(end, unit)
        if None in borders:
            return None
        if unit != "frames":
            return self._read_times().frames(*borders)
        first, last = borders
        return (first, last) if 0 <= first <= last else None

    def _read_times(self) -> FrameTimes:
        if self._video is None:
            raise UnusableClip("keypoints have no frame rate, so times cannot be used; give frames")
        if self.times is None:
            self.times = probe(self._video, count=True).times
        if self.times is None:
            raise UnusableClip(f"{self._video}: the video has no times of frames; give frames")
        return self.times


def _unit_of(rows: Sequence[Sequence[str]], columns: tuple[int, int]) -> str:
    texts = [row[column].strip() for row in rows for column in columns if column < len(row)]
    timed = any(whole(text) is None and _seconds(text, "") is not None for text in texts)
    return "seconds" if timed else "frames"


def _seconds(text: str, unit: str) -> float | None:
    found = _CLOCK.fullmatch(text.strip())
    if not found:
        return None
    hours, minutes, seconds = (float((part or "0").replace(",", ".")) for part in found.groups())
    return (3600 * hours + 60 * minutes + seconds) / (1000 if unit == "milliseconds" else 1)
