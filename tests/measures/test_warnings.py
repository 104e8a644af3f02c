"""Doubts about the classes of train and val, by hand."""

import re

import pandas as pd
import pytest

from microgesture.measures.warnings import MOST_NAMED, class_warnings, unseen_in_words, warn_of_alike
from microgesture.storage.clips import Clips

CLASSES = ("wave", "nod", "shrug", "point")


def warned(train, val):
    """The sentences for clips of these classes."""
    splits = ["train"] * len(train) + ["val"] * len(val) + ["test"]
    table = pd.DataFrame({"clip_id": [f"c{n}" for n in range(len(splits))], "split": splits, "status": "ok"})
    labels = [CLASSES.index(name) for name in (*train, *val)]
    return class_warnings(Clips(table.assign(label=pd.array([*labels, None], "Int32")), CLASSES, CLASSES))


@pytest.mark.parametrize(
    ("train", "val"),
    [
        (["wave", "nod"], []),
        (["wave", "nod"], ["nod", "wave"]),
        (["wave", "nod", "shrug", "point"], ["nod", "point"]),  # half of the classes
    ],
)
def test_nothing_is_said_of_clips_that_are_all_right(train, val):
    assert warned(train, val) == []


@pytest.mark.parametrize(
    ("train", "val", "said"),
    [
        (["wave", "wave"], ["wave"], "All training clips have the class wave"),
        (["wave", "nod"], ["nod", "wave", "point"], "No training clip has these classes of val.*: point"),
        (["wave", "nod"], ["nod"], "only 1 of the 2 classes of train"),
        (["wave", "nod", "shrug", "point", "nod"], ["nod"], "only 1 of the 4 classes of train"),
    ],
)
def test_each_doubt_is_said_once(train, val, said):
    (sentence,) = warned(train, val)
    assert re.search(said, sentence)


@pytest.mark.parametrize("more", [0, 1, 2])
def test_only_so_many_are_named_and_the_others_are_counted(more):
    names = [f"class {letter}" for letter in "abcdefg"[: MOST_NAMED + more]]
    (alike,) = warn_of_alike([*names, *map(str.upper, names)])
    for sentence in (alike, unseen_in_words("val", names)):
        assert [name in sentence for name in names] == [True] * MOST_NAMED + [False] * more
        assert re.findall(r"(\d+) more", sentence) == [str(more)] * (more > 0)
