"""The people in the clips, and what a result on them means for other people."""

import warnings
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from sklearn.model_selection import StratifiedGroupKFold


def person_of(table: pd.DataFrame) -> pd.Series:
    """The person in each clip: its subject, or its recording if no clip of the recording has a subject."""
    subject = table.subject.fillna(table.groupby("recording").subject.transform("first"))
    return ("subject " + subject).fillna("recording " + table.recording)


def count_people(table: pd.DataFrame) -> dict[str, int]:
    """The number of subjects, and of recordings whose subject is unknown."""
    people = person_of(table).drop_duplicates()
    subjects = int(people.str.startswith("subject ").sum())
    return {"subjects": subjects, "recordings": len(people) - subjects}


def people_folds(labels: Sequence, people: Sequence, folds: int, seed: int) -> list[np.ndarray]:
    """The rows of each fold: each person is in one fold only, with classes distributed as evenly as possible."""
    split = StratifiedGroupKFold(folds, shuffle=True, random_state=seed)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # some classes are too rare to be in every fold
        return [rows for _, rows in split.split(labels, labels, people)]


def people_in_words(people: Mapping[str, int]) -> str:
    """The counts of ``count_people`` as text, such as ``37 subjects``."""
    return " and ".join(f"{count} {kind if count > 1 else kind[:-1]}" for kind, count in people.items() if count)


def describe_clips(folds: int, people: Mapping[str, int]) -> str:
    """The clips of a result, as text: ``people`` in ``folds`` folds, or the validation split if ``folds`` is 0."""
    if folds:
        return f"Held-out clips of train and val, {folds} folds of {people_in_words(people)}"
    return "Validation split"


def caveat(folds: int, people: Mapping[str, int]) -> str:
    """How a result generalises to new people, given how its clips were predicted."""
    if not folds:
        return "Temperatures, weights and best epochs were chosen on these clips: expect lower results on new people."
    if people["recordings"]:
        return (
            "Every clip was predicted by networks, temperatures and weights fitted on other recordings. Some subjects "
            "are unknown: if a person is in several recordings, the results are too optimistic."
        )
    return "Every clip was predicted by networks, temperatures and weights fitted on other people."
