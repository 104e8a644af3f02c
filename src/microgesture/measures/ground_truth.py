"""Labels of test clips from a file, which only the table of test results uses."""

import difflib
from pathlib import Path

from ..errors import InputError
from ..storage.clips import Clips
from ..storage.csv_files import csv_table
from .warnings import unseen_in_words


def read_ground_truth(path: Path, id_column: str, label_column: str, clips: Clips) -> dict[str, int]:
    """The class index of each test clip in a CSV file, which contains the classes as a submission does.

    Raises ``InputError`` if a column is missing, if a test clip occurs twice, or if a label is not a class.
    """
    known = csv_table(path)
    for column in (id_column, label_column):
        if column not in known:
            raise InputError(
                f"{path} has no column '{column}', only {', '.join(known.columns)}; set the column under ground_truth"
            )
    test = known[known[id_column].isin(clips.table.clip_id[clips.table.split == "test"]) & known[label_column].notna()]
    if test[id_column].duplicated().any():
        twice = test[id_column][test[id_column].duplicated()].iloc[0]
        raise InputError(f"{path}, column {id_column}: clip {twice} occurs twice; keep the right row")
    index = {target: label for label, target in enumerate(clips.targets)}
    strange = test[~test[label_column].isin(index)]
    if len(strange):
        clip, label = strange[[id_column, label_column]].iloc[0]
        near = difflib.get_close_matches(label, index, n=3, cutoff=0.4) or list(index)[:3]
        raise InputError(
            f"{path}, column {label_column}: '{label}' of the clip {clip} is not one of the {len(index)} classes, such "
            f"as {', '.join(near)}; correct it"
        )
    return {row[id_column]: index[row[label_column]] for row in test.to_dict("records")}


def check_ground_truth(path: Path, id_column: str, label_column: str, clips: Clips) -> list[str]:
    """Return a sentence for each doubt about a file of test labels; nothing but clips and file is needed for this.

    Raises ``InputError`` as ``read_ground_truth`` does, and if no test clip has a label.
    """
    labels = read_ground_truth(path, id_column, label_column, clips)
    test = clips.table.clip_id[clips.table.split == "test"]
    if not labels:
        raise InputError(
            f"{path}, column {id_column}: it has no label of a test clip, such as {test.min()}; correct the ids"
        )
    found = []
    if missing := len(test) - len(labels):
        found.append(f"{path} has no label of {missing} of the {len(test)} test clips; they are left out of the table.")
    train = set(clips.usable.label[clips.usable.split == "train"].dropna())
    if unseen := {clips.classes[label] for label in labels.values() if label not in train}:
        found.append(f"{unseen_in_words('test', unseen)}.")
    return found
