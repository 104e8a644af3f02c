"""Folds: parts of a corpus with disjoint people, for predictions of every clip by a network without that person."""

from ..errors import InputError
from ..measures.people import people_by_clip, people_folds
from ..storage.clips import Clips


def assign_folds(clips: Clips, folds: int, seed: int = 0) -> dict[str, int]:
    """The fold (0 to ``folds`` - 1) of each usable labelled clip of train and val.

    Each person is in one fold only; if all clips are of one person, each recording is. Otherwise the folds are as
    similar as possible in size and in the fraction of each class. The order of the rows does not matter. Raises
    ``InputError`` if there are too few people or too few clips.
    """
    table = clips.usable
    table = table[table.split.isin(["train", "val"]) & table.label.notna()].sort_values("clip_id")
    person = people_by_clip(clips)[table.clip_id]
    if person.nunique() == 1:
        person = table.recording
    if person.nunique() < folds:
        raise InputError(
            f"the labelled clips of train and val have {person.nunique()} people (subjects, or recordings where the "
            f"subject is unknown), too few for folds: {folds}; reduce folds, or set folds: 0"
        )
    label = table.label.astype(int)
    if (most := label.value_counts().max()) < folds:
        raise InputError(
            f"no class has more than {most} labelled clips in train and val, too few for folds: {folds}; reduce "
            "folds, or set folds: 0"
        )
    parts = people_folds(label, person, folds, seed)
    return {table.clip_id.iloc[row]: fold for fold, rows in enumerate(parts) for row in rows}
