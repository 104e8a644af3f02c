"""Comparing a submission with true labels, which no stage of the pipeline reads."""

from pathlib import Path

import pandas as pd

from ..errors import InputError
from ..storage.csv_files import csv_table


def evaluate(
    submission: Path, ground_truth: Path, id_column: str, label_column: str, by: str | None = None
) -> pd.DataFrame:
    """Accuracy and balanced accuracy of a submission, one row over all clips and one for each value of column ``by``.

    ``truth`` is a CSV that names clips in ``id_column`` and their classes, written as in the submission, in
    ``label_column``; clips that were not handed in are passed over. Raises ``InputError`` if a column or the label of a
    submitted clip is missing, or a clip is named twice.
    """
    handed_in, known = csv_table(submission), csv_table(ground_truth)
    if len(handed_in.columns) != 2:
        raise InputError(f"{submission}: a submission has two columns, this one has {list(handed_in.columns)}")
    handed_in.columns = ["clip", "predicted"]
    for column in [id_column, label_column, *([by] if by else [])]:
        if column not in known:
            raise InputError(
                f"{ground_truth} has no column '{column}', only {', '.join(known.columns)}; name its own by "
                "--id-column, --label-column or --by"
            )
    for path, ids in ((submission, handed_in["clip"]), (ground_truth, known[id_column])):
        if ids.duplicated().any():
            raise InputError(f"{path} names clip {ids[ids.duplicated()].iloc[0]} twice; keep the right row")
    table = handed_in.merge(known, how="left", left_on="clip", right_on=id_column, validate="1:1")
    unknown = table["clip"][table[label_column].isna()]
    if len(unknown):
        raise InputError(
            f"{ground_truth} has no label for {len(unknown)} submitted clips, the first is {unknown.iloc[0]}"
        )
    table["correct"] = table.predicted == table[label_column]
    groups = [("all", table), *(table.groupby(by) if by else ())]
    return pd.DataFrame([{"clips of": name, **_measure(group, label_column)} for name, group in groups])


def _measure(table: pd.DataFrame, label_column: str) -> dict[str, float | int]:
    by_class = table.groupby(label_column).correct.mean()
    return {
        "clips": len(table),
        "classes": len(by_class),
        "accuracy": round(float(table.correct.mean()), 4),
        "balanced_accuracy": round(float(by_class.mean()), 4),
    }
