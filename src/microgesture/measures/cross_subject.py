"""The ablation table for the people of the test split, with labels from a file that no other stage reads."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType

import numpy as np
import pandas as pd

from ..errors import InputError
from ..storage.clips import Clips, natural_key
from ..storage.files import write_csv, write_text
from ..storage.markdown import markdown_table
from ..storage.scores import read_probabilities
from .ablation import ablation_table, make_ablation, said_of_table
from .class_groups import group_of_classes
from .ground_truth import read_ground_truth
from .people import TRAINED, count_people, people_by_clip, people_in_words, shared_in_words, shared_people


def make_cross_subject(
    rows: Mapping[str, str | None],
    predicted: Mapping[str, np.ndarray],
    labels_N: np.ndarray,
    person_N: np.ndarray,
    group_K: np.ndarray | None = None,
) -> pd.DataFrame:
    """The table of ``make_ablation``, plus the accuracy of each row for each person if there are several."""
    found = make_ablation(rows, predicted, labels_N, person_N, group_K=group_K)
    if len(set(person_N)) == 1:
        return found
    for person in sorted(set(person_N), key=natural_key):
        own_N = person_N == person
        accuracies = [(predicted[name].argmax(1) == labels_N)[own_N].mean() for name in found.name]
        found[f"accuracy of {person}"] = accuracies
    return found


def run_cross_subject(
    clips: Clips,
    rows: Mapping[str, str | None],
    files: Mapping[str, Path],
    ground_truth: Path,
    id_column: str,
    label_column: str,
    csv: Path,
    markdown: Path,
    groups: Mapping[str, Sequence[str]] = MappingProxyType({}),
) -> None:
    """Write the table as CSV and as Markdown; ``files[name]`` are the predictions of a row for the test clips.

    All rows are evaluated on the usable clips that have a label in ``ground_truth`` and predictions of every row. The
    column ``people_in_training`` is the number of their people, ``people``, who are also in train or val. ``groups``
    are groups of classes. Raises ``InputError`` if there are no such clips.
    """
    labels = read_ground_truth(ground_truth, id_column, label_column, clips)
    predicted = {name: read_probabilities(files[name]) for name in rows}
    table = clips.usable[clips.usable.split == "test"].set_index("clip_id", drop=False)
    ids = sorted(set(table.index) & set(labels) & set.intersection(*map(set, predicted.values())), key=natural_key)
    if not ids:
        raise InputError(
            f"{ground_truth} has no label for any test clip that has predictions of every row of the ablation"
        )
    person = people_by_clip(clips)[ids]
    shared = set(person) & set(shared_people(clips.table, ["test"], TRAINED))
    short = person.str.partition(" ")[2]
    found = make_cross_subject(
        rows,
        {name: np.array([of_row[clip_id] for clip_id in ids]) for name, of_row in predicted.items()},
        np.array([labels[clip_id] for clip_id in ids]),
        (short if short.nunique() == person.nunique() else person).to_numpy(str),
        group_of_classes(groups, clips.classes),
    ).assign(people=person.nunique(), people_in_training=len(shared))
    write_csv(csv, found.round(4))
    people = count_people(person)
    known = shared_in_words(len(shared), person.nunique()) or "None of them is in another split."
    text = (
        f"# Cross-subject ablation\n\nTest split, {len(ids)} clips of {people_in_words(people)}. {known} One training "
        f"seed.\n\n{ablation_table(found)}\n{said_of_table(found, people)}\n"
    )
    write_text(markdown, text + (f"\n{_by_person(found)}" if person.nunique() > 1 else ""))


def _by_person(found: pd.DataFrame) -> str:
    """A Markdown table with the accuracy of each row for each person."""
    columns = [column for column in found.columns if column.startswith("accuracy of ")]
    titles = ["accuracy of", *(column.removeprefix("accuracy of ") for column in columns)]
    lines = [[line["name"], *(f"{line[column]:.3f}" for column in columns)] for line in found.to_dict("records")]
    return markdown_table(titles, lines)
