"""Evaluation of a submission against true labels, which no stage of the workflow reads."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from ..errors import InputError
from ..storage.clips import Clips, read_clips
from ..storage.csv_files import csv_table
from .ablation import make_ablation
from .people import TRAINED, people_by_clip, shared_in_words, shared_people

# The columns of a ground truth, if no others are named: those of a submission, and those of a list of clips.
IDS, LABELS = ("Id", "clip_id"), ("Target", "label")
SHOWN = ("accuracy", "accuracy_low", "accuracy_high", "balanced_accuracy", "top5", "chance", "most_frequent")


def evaluate(
    submission: Path,
    ground_truth: Path,
    id_column: str | None = None,
    label_column: str | None = None,
    by: str | None = None,
    clips: Clips | None = None,
    probabilities: Mapping[str, np.ndarray] | None = None,
) -> pd.DataFrame:
    """Compare a submission with true labels, one row over all clips and one for each value of the column ``by``.

    ``ground_truth`` is a CSV file with the clips in ``id_column`` and their classes, written as in the submission, in
    ``label_column``; by default in the first of ``IDS`` and ``LABELS`` that it has. Clips that are not in the
    submission are ignored. ``clips``, the clips of the run, give the people, over whom intervals are computed, and the
    order of the classes. ``probabilities`` has those of each clip (K,), for the accuracy among five classes; it is not
    used if it does not belong to the submission.

    Raises ``InputError`` if there is no clip, if a column or the label of a submitted clip is missing, or if a clip
    occurs twice.
    """
    submitted, known = csv_table(submission), csv_table(ground_truth)
    if len(submitted.columns) != 2:
        raise InputError(f"{submission}: a submission needs two columns, this one has {list(submitted.columns)}")
    if submitted.empty:
        raise InputError(f"{submission} has no clip, only its columns; name the right file")
    submitted.columns = ["clip", "predicted"]
    id_column = _column(known, ground_truth, [id_column] if id_column else IDS)
    label_column = _column(known, ground_truth, [label_column] if label_column else LABELS)
    if by:
        _column(known, ground_truth, [by])
    for path, ids in ((submission, submitted["clip"]), (ground_truth, known[id_column])):
        if ids.duplicated().any():
            raise InputError(f"{path} has clip {ids[ids.duplicated()].iloc[0]} twice; keep the right row")
    table = submitted.merge(known, how="left", left_on="clip", right_on=id_column, validate="1:1")
    unknown = table["clip"][table[label_column].isna()]
    if len(unknown):
        raise InputError(
            f"{ground_truth} has no label for {len(unknown)} submitted clips, the first is {unknown.iloc[0]}"
        )
    targets = dict.fromkeys([*(clips.targets if clips else ()), *sorted({*table.predicted, *table[label_column]})])
    index = {target: number for number, target in enumerate(targets)}
    predicted_N = table.predicted.map(index).to_numpy()
    probabilities_NK = _of_submission(probabilities or {}, list(table["clip"]), predicted_N, len(index))
    scores_NK = np.eye(len(index))[predicted_N] if probabilities_NK is None else probabilities_NK
    person_N = people_by_clip(clips)[table["clip"]].to_numpy() if clips else np.full(len(table), "unknown")
    labels_N = table[label_column].map(index).to_numpy()
    groups = [("all", np.arange(len(table))), *(table.groupby(by).indices.items() if by else ())]
    rows = []
    for name, of in groups:
        measured = make_ablation({"": None}, {"": scores_NK[of]}, labels_N[of], person_N[of]).iloc[0]
        shown = [key for key in SHOWN if probabilities_NK is not None or key != "top5"]
        counts = {"clips of": name, "clips": len(of), "classes": len(set(labels_N[of]))}
        rows.append({**counts, **{key: round(float(measured[key]), 4) for key in shown}})
    return pd.DataFrame(rows)


def _of_submission(
    probabilities: Mapping[str, np.ndarray], clip_ids: Sequence[str], predicted_N: np.ndarray, classes: int
) -> np.ndarray | None:
    """The probabilities (N, classes) of the clips, or None if they do not belong to the predicted classes."""
    if not set(clip_ids) <= set(probabilities):
        return None
    given = [probabilities[clip_id] for clip_id in clip_ids]
    probabilities_NK = np.array([np.pad(given_K, (0, classes - len(given_K))) for given_K in given])
    return probabilities_NK if (probabilities_NK.argmax(1) == predicted_N).all() else None


def _column(table: pd.DataFrame, path: Path, wanted: Sequence[str]) -> str:
    found = next((column for column in wanted if column in table), None)
    if found is None:
        raise InputError(
            f"{path} has no column '{' or '.join(wanted)}', only {', '.join(table.columns)}; set its column names with "
            "--id-column, --label-column or --by"
        )
    return found


def submitted_clips(submission: Path, tables: Iterable[Path]) -> Clips | None:
    """The clips table among ``tables`` that has all submitted clips, or None."""
    ids = set(csv_table(submission).iloc[:, 0])
    return next((clips for clips in map(read_clips, tables) if ids <= set(clips.table.clip_id)), None)


def known_people(submission: Path, clips: Clips | None) -> str:
    """Return a sentence if people of the submitted clips are also in train or val, else "" (also without clips)."""
    if clips is None:
        return ""
    people = set(people_by_clip(clips)[csv_table(submission).iloc[:, 0]])
    return shared_in_words(len(people & set(shared_people(clips.table, ["test"], TRAINED))), len(people))
