"""The timeline of a recording as a table, with one row for each gesture, and as subtitles."""

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from ..storage.files import write_csv, write_text
from ..videos.timestamps import FrameTimes
from .segments import Segment

COLUMNS = ("start_seconds", "end_seconds", "start_frame", "end_frame", "class", "probability")


def write_timeline(path: Path, segments: Sequence[Segment], classes: Sequence[str], times: FrameTimes) -> None:
    """Write the segments as CSV with the columns ``COLUMNS``; without gestures it has only the header.

    Frames are counted from 0 and the last one is included; seconds are from the start of the first frame to the end of
    the last, counted from the start of the file. ``probability`` is 0 to 1.
    """
    rows = [
        (*(round(time, 3) for time in times.seconds(start, end)), start, end, classes[label], round(probability, 4))
        for start, end, label, probability in segments
    ]
    write_csv(path, pd.DataFrame(rows, columns=list(COLUMNS)))


def write_subtitles(path: Path, segments: Sequence[Segment], classes: Sequence[str], times: FrameTimes) -> None:
    """Write the segments as SubRip subtitles, which players show with a video of the same name."""
    cues = []
    for number, (start, end, label, probability) in enumerate(segments, 1):
        begin, finish = map(_cue_time, times.seconds(start, end))
        cues.append(f"{number}\n{begin} --> {finish}\n{classes[label]}  {probability:.2f}\n")
    write_text(path, "\n".join(cues))


def _cue_time(seconds: float) -> str:
    whole, milliseconds = divmod(round(seconds * 1000), 1000)
    return f"{whole // 3600:02}:{whole // 60 % 60:02}:{whole % 60:02},{milliseconds:03}"


def may_replace(path: Path) -> bool:
    """Whether there is no file at a path, or a timeline, and not another table, such as keypoints."""
    try:
        with open(path, "rb") as file:
            return file.readline(256).strip() == ",".join(COLUMNS).encode()
    except FileNotFoundError:
        return True
