"""A copy of a file in another split, under another name, shows the same person."""

import pandas as pd
import pytest

from microgesture.measures.warnings import corpus_warnings, warn_of_copies
from microgesture.storage.clips import Clips


def clips(splits, subjects, digests):
    names = [f"{number}.mp4" for number in range(len(splits))]
    columns = {"clip_id": names, "recording": names, "subject": subjects, "split": splits, "label": 0, "status": "ok"}
    table = pd.DataFrame(columns | {"video": names, "skeleton": None}).astype({"label": "Int32"})
    return Clips(table, ("wave",), ("wave",), dict(zip(names, digests, strict=False)))


def test_copies_in_two_splits_are_named_and_counted():
    [told] = warn_of_copies(clips(["train", "val", "test", "test"], [None, None, None, "x"], ["a", "b", "a", "b"]))
    assert told.startswith("2 files have copies in another split")
    assert "0.mp4 and 2.mp4" in told
    assert told in corpus_warnings(
        clips(["train", "val", "test", "test"], [None, None, None, "x"], ["a", "b", "a", "b"])
    )


@pytest.mark.parametrize(
    ("splits", "subjects", "digests"),
    [
        (["train", "train"], [None, None], ["a", "a"]),  # in one split
        (["train", "val"], ["s1", "S01"], ["a", "a"]),  # of one person, who is told of anyway
        (["train", "test"], [None, None], ["a", "b"]),
        (["train", "test"], [None, None], []),  # not measured yet
    ],
)
def test_other_files_are_no_doubt(splits, subjects, digests):
    assert warn_of_copies(clips(splits, subjects, digests)) == []
