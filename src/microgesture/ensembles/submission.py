"""The submission file: one row for each test clip; and the ranked predictions that the MAC challenge asks for."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from zipfile import ZIP_DEFLATED, ZipFile, ZipInfo

import numpy as np
import pandas as pd

from ..errors import InputError
from ..measures.class_groups import group_of_classes, grouped
from ..storage.clips import Clips, natural_key
from ..storage.csv_files import csv_table
from ..storage.files import replacing, write_csv
from ..storage.scores import read_predictions

RANKS = 5


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
        clips, {clip_id: int(prediction.probabilities_K.argmax()) for clip_id, prediction in predicted.items()}
    )
    if sample is not None:
        table = follow_sample(table, csv_table(sample), sample)
    write_csv(output, table)


def ranked_table(clips: Clips, probabilities: Mapping[str, np.ndarray], group_K: np.ndarray) -> pd.DataFrame:
    """The five most probable classes and groups of each test clip, most probable first, as the MAC challenge asks.

    The columns are ``vid`` (the name of the video's file), ``action_pred_1`` to ``5`` and ``body_pred_1`` to ``5``. The
    probability of a group is the sum of those of its classes. The challenge's starter kit writes the groups of the five
    most probable classes instead.
    """
    test = clips.table[clips.table.split == "test"].set_index("clip_id")
    ids = sorted(test.index, key=natural_key)
    probabilities_NK = np.stack([probabilities[clip_id] for clip_id in ids])
    columns = {"vid": [Path(test.video[clip_id] or f"{clip_id}.mp4").name for clip_id in ids]}
    for name, kind_NK in (("action", probabilities_NK), ("body", grouped(probabilities_NK, group_K))):
        ranked = np.argsort(-kind_NK, axis=1, kind="stable")[:, :RANKS]
        columns |= {f"{name}_pred_{rank + 1}": ranked[:, rank] for rank in range(ranked.shape[1])}
    return pd.DataFrame(columns)


def write_ranked(predictions: Path, clips: Clips, groups: Mapping[str, Sequence[str]], output: Path) -> None:
    """Write ``ranked_table`` as CSV, and beside it as a zip archive of the same bytes in every run."""
    probabilities = {clip_id: each.probabilities_K for clip_id, each in read_predictions(predictions).items()}
    write_csv(output, ranked_table(clips, probabilities, group_of_classes(groups, clips.classes)))
    with replacing(output.with_suffix(".zip")) as temporary, ZipFile(temporary, "w") as archive:
        archive.writestr(ZipInfo(output.name), output.read_bytes(), ZIP_DEFLATED)
