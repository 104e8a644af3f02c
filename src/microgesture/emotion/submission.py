"""The file of emotions that is handed in: one row a test video, every video once."""

from pathlib import Path

import pandas as pd

from ..errors import InputError
from ..storage.csv_files import csv_table
from ..storage.files import write_csv
from .predict import read_probabilities
from .videos import video_key

THRESHOLD = 0.5  # of the probability of win; networks are trained so that it suits as many wins as losses


def emotion_table(videos: pd.DataFrame, probability: dict[str, float], targets: tuple[str, str]) -> pd.DataFrame:
    """Columns ``video_id,label`` of the test videos in the order of their ids; ``targets`` write lose and win.

    Raises ``InputError`` if a test video has no probability.
    """
    ids = videos.video_id[videos.split == "test"]
    if missing := [video_id for video_id in ids if video_id not in probability]:
        raise InputError(f"{len(missing)} test videos have no prediction, the first is {missing[0]}")
    return pd.DataFrame({"video_id": ids, "label": [targets[probability[v] >= THRESHOLD] for v in ids]})


def follow_sample(table: pd.DataFrame, sample: pd.DataFrame, path: Path) -> pd.DataFrame:
    """The submission in the sample's column names, order and spelling of ids; ``12`` is ``0012``.

    Raises ``InputError`` if the videos are not the same.
    """
    if len(sample.columns) != 2:
        raise InputError(f"{path}: a sample submission has two columns, this one has {list(sample.columns)}")
    written = sample.iloc[:, 0]
    if written.isna().any():
        raise InputError(f"{path}, row {int(written.isna().argmax()) + 1}: there is no id; mend the row")
    wanted, label = written.map(video_key), dict(zip(table.video_id.map(video_key), table.label, strict=True))
    if odd := sorted(set(wanted) ^ set(label)):
        raise InputError(f"{path}: {len(odd)} ids differ from the test videos', the first is {odd[0]}")
    if wanted.duplicated().any():
        raise InputError(f"{path}: video {written[wanted.duplicated()].iloc[0]} stands there twice; keep one row")
    return pd.DataFrame({sample.columns[0]: written, sample.columns[1]: wanted.map(label)})


def write_emotion_submission(
    videos: pd.DataFrame, probabilities: Path, output: Path, sample: Path | None, targets: tuple[str, str]
) -> None:
    """Write the submission, checked against the sample if there is one."""
    table = emotion_table(videos, read_probabilities(probabilities), targets)
    if sample is not None:
        table = follow_sample(table, csv_table(sample), sample)
    write_csv(output, table)
