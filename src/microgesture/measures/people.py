"""The people in the clips, and what a result on them means for other people."""

import warnings
from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import pandas as pd

from ..errors import InputError
from ..storage.clips import Clips
from ..storage.names import normal_name, same_names

TRAINED = ("train", "val")  # the splits on which networks are trained, and their epochs and weights chosen


def person_of(table: pd.DataFrame) -> pd.Series:
    """The person in each clip: its subject, or its recording if no clip of the recording has a subject.

    Subjects are equal if ``normal_name`` is; the first spelling in alphabetical order is shown. A clip without a
    subject may show any subject of its recording; if there are several, they count as one person. Give all clips of a
    corpus, because the subject of a clip may be known from another one.
    """
    subjects = ["" if pd.isna(subject) else normal_name(subject) for subject in table.subject]
    of_recording: dict[str, set[str]] = {}
    spelled: dict[str, str] = {}
    for written, subject, recording in zip(table.subject, subjects, table.recording, strict=True):
        if subject:
            of_recording.setdefault(recording, set()).add(subject)
            spelled[subject] = min(written, spelled.get(subject, written))
    unsure = {recording for recording, subject in zip(table.recording, subjects, strict=True) if not subject}
    alone = ({subject} for subject in spelled)
    same = same_names([*alone, *(own for recording, own in of_recording.items() if recording in unsure)])
    shown: dict[str, list[str]] = {}
    for subject in sorted(spelled):
        shown.setdefault(same[subject], []).append(spelled[subject])

    def person(subject: str, recording: str) -> str:
        subject = subject or min(of_recording.get(recording, ()), default="")
        return f"subject {' or '.join(shown[same[subject]])}" if subject else f"recording {recording}"

    return pd.Series(list(map(person, subjects, table.recording)), table.index, dtype=object)


def people_by_clip(clips: Clips) -> pd.Series:
    """The person in each clip of a corpus (see ``person_of``), by the clip's id."""
    return person_of(clips.table).set_axis(clips.table.clip_id)


def count_people(people: Iterable[str]) -> dict[str, int]:
    """The number of subjects among people, and of recordings whose subject is unknown."""
    distinct = set(people)
    subjects = sum(person.startswith("subject ") for person in distinct)
    return {"subjects": subjects, "recordings": len(distinct) - subjects}


def shared_people(table: pd.DataFrame, some: Iterable[str], others: Iterable[str]) -> list[str]:
    """The people of a corpus who are in ``some`` splits and also in ``others``, sorted."""
    person = person_of(table)
    return sorted(set(person[table.split.isin(list(some))]) & set(person[table.split.isin(list(others))]))


def shared_in_words(shared: int, people: int) -> str:
    """The number of people of a test who are also in train or val, as a sentence; empty if there are none."""
    if not shared:
        return ""
    return f"Also in train or val: {shared} of {people} people, so the results do not apply to new people."


def refuse_shared_people(table: pd.DataFrame, corpus: str) -> None:
    """Raise ``InputError`` if a person is in test and also in train or val, since test results are for new people."""
    if shared := shared_people(table, ["test"], TRAINED):
        written = sorted(set(table.subject[person_of(table) == shared[0]].dropna()))
        one_name = len(written) > 1 and len(set(map(normal_name, written))) == 1
        also = f" (written {' and '.join(map(repr, written))})" if one_name else ""
        raise InputError(
            f"corpus '{corpus}': {shared[0]}{also} is in test and in train or val ({len(shared)} such people). Move "
            f"all its clips to one of them, or set corpora.{corpus}.allow_shared_subjects: true"
        )


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
    if sum(people.values()) == 1:
        return (
            "Every clip was predicted by networks, temperatures and weights fitted on other recordings of the same "
            "person: expect lower results on new people."
        )
    if people["recordings"]:
        return (
            "Every clip was predicted by networks, temperatures and weights fitted on other recordings. Some subjects "
            "are unknown: if a person is in several recordings, the results are too optimistic."
        )
    return "Every clip was predicted by networks, temperatures and weights fitted on other people."


def people_folds(labels: Sequence, people: Sequence, folds: int, seed: int) -> list[np.ndarray]:
    """The rows of each fold: each person is in one fold only, with classes distributed as evenly as possible."""
    from sklearn.model_selection import StratifiedGroupKFold  # planning a run needs people, but not scikit-learn

    split = StratifiedGroupKFold(folds, shuffle=True, random_state=seed)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # some classes are too rare to be in every fold
        return [rows for _, rows in split.split(labels, labels, people)]
