"""Tables that are not used, units that are doubted, and the sheets of workbooks."""

import pytest

from fixtures.annotation_files import (
    planned,
    write_eaf,
)
from fixtures.release_files import keypoints as made_points
from fixtures.release_files import write_lines, write_npz, write_sheets, write_xlsx
from microgesture.study.start import plan_study


def test_every_table_that_is_not_used_is_named_with_the_reason(folder):
    root = folder("a.mp4", "b.mp4")
    write_lines(root / "notes.txt", ["call the dentist"])
    write_lines(root / "weather.csv", ["day,rain", "1,0.5"])
    write_lines(root / "empty.csv", [])
    write_lines(root / "separators.csv", ["x;y", ",,,", " , "])
    write_lines(root / "quotes.csv", ["file,label", 'a,"wave" he said', "b,nod"])
    write_lines(root / "comments.csv", ["file,remark,day", "a,blurred,1", "b,dark,2"])
    (root / "old.xls").write_bytes(b"\xd0\xcf\x11\xe0")
    write_lines(root / "praat.TextGrid", ['File type = "ooTextFile"'])
    write_eaf(root / "others.eaf", "elsewhere.mp4", {"gesture": [(0, 10, "x")], "gaze": [(0, 10, "x")]})
    write_lines(root / "onset.csv", ["file,label,start", "a,wave,0", "a,nod,5"])
    told, _ = planned(root)
    lines = told.splitlines()
    for name in (
        "notes.txt",
        "weather.csv",
        "empty.csv",
        "comments.csv",
        "old.xls",
        "praat.TextGrid",
        "others.eaf",
        "onset.csv",
        "separators.csv",
        "quotes.csv",
    ):
        assert any(name in line for line in lines), name
    assert sum("names no clip" in line for line in lines) == 1


@pytest.mark.parametrize(
    ("rows", "expected", "words"),
    [
        (["a,wave,1,2", "a,nod,3,5"], (1, 2), ("taken as frames", "could as well be seconds")),
        (["a,wave,0,190"], (0, 190), ()),
        (["a,wave,1000,2000", "a,nod,3000,5000"], (25, 49), ("taken as milliseconds",)),
        (["a,wave,100,99999"], (100, 99999), ("99999 in a, which has 200 frames",)),
    ],
)
def test_whole_numbers_without_a_unit_are_doubted(folder, rows, expected, words):
    root = folder("a.mp4")
    write_lines(root / "list.csv", ["file,label,start,end", *rows])
    told, parts = planned(root)
    assert ("a.mp4", "wave", "", *expected) in parts
    assert all(word in told for word in words)
    assert ("no unit" in told) == bool(words)


def test_keypoints_alone_have_no_rate_so_whole_numbers_are_frames(root):
    write_npz(root / "a.npz", made_points(20, 137))
    write_lines(root / "list.csv", ["file,label,start,end", "a,wave,1,5"])
    study = plan_study(root.parent / "study", root, gpu=False)
    assert "1,5" in study.manifest


def test_ids_that_a_workbook_holds_as_numbers(folder):
    root = folder("0001.mp4", "0002.mp4", "0010.mp4")
    write_xlsx(root / "list.xlsx", [["id", "label"], [1, "wave"], [2, "nod"], [10, "nod"]])
    assert planned(root)[1] == [("0001.mp4", "wave", ""), ("0002.mp4", "nod", ""), ("0010.mp4", "nod", "")]


def test_every_sheet_of_a_workbook_is_read(folder):
    root = folder("a.mp4", "b.mp4")
    write_sheets(
        root / "labels.xlsx",
        {
            "about": [["made by", "Anna"]],
            "labels": [["file", "label"], ["a", "wave"], ["b", "nod"]],
            "people": [["file", "subject"], ["a", "P01"], ["b", "P02"]],
            "Sheet4": [],
        },
    )
    told, parts = planned(root)
    assert parts == [("a.mp4", "wave", "P01"), ("b.mp4", "nod", "P02")]
    assert "labels.xlsx (sheet people): the subject of 2 clips" in told
    assert "labels.xlsx (sheet about): not used, because it names no clip" in told


def test_a_sheet_for_each_recording(folder):
    root = folder("a.mp4", "b.mp4")
    header = ["start_s", "end_s", "label"]
    write_sheets(root / "all.xlsx", {"a": [header, [1, 2, "wave"]], "b": [header, [3.0, 4.0, "nod"]]})
    assert planned(root)[1] == [("a.mp4", "wave", "", 25, 49), ("b.mp4", "nod", "", 75, 99)]
