"""The submission of emotions: one row for each test video."""

from pathlib import Path

import pandas as pd

from ..ensembles.submission import follow_sample
from ..errors import InputError
from ..storage.csv_files import csv_table
from ..storage.files import write_csv
from .predict import read_probabilities
from .videos import video_key

THRESHOLD = 0.5  # for the probability of win; training weights both labels equally, so 0.5 is the right threshold


def emotion_table(videos: pd.DataFrame, probability: dict[str, float], targets: tuple[str, str]) -> pd.DataFrame:
    """Build the columns ``video_id,label`` of the test videos in the order of their ids.

    ``targets`` are the values written for lose and win.

    Raises ``InputError`` if a test video has no probability.
    """
    ids = videos.video_id[videos.split == "test"]
    if missing := [video_id for video_id in ids if video_id not in probability]:
        raise InputError(f"{len(missing)} test videos have no prediction; the first is {missing[0]}")
    return pd.DataFrame({"video_id": ids, "label": [targets[probability[v] >= THRESHOLD] for v in ids]})


def write_emotion_submission(
    videos: pd.DataFrame, probabilities: Path, output: Path, sample: Path | None, targets: tuple[str, str]
) -> None:
    """Write the submission; if there is a sample submission, follow it and check the videos against it."""
    table = emotion_table(videos, read_probabilities(probabilities), targets)
    if sample is not None:
        table = follow_sample(table, csv_table(sample), sample, video_key)
    write_csv(output, table)
