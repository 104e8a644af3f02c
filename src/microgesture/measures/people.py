"""Who is seen in the clips, and what a result on them says of anybody else."""

import warnings
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from sklearn.model_selection import StratifiedGroupKFold


def person_of(table: pd.DataFrame) -> pd.Series:
    """Who is seen in each clip: its subject, or its recording where no clip of the recording has one."""
    subject = table.subject.fillna(table.groupby("recording").subject.transform("first"))
    return ("subject " + subject).fillna("recording " + table.recording)


def count_people(table: pd.DataFrame) -> dict[str, int]:
    """How many subjects there are, and how many recordings whose subject is unknown."""
    people = person_of(table).drop_duplicates()
    subjects = int(people.str.startswith("subject ").sum())
    return {"subjects": subjects, "recordings": len(people) - subjects}


def people_folds(labels: Sequence, people: Sequence, folds: int, seed: int) -> list[np.ndarray]:
    """The rows of each fold: nobody is in two folds, and the classes are spread as evenly as that allows."""
    split = StratifiedGroupKFold(folds, shuffle=True, random_state=seed)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # some classes are too rare to be in every fold
        return [rows for _, rows in split.split(labels, labels, people)]


def people_in_words(people: Mapping[str, int]) -> str:
    """The counts of ``count_people`` as words, such as ``37 subjects``."""
    return " and ".join(f"{count} {kind if count > 1 else kind[:-1]}" for kind, count in people.items() if count)


def describe_clips(folds: int, people: Mapping[str, int]) -> str:
    """Which clips a result was measured on: ``people`` dealt into ``folds``, or with 0 folds the validation split."""
    if folds:
        return f"Held-out clips of train and val, {folds} folds of {people_in_words(people)}"
    return "Validation split"


def caveat(folds: int, people: Mapping[str, int]) -> str:
    """What to expect elsewhere, given how the clips were predicted that a result was measured on."""
    if not folds:
        return "Temperatures, weights and best epochs were chosen on these clips: expect less on new people."
    if people["recordings"]:
        return (
            "Every clip was predicted by networks, temperatures and weights fitted on other recordings. Not every "
            "subject is known: people who are in several recordings make this look better than it is."
        )
    return "Every clip was predicted by networks, temperatures and weights fitted on other people."
