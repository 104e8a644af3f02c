"""Several tables or coders of the same recordings: which one counts, and what is said of the others."""

import unicodedata

import pytest

from fixtures.annotation_files import (
    boris_observation,
    planned,
    write_boris_project,
    write_eaf,
)
from fixtures.release_files import write_lines
from microgesture.errors import InputError


def test_two_coders_are_two_opinions(folder):
    root = folder("a.mp4", "b.mp4", "c.mp4")
    header = "file,label,start_frame,end_frame"
    write_lines(root / "anna.csv", [header, "a,wave,0,24", "a,nod,50,74", "b,nod,0,24"])
    write_lines(root / "ben.csv", [header, "a,wave,0,24", "a,wave,50,74", "b,nod,0,24", "c,nod,0,24"])
    told, parts = planned(root)
    expected = [("a.mp4", "nod", "", 50, 74), ("a.mp4", "wave", "", 0, 24), ("b.mp4", "nod", "", 0, 24)]
    assert parts == [*expected, ("c.mp4", "nod", "", 0, 24)]
    assert "anna.csv and ben.csv: two opinions about 1 file," in told
    assert "ben.csv, row 3 (wave, frames 50 to 74), but anna.csv, row 3 (nod, frames 50 to 74)" in told


def test_coders_in_one_table_and_observations_of_one_file_are_opinions_too(folder):
    root = folder("a.mp4", "b.mp4")
    rows = ["a,wave,0,24,Anna", "a,wave,2,26,Ben", "a,nod,50,74,Anna"]
    write_lines(root / "list.csv", ["file,label,start_frame,end_frame,coder", *rows])
    events = [(1, "", "wave"), (2, "", "wave")]
    later = [(1.2, "", "wave"), (2, "", "wave")]
    media = {"b.mp4": 8.0}
    write_boris_project(
        root / "study.boris", {"first": boris_observation(media, events), "second": boris_observation(media, later)}
    )
    told, parts = planned(root)
    assert parts == [("a.mp4", "nod", "", 50, 74), ("a.mp4", "wave", "", 0, 24), ("b.mp4", "wave", "", 25, 49)]
    pairs = "list.csv (Anna) and list.csv (Ben), study.boris (first) and study.boris (second)"
    assert f"{pairs}: two opinions about 2 files" in told


def test_two_coders_of_whole_recordings(folder):
    root = folder("a.mp4", "b.mp4")
    write_lines(root / "list.csv", ["file,label,rater", "a,wave,Anna", "a,nod,Ben", "b,nod,Anna", "b,nod,Ben"])
    told, parts = planned(root)
    assert parts == [("a.mp4", "wave", ""), ("b.mp4", "nod", "")]
    assert "a has the label nod in list.csv (Ben), row 3, but wave in list.csv (Anna), row 2" in told


def test_the_same_annotations_twice_count_once(folder):
    root = folder("interview.mp4")
    write_eaf(root / "interview.eaf", "interview.mp4", {"gesture": [(1000, 2000, "wave"), (3000, 4000, "nod")]})
    header = "Begin Time - msec\tEnd Time - msec\tgesture"
    write_lines(root / "interview.txt", [header, "1000\t2000\twave", "3000\t4000\tnod", "1000\t2000\twave"])
    told, parts = planned(root)
    assert parts == [("interview.mp4", "nod", "", 75, 99), ("interview.mp4", "wave", "", 25, 49)]
    assert "the same annotations" in told
    assert "interview.txt: 1 row repeats another row" in told


def test_tables_that_disagree_about_a_clip_are_named_with_the_row(folder):
    root = folder("a.mp4", "b.mp4", "c.mp4")
    write_lines(root / "one.csv", ["file,label", "a,wave", "b,nod"])
    write_lines(root / "two.csv", ["file,label,subject", "a,wave,P01", "b,wave,P02", "c,nod,P03"])
    told, parts = planned(root)
    assert parts == [("a.mp4", "wave", "P01"), ("b.mp4", "nod", "P02"), ("c.mp4", "nod", "P03")]
    assert "b has the label wave in two.csv, row 3, but nod in one.csv, row 3" in told


def test_a_word_in_the_name_of_a_table_that_is_no_list_gives_no_split(folder):
    root = folder("a.mp4", "b.mp4")
    write_lines(root / "test_notes.txt", ["a", "call the dentist", "buy milk", "charge batteries"])
    told, _ = planned(root)
    assert "has the split" not in told
    assert "test_notes.txt" in told


def test_a_clip_in_the_lists_of_two_splits_is_named(folder):
    root = folder("a.mp4", "b.mp4")
    write_lines(root / "train_list.txt", ["a,wave", "b,nod"])
    write_lines(root / "val_list.txt", ["b,nod"])
    told, _ = planned(root)
    assert "b has the split val in val_list.txt, row 1, but train in train_list.txt, row 2" in told


def test_what_holds_for_many_tables_is_one_sentence(folder):
    names = [f"p{number}" for number in range(8)]
    root = folder(*(f"{name}.mp4" for name in names))
    for name in names:
        write_lines(root / f"{name}.csv", ["start,end,label", "1,3,wave", "5,x,nod"])
    lines = planned(root)[0].splitlines()
    for words in ("8 parts of 8 files", "taken as frames", "8 rows have no valid start and end"):
        (line,) = [line for line in lines if words in line]
        assert line.startswith("p0.csv, p1.csv, p2.csv, p3.csv, p4.csv and 3 more: ")


def test_parts_and_files_that_disagree_are_named(folder):
    root = folder("a.mp4", "b.mp4")
    write_lines(root / "people.csv", ["file,subject", "a,P01", "b,P02"])
    write_lines(root / "parts.csv", ["file,subject,label,start_s,end_s", "a,P09,wave,1,2", "b,P02,nod,1,2"])
    told, parts = planned(root)
    assert parts == [("a.mp4", "wave", "P09", 25, 49), ("b.mp4", "nod", "P02", 25, 49)]
    assert "a has the subject P09 in parts.csv, row 2, but P01 in people.csv, row 2" in told


def test_names_with_braces(folder):
    root = folder("{a}.mp4")
    tiers = {"{}": [(1000, 2000, "{0}")], "{x}": [(1000, 2000, "{y}")]}
    write_eaf(root / "{}.eaf", "{a}.mp4", tiers)
    with pytest.raises(InputError, match=r"\{x\}"):
        planned(root)
    told, parts = planned(root, "{}")
    assert parts == [("{a}.mp4", "{0}", "", 25, 49)]
    assert "1 annotation of other tiers, not used ({x})" in told


def test_names_in_other_unicode_forms_meet(folder):
    apart = unicodedata.normalize("NFD", "Zoë")
    root = folder(f"{apart}.mp4", "b.mp4")
    write_eaf(root / "x.eaf", "Zoë.mp4", {apart: [(1000, 2000, apart)], "gaze": [(0, 10, "x")]})
    write_eaf(root / "y.eaf", "b.mp4", {"Zoë": [(1000, 2000, "Zoë\u200b")]})
    _, parts = planned(root, "Zoë")
    assert [part[1:] for part in parts] == [("Zoë", "", 25, 49), ("Zoë", "", 25, 49)]
