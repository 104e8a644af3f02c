"""What makes the results of a corpus doubtful: its people, and its classes. Known before any training."""

from collections.abc import Collection, Iterable

import pandas as pd

from ..storage.clips import Clips
from ..storage.names import normal_name
from .people import TRAINED, person_of

MOST_NAMED = 5  # names in a sentence


def corpus_warnings(clips: Clips) -> list[str]:
    """Return a sentence for each kind of doubt about the people and the classes of a corpus."""
    return [*people_warnings(clips.table), *warn_of_copies(clips), *class_warnings(clips)]


def people_warnings(table: pd.DataFrame) -> list[str]:
    """Return a sentence for each kind of doubt about the people; ``table`` has subject, recording and split."""
    person, found = person_of(table), []
    people = {split: set(own) for split, own in person.groupby(table.split)}
    train, val, test = (people.get(split, set()) for split in (*TRAINED, "test"))
    if shared := test & (train | val):
        found.append(
            f"{_first(shared)} is in test and in train or val ({_of(shared, test)}), so results on test do not apply "
            "to new people."
        )
    if shared := val & train:
        found.append(
            f"{_first(shared)} is in train and in val ({_of(shared, val)}), so what is chosen or measured on val "
            "(epochs, temperatures, weights, accuracy) does not apply to new people."
        )
    if alike := _alike(table.subject.dropna()):
        found.append(f"Subjects {_listed(alike)} count as one person: {_DIFFERENCE}.")
    return found


def warn_of_copies(clips: Clips) -> list[str]:
    """Return a sentence if files in different splits have the same content, although their people differ.

    The content is known once the files were measured.
    """
    people: dict[str, dict[tuple[str, str], str]] = {}  # by content: a file of each split and person
    for person, row in zip(person_of(clips.table), clips.table.itertuples(), strict=True):
        for path in (row.video, row.skeleton) if clips.digests else ():
            if digest := clips.digests.get(path):
                people.setdefault(digest, {})[row.split, person] = path
    copies = [
        sorted(set(files.values()))
        for files in people.values()
        if len({split for split, _ in files}) > 1 and len({person for _, person in files}) > 1
    ]
    if not copies:
        return []
    return [
        f"{len(copies)} {'file has a copy' if len(copies) == 1 else 'files have copies'} in another split, as another "
        f"person: first {' and '.join(min(copies)[:2])}. Results on these clips do not apply to new people."
    ]


def class_warnings(clips: Clips) -> list[str]:
    """Return a sentence for each kind of doubt about the classes of train and val."""
    known, found = clips.usable[clips.usable.label.notna()], []
    train, val = ({clips.classes[label] for label in known.label[known.split == split]} for split in TRAINED)
    if len(train) == 1:
        found.append(f"All training clips have the class {min(train)}, so there is nothing to learn.")
    if unseen := val - train:
        found.append(f"{unseen_in_words('val', unseen)}.")
    seen = val & train
    if val and len(train) > 1 and (len(seen) == 1 or 2 * len(seen) < len(train)):
        found.append(
            f"The clips of val have only {len(seen)} of the {len(train)} classes of train, so results on val say "
            "nothing about the other classes."
        )
    return [*found, *warn_of_alike(clips.classes)]


def warn_of_alike(classes: Iterable[str]) -> list[str]:
    """Return a sentence if names of classes differ only in their spelling."""
    alike = _alike(classes)
    if not alike:
        return []
    return [f"Classes {_listed(alike)} are different classes: {_DIFFERENCE}. If they are one class, write one name."]


def unseen_in_words(split: str, classes: Collection[str]) -> str:
    """Return, as text, that no training clip has these classes of a split."""
    shown = sorted(classes)[:MOST_NAMED]
    more = f" and {len(classes) - len(shown)} more" if len(classes) > len(shown) else ""
    return f"No training clip has these classes of {split}, so they are never predicted: {', '.join(shown)}{more}"


_DIFFERENCE = "they differ only in case, blanks, width, Unicode form or zeros"


def _first(people: Collection[str]) -> str:
    first = min(people)
    return first[0].upper() + first[1:]


def _of(shared: Collection[str], people: Collection[str]) -> str:
    return f"{len(shared)} of {len(people)} people"


def _alike(names: Iterable[str]) -> list[list[str]]:
    """Return the names that are equal in their normal form, without those that are alone."""
    groups: dict[str, set[str]] = {}
    for name in names:
        groups.setdefault(normal_name(name), set()).add(name)
    return [sorted(group) for _, group in sorted(groups.items()) if len(group) > 1]


def _listed(groups: list[list[str]]) -> str:
    shown = "; ".join(" and ".join(map(repr, group)) for group in groups[:MOST_NAMED])
    return shown + (f"; and {len(groups) - MOST_NAMED} more such groups" if len(groups) > MOST_NAMED else "")
