"""Evaluation of a submission against true labels, which no stage of the workflow reads."""

from collections.abc import Iterable
from pathlib import Path

import pandas as pd

from ..errors import InputError
from ..storage.clips import read_clips
from ..storage.csv_files import csv_table
from .people import TRAINED, people_by_clip, shared_in_words, shared_people


def evaluate(
    submission: Path, ground_truth: Path, id_column: str, label_column: str, by: str | None = None
) -> pd.DataFrame:
    """Accuracy and balanced accuracy of a submission, one row over all clips and one for each value of column ``by``.

    ``ground_truth`` is a CSV file with the clips in ``id_column`` and their classes, written as in the submission, in
    ``label_column``. Clips that are not in the submission are ignored. Raises ``InputError`` if a column or the label
    of a submitted clip is missing, or if a clip occurs twice.
    """
    handed_in, known = csv_table(submission), csv_table(ground_truth)
    if len(handed_in.columns) != 2:
        raise InputError(f"{submission}: a submission needs two columns, this one has {list(handed_in.columns)}")
    handed_in.columns = ["clip", "predicted"]
    for column in [id_column, label_column, *([by] if by else [])]:
        if column not in known:
            raise InputError(
                f"{ground_truth} has no column '{column}', only {', '.join(known.columns)}; set its column names "
                "with --id-column, --label-column or --by"
            )
    for path, ids in ((submission, handed_in["clip"]), (ground_truth, known[id_column])):
        if ids.duplicated().any():
            raise InputError(f"{path} has clip {ids[ids.duplicated()].iloc[0]} twice; keep the right row")
    table = handed_in.merge(known, how="left", left_on="clip", right_on=id_column, validate="1:1")
    unknown = table["clip"][table[label_column].isna()]
    if len(unknown):
        raise InputError(
            f"{ground_truth} has no label for {len(unknown)} submitted clips, the first is {unknown.iloc[0]}"
        )
    table["correct"] = table.predicted == table[label_column]
    groups = [("all", table), *(table.groupby(by) if by else ())]
    return pd.DataFrame([{"clips of": name, **_measure(group, label_column)} for name, group in groups])


def known_people(submission: Path, tables: Iterable[Path]) -> str:
    """Return a sentence if people of the submitted clips are also in train or val, else "".

    The clips table among ``tables`` that has all submitted clips tells this; without one, nothing is known.
    """
    ids = csv_table(submission).iloc[:, 0]
    for path in tables:
        clips = read_clips(path)
        if set(ids) <= set(clips.table.clip_id):
            people = set(people_by_clip(clips)[ids])
            return shared_in_words(len(people & set(shared_people(clips.table, ["test"], TRAINED))), len(people))
    return ""


def _measure(table: pd.DataFrame, label_column: str) -> dict[str, float | int]:
    by_class = table.groupby(label_column).correct.mean()
    return {
        "clips": len(table),
        "classes": len(by_class),
        "accuracy": round(float(table.correct.mean()), 4),
        "balanced_accuracy": round(float(by_class.mean()), 4),
    }
