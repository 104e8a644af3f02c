"""The videos of a corpus with their labels, win or lose, in the files of the challenge or of the corpus's owners.

The challenge's files have the columns ``video_id,label``; the meaning of the numbers is not public, so 1 is read as win
and 0 as lose. The owners' files have a column ``win_or_lose`` in every row of a video. Labels of test videos are never
read.
"""

import logging
import re
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

import pandas as pd

from ..corpora.listing import table as facts
from ..corpora.listing import walk, whole
from ..errors import InputError
from ..measures.people import shared_people
from ..storage.clips import Clips, natural_key
from ..storage.csv_files import csv_rows, csv_table

log = logging.getLogger(__name__)

COLUMNS = ["video_id", "recording", "subject", "split", "label"]
LABELS = ("lose", "win")
WORDS = {"lose": "lose", "0": "lose", "negative": "lose", "win": "win", "1": "win", "positive": "win"}
LABEL_COLUMNS = ("win_or_lose", "label")
# This does not match NNNN_label.csv, the labels of a recording's clips.
_FILE = re.compile(r"((train|training|val|valid|validate|validation|test)_?)?labels?(_.*)?\.csv", re.IGNORECASE)


def video_key(video_id: str) -> str:
    """Normalise the id of a video: ``12``, ``0012`` and ``12.0`` are the same video."""
    number = whole(video_id)
    return video_id if number is None else str(number)


def find_label_files(root: Path) -> list[Path]:
    """Find the files in a corpus's folder, or below it, that have the name and the columns of emotion labels.

    Raises ``InputError`` if there are none.
    """
    named = [root / path for path in walk(root) if _FILE.fullmatch(path.name)]
    if found := [path for path in named if _label_column(next(csv_rows(path), (0, []))[1])]:
        return found
    raise InputError(
        f"{root}: no file labels*.csv, train_label.csv or validation_label.csv with the columns video_id and "
        f"{' or '.join(LABEL_COLUMNS)} in it or its folders; set emotion.labels to your files"
    )


def read_labels(paths: Sequence[Path], wanted: Collection[str]) -> dict[str, str]:
    """Read the labels, win or lose, of the videos with these keys (``video_key``); those of other videos are not read.

    Empty cells are skipped. Raises ``InputError`` if a file lacks a column, if a row has no video or an unknown label,
    or if two rows contradict each other.
    """
    labels: dict[str, tuple[str, str]] = {}
    for path in paths:
        table = csv_table(path)
        column = _label_column(table.columns)
        if column is None:
            raise InputError(
                f"{path} needs the columns video_id and {' or '.join(LABEL_COLUMNS)}, but has "
                f"{', '.join(table.columns)}; correct its first row"
            )
        for row, (video_id, text) in enumerate(zip(table.video_id, table[column], strict=True), 1):
            where = f"{path}, row {row} below the names of columns"
            if video_id is None:
                raise InputError(f"{where}: video_id is empty; correct the row")
            key = video_key(video_id)
            if key not in wanted or text is None:
                continue
            if (label := WORDS.get(text.lower())) is None:
                raise InputError(f"{where}: {column} '{text}' is not one of {', '.join(WORDS)}; correct the row")
            known, first = labels.setdefault(key, (label, where))
            if known != label:
                raise InputError(f"{where}: video {video_id} is '{text}', but '{known}' in {first}; keep the right one")
    return {key: label for key, (label, _) in labels.items()}


def list_videos(clips: Clips, root: Path, labels: Sequence[Path], split: str) -> pd.DataFrame:
    """List the videos of a corpus in the columns ``COLUMNS``, one row for each recording, in the order of their ids.

    ``labels`` are files, or empty for those that ``find_label_files`` finds in ``root``. The split is the corpus's, or
    that of the published protocol, which leaves recordings out. The label is empty for every test video, and if it is
    unknown. Raises ``InputError`` if a recording is in two splits, or if no video of train or val has a label.
    """
    by_recording = clips.table.groupby("recording")
    videos = by_recording.agg(subject=("subject", "first"), split=("split", "first")).reset_index()
    if (mixed := by_recording.split.nunique()).max() > 1:
        raise InputError(f"recording {mixed.idxmax()} has clips in several splits; its label must be in one split only")
    videos["key"] = videos.recording.map(video_key)
    if (twice := videos.key.duplicated()).any():
        raise InputError(f"recording {videos.recording[twice].iloc[0]} has the same number as another; rename one")
    if split == "published":
        videos = _as_published(videos)
    learnt = set(videos.key[videos.split != "test"])
    known = read_labels(labels or find_label_files(root), learnt)
    if not known:
        raise InputError("no video of train or val has a label; check the ids in the files of emotion.labels")
    videos["label"] = videos.key.map(known)
    if unlabelled := len(learnt - set(known)):
        log.info("%d of %d videos of train and val have no label and are not used", unlabelled, len(learnt))
    videos["video_id"] = videos.recording
    return videos.sort_values("recording", key=lambda ids: ids.map(natural_key))[COLUMNS].reset_index(drop=True)


def with_ground_truth(videos: pd.DataFrame, ground_truth: Path) -> pd.DataFrame:
    """Return the test videos with their labels in a file; raises ``InputError`` if the file is wrong or has none."""
    tested = videos[videos.split == "test"]
    labels = read_labels([ground_truth], set(tested.video_id.map(video_key)))
    known = tested.assign(label=tested.video_id.map(video_key).map(labels)).dropna(subset="label")
    if not len(known):
        raise InputError(f"{ground_truth} has no label of a test video; check its video_id")
    return known.reset_index(drop=True)


def read_videos(path: Path) -> pd.DataFrame:
    """Read the table of videos: strings, None for empty cells; raises ``InputError`` if it is not such a table."""
    table = csv_table(path)
    if list(table.columns) != COLUMNS:
        raise InputError(f"{path} is not a table of videos; delete it and run again")
    return table


def _label_column(columns: Collection[str]) -> str | None:
    return next((name for name in LABEL_COLUMNS if name in columns and "video_id" in columns), None)


def _as_published(videos: pd.DataFrame) -> pd.DataFrame:
    lists: Mapping[str, list[str]] = facts("imigue_emotion.json")
    split = {video_key(video_id): part for part in ("train", "test") for video_id in lists[part]}
    if missing := sorted(set(split) - set(videos.key), key=natural_key):
        log.warning("%d videos of the published lists are missing in the corpus: %s", len(missing), ", ".join(missing))
    videos = videos.assign(split=videos.key.map(split)).dropna(subset="split")
    for part in ("train", "test"):
        if part not in set(videos.split):
            raise InputError(f"no recording of the corpus is in the published list for {part}; set split: corpus")
    if shared := len(shared_people(videos, ["train"], ["test"])):
        log.warning("%d people are in both published lists, so the result is too optimistic for new people", shared)
    return videos
