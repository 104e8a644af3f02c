"""The submission file: one row for each test clip."""

from collections.abc import Callable, Sequence
from pathlib import Path

import pandas as pd

from ..errors import InputError
from ..storage.clips import Clips, natural_key
from ..storage.csv_files import csv_table
from ..storage.files import write_csv
from ..storage.scores import read_predictions


def submission_table(clips: Clips, predicted: dict[str, int]) -> pd.DataFrame:
    """Columns ``Id,Target``: the test clips, sorted by recording and number, with the target of their predicted class.

    Raises ``InputError`` if a test clip has no prediction.
    """
    ids = sorted(clips.table.clip_id[clips.table.split == "test"], key=natural_key)
    if missing := [clip_id for clip_id in ids if clip_id not in predicted]:
        raise InputError(f"{len(missing)} test clips have no prediction, the first is {missing[0]}")
    return pd.DataFrame({"Id": ids, "Target": [clips.targets[predicted[clip_id]] for clip_id in ids]})


def follow_sample(
    table: pd.DataFrame, sample: pd.DataFrame, path: Path, key: Callable[[str], str] = str
) -> pd.DataFrame:
    """The submission with the column names, the order and the spelling of ids of a sample.

    Ids with the same ``key`` are equal. Raises ``InputError`` if the ids differ.
    """
    if len(sample.columns) != 2:
        raise InputError(f"{path}: a sample submission needs two columns, this one has {list(sample.columns)}")
    written = sample.iloc[:, 0]
    if written.isna().any():
        raise InputError(f"{path}, row {int(written.isna().argmax()) + 1}: there is no id; correct the row")
    wanted, label = written.map(key), dict(zip(table.iloc[:, 0].map(key), table.iloc[:, 1], strict=True))
    if odd := sorted(set(wanted) ^ set(label), key=natural_key):
        raise InputError(f"{path}: {len(odd)} ids differ from those of the test split, the first is {odd[0]}")
    if wanted.duplicated().any():
        raise InputError(f"{path}: {written[wanted.duplicated()].iloc[0]} occurs twice; keep one row")
    return pd.DataFrame({sample.columns[0]: written, sample.columns[1]: wanted.map(label)})


def check_sample(ids: Sequence[str], sample: Path, key: Callable[[str], str] = str) -> None:
    """Raise ``InputError`` as ``follow_sample`` does, if a sample submission does not have these ids."""
    follow_sample(pd.DataFrame({"Id": ids, "Target": ""}, dtype=object), csv_table(sample), sample, key)


def write_submission(predictions: Path, clips: Clips, output: Path, sample: Path | None) -> None:
    """Write the submission for an ensemble's test predictions; if there is a sample, check the ids against it."""
    predicted = read_predictions(predictions)
    table = submission_table(
        clips, {clip_id: int(said.probabilities_K.argmax()) for clip_id, said in predicted.items()}
    )
    if sample is not None:
        table = follow_sample(table, csv_table(sample), sample)
    write_csv(output, table)
