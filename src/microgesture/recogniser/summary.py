"""The timelines of a folder: read, and summed up as one tidy table."""

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import pandas as pd

from ..errors import InputError
from ..measures.detection import Gesture
from ..storage.csv_files import csv_table
from .scores import Windows, read_windows
from .timeline import COLUMNS


class Timeline(NamedTuple):
    """The gestures of a recording, and its windows, which know the times of its frames and all classes."""

    gestures: tuple[Gesture, ...]
    windows: Windows


def read_timelines(folder: Path) -> dict[str, Timeline]:
    """The timelines that predict-videos has written in a folder, by recording; other files are ignored.

    Raises ``InputError`` if there is none, or if a timeline lacks its windows.
    """
    found = {}
    for path in sorted(folder.glob("*.csv")):
        table = csv_table(path)
        if tuple(table.columns) != COLUMNS:
            continue
        windows = read_windows(path.with_name(f"{path.stem}.windows.parquet"))
        if windows is None:
            raise InputError(f"{path} has no {path.stem}.windows.parquet beside it; find the gestures again")
        rows = zip(table["class"], table.start_seconds.astype(float), table.end_seconds.astype(float), strict=True)
        found[path.stem] = Timeline(tuple(Gesture(path.stem, *row) for row in rows), windows)
    if not found:
        raise InputError(f"{folder} has no timelines; name the output folder of `microgesture predict-videos`")
    return found


def summary_of(timelines: Mapping[str, Timeline], people: Mapping[str, str]) -> pd.DataFrame:
    """One row for each person and class of the recogniser, also for classes that were not found.

    ``people`` maps recordings to persons; by default each recording is a person. ``seconds`` and ``mean_seconds`` are
    the total and the mean duration, ``per_minute`` the number of gestures in a minute of the person's recordings, and
    ``share`` the fraction of their time.
    """
    recordings: dict[str, list[str]] = {}
    for name in timelines:
        recordings.setdefault(people.get(name, name), []).append(name)
    rows = []
    for person, names in sorted(recordings.items()):
        length = sum(timelines[name].windows.times.end for name in names)
        classes = dict.fromkeys(label for name in names for label in timelines[name].windows.classes)
        for label in classes:
            own = [one.end - one.start for name in names for one in timelines[name].gestures if one.label == label]
            total, mean = sum(own), sum(own) / len(own) if own else None
            rows.append((person, label, len(own), total, mean, 60 * len(own) / length, total / length))
    columns = ["person", "class", "count", "seconds", "mean_seconds", "per_minute", "share"]
    return pd.DataFrame(rows, columns=columns).round(4)


def read_people(path: Path) -> dict[str, str]:
    """The person in each recording, from a CSV file with the columns ``recording`` and ``person``."""
    table = csv_table(path)
    for column in ("recording", "person"):
        if column not in table:
            raise InputError(f"{path} has no column '{column}', only {', '.join(table.columns)}; add it")
    return dict(zip(table.recording, table.person, strict=True))
