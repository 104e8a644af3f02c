"""Who is seen in the clips, and what a result on them says of anybody else."""

from collections.abc import Mapping

import pandas as pd


def person_of(table: pd.DataFrame) -> pd.Series:
    """Who is seen in each clip: its subject, or its recording where no clip of the recording has one."""
    subject = table.subject.fillna(table.groupby("recording").subject.transform("first"))
    return ("subject " + subject).fillna("recording " + table.recording)


def count_people(table: pd.DataFrame) -> dict[str, int]:
    """How many subjects there are, and how many recordings whose subject is unknown."""
    people = person_of(table).drop_duplicates()
    subjects = int(people.str.startswith("subject ").sum())
    return {"subjects": subjects, "recordings": len(people) - subjects}


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
