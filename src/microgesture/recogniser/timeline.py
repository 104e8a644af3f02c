"""The timeline of a recording as a table, with one row for each gesture."""

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from ..storage.files import write_csv
from .segments import Segment

COLUMNS = ("start_seconds", "end_seconds", "start_frame", "end_frame", "class", "probability")


def timeline(segments: Sequence[Segment], classes: Sequence[str], fps: float) -> pd.DataFrame:
    """Return the segments as a table with the columns ``COLUMNS``.

    Frames are counted from 0 and the last one is included; seconds are from the start of the first frame to the end of
    the last. ``fps`` is frames per second; ``probability`` is 0 to 1.
    """
    rows = [
        (
            round(segment.start / fps, 3),
            round((segment.end + 1) / fps, 3),
            segment.start,
            segment.end,
            classes[segment.label],
            round(segment.probability, 4),
        )
        for segment in segments
    ]
    return pd.DataFrame(rows, columns=list(COLUMNS))


def write_timeline(path: Path, segments: Sequence[Segment], classes: Sequence[str], fps: float) -> None:
    """Write the timeline of a recording as CSV; without gestures it has only the header."""
    write_csv(path, timeline(segments, classes, fps))
