"""The file that is handed in: one row a test clip, every clip once."""

from pathlib import Path

import pandas as pd

from ..errors import InputError
from ..storage.clips import Clips, natural_key
from ..storage.csv_files import csv_table
from ..storage.files import write_csv
from ..storage.scores import read_predictions


def submission_table(clips: Clips, predicted: dict[str, int]) -> pd.DataFrame:
    """Columns ``Id,Target``: the test clips by recording, then by number, each with what its class is written as.

    Raises ``InputError`` if a test clip has no prediction.
    """
    ids = sorted(clips.table.clip_id[clips.table.split == "test"], key=natural_key)
    if missing := [clip_id for clip_id in ids if clip_id not in predicted]:
        raise InputError(f"{len(missing)} test clips have no prediction, the first is {missing[0]}")
    return pd.DataFrame({"Id": ids, "Target": [clips.targets[predicted[clip_id]] for clip_id in ids]})


def follow_sample(table: pd.DataFrame, sample: pd.DataFrame, path: Path) -> pd.DataFrame:
    """The submission in the sample's column names and order; raises ``InputError`` if the ids are not the same."""
    if len(sample.columns) != 2:
        raise InputError(f"{path}: a sample submission has two columns, this one has {list(sample.columns)}")
    wanted, there = list(sample.iloc[:, 0]), set(table.Id)
    if odd := [clip_id for clip_id in wanted if clip_id not in there] or sorted(there - set(wanted), key=natural_key):
        raise InputError(f"{path}: {len(odd)} ids differ from the test split's, the first is {odd[0]}")
    if len(wanted) != len(set(wanted)):
        raise InputError(f"{path}: an id stands there twice")
    return table.set_index("Id").loc[wanted].reset_index().set_axis(list(sample.columns), axis=1)


def write_submission(predictions: Path, clips: Clips, output: Path, sample: Path | None) -> None:
    """Write the submission of an ensemble's test predictions, checked against the sample if there is one."""
    predicted = read_predictions(predictions)
    table = submission_table(
        clips, {clip_id: int(said.probabilities_K.argmax()) for clip_id, said in predicted.items()}
    )
    if sample is not None:
        table = follow_sample(table, csv_table(sample), sample)
    write_csv(output, table)
