"""The videos of a corpus and who has won: labels as the challenge and as the corpus's owners hand them out.

The challenge's files have the columns ``video_id,label``; what a number there means is not public, so 1 is taken for
win and 0 for lose. The owners' have ``win_or_lose``, on every row of a video. A test video's label is not looked at.
"""

import logging
import re
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

import pandas as pd

from ..corpora.listing import table as facts
from ..corpora.listing import walk, whole
from ..errors import InputError
from ..storage.clips import Clips, natural_key
from ..storage.csv_files import csv_rows, csv_table

log = logging.getLogger(__name__)

COLUMNS = ["video_id", "recording", "subject", "split", "label"]
LABELS = ("lose", "win")
WORDS = {"lose": "lose", "0": "lose", "negative": "lose", "win": "win", "1": "win", "positive": "win"}
LABEL_COLUMNS = ("win_or_lose", "label")
# Not NNNN_label.csv, which are the labels of a recording's clips.
_FILE = re.compile(r"((train|training|val|valid|validate|validation|test)_?)?labels?(_.*)?\.csv", re.IGNORECASE)


def video_key(video_id: str) -> str:
    """What two ways to write a video's id have in common: ``12``, ``0012`` and ``12.0`` are one video."""
    number = whole(video_id)
    return video_id if number is None else str(number)


def find_label_files(root: Path) -> list[Path]:
    """The files below a corpus's folder that are named like emotion labels and have their columns.

    Raises ``InputError`` if there is none.
    """
    named = [root / path for path in walk(root) if _FILE.fullmatch(path.name)]
    if found := [path for path in named if _label_column(next(csv_rows(path), (0, []))[1])]:
        return found
    raise InputError(
        f"{root}: no file labels*.csv, train_label.csv or validation_label.csv with the columns video_id and "
        f"{' or '.join(LABEL_COLUMNS)} in it or its folders; name yours under emotion.labels"
    )


def read_labels(paths: Sequence[Path], wanted: Collection[str]) -> dict[str, str]:
    """The labels, win or lose, of the videos whose keys (``video_key``) are wanted; of others nothing is looked at.

    An empty cell says nothing. Raises ``InputError`` if a file lacks a column, if a row names no video or has a label
    that is no such word, and if two rows contradict each other.
    """
    labels: dict[str, tuple[str, str]] = {}
    for path in paths:
        table = csv_table(path)
        column = _label_column(table.columns)
        if column is None:
            raise InputError(
                f"{path} needs the columns video_id and {' or '.join(LABEL_COLUMNS)}, but has "
                f"{', '.join(table.columns)}; mend its first row"
            )
        for row, (video_id, text) in enumerate(zip(table.video_id, table[column], strict=True), 1):
            where = f"{path}, row {row} below the names of columns"
            if video_id is None:
                raise InputError(f"{where}: there is no video_id; mend the row")
            key = video_key(video_id)
            if key not in wanted or text is None:
                continue
            if (label := WORDS.get(text.lower())) is None:
                raise InputError(f"{where}: {column} '{text}' is none of {', '.join(WORDS)}; mend the row")
            known, first = labels.setdefault(key, (label, where))
            if known != label:
                raise InputError(f"{where}: video {video_id} is '{text}', but '{known}' in {first}; keep the right one")
    return {key: label for key, (label, _) in labels.items()}


def list_videos(clips: Clips, root: Path, labels: Sequence[Path], split: str) -> pd.DataFrame:
    """The videos of a corpus: ``COLUMNS``, one row a recording, in the order of their ids.

    ``labels`` are files, or empty for those that ``find_label_files`` finds below ``root``. The split is the corpus's,
    or that of the published protocol, which leaves recordings out. The label is empty for every test video, and where
    it is unknown. Raises ``InputError`` if a recording is in two splits, or if no video to learn from has a label.
    """
    by_recording = clips.table.groupby("recording")
    videos = by_recording.agg(subject=("subject", "first"), split=("split", "first")).reset_index()
    if (mixed := by_recording.split.nunique()).max() > 1:
        raise InputError(f"recording {mixed.idxmax()} has clips of several splits, so its one label is in all of them")
    videos["key"] = videos.recording.map(video_key)
    if (twice := videos.key.duplicated()).any():
        raise InputError(f"recording {videos.recording[twice].iloc[0]} has the number of another one; rename one")
    if split == "published":
        videos = _as_published(videos)
    learnt = set(videos.key[videos.split != "test"])
    known = read_labels(labels or find_label_files(root), learnt)
    if not known:
        raise InputError("no label is of a video of train or val; look at the ids of emotion.labels")
    videos["label"] = videos.key.map(known)
    if unlabelled := len(learnt - set(known)):
        log.info("%d of %d videos of train and val have no label and are not learnt from", unlabelled, len(learnt))
    videos["video_id"] = videos.recording
    return videos.sort_values("recording", key=lambda ids: ids.map(natural_key))[COLUMNS].reset_index(drop=True)


def read_videos(path: Path) -> pd.DataFrame:
    """Read the table of videos: strings, None where a cell is empty; raises ``InputError`` if it is something else."""
    table = csv_table(path)
    if list(table.columns) != COLUMNS:
        raise InputError(f"{path} is no table of videos; delete it and run again")
    return table


def _label_column(columns: Collection[str]) -> str | None:
    return next((name for name in LABEL_COLUMNS if name in columns and "video_id" in columns), None)


def _as_published(videos: pd.DataFrame) -> pd.DataFrame:
    lists: Mapping[str, list[str]] = facts("imigue_emotion.json")
    split = {video_key(video_id): part for part in ("train", "test") for video_id in lists[part]}
    if missing := sorted(set(split) - set(videos.key), key=natural_key):
        log.warning("%d videos of the published lists are not in the corpus: %s", len(missing), ", ".join(missing))
    videos = videos.assign(split=videos.key.map(split)).dropna(subset="split")
    for part in ("train", "test"):
        if part not in set(videos.split):
            raise InputError(f"no recording of the corpus is in the published list for {part}; set split: corpus")
    people = [set(videos.subject[videos.split == part].dropna()) for part in ("train", "test")]
    if shared := len(set.intersection(*people)):
        log.warning("%d people are in both of the published lists: the result says less of new people", shared)
    return videos
