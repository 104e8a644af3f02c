"""Tables that are not used, units that are doubted, and the sheets of workbooks."""

from pathlib import PurePosixPath

import pytest
import xlsxwriter

from fixtures.annotation_files import (
    blank_video,
    planned,
    write_eaf,
)
from fixtures.release_files import keypoints as made_points
from fixtures.release_files import write_lines, write_npz, write_sheets, write_xlsx
from microgesture.study.sheets import read_sheets
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
        (["a,wave,2,8"], (2, 8), ("could as well be seconds",)),  # the whole video has 8 seconds
        (["a,wave,2,9"], (2, 9), ()),
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


def test_long_gestures_could_be_milliseconds(root):
    blank_video(root / "a.mp4", 20)
    for end, doubted in ((300, True), (299, False)):
        write_lines(root / "list.csv", ["file,label,start,end", f"a,wave,100,{end}"])
        told, parts = planned(root)
        assert parts == [("a.mp4", "wave", "", 100, end)]
        assert ("milliseconds" in told and "seconds or" not in told) == doubted


def test_the_unit_is_judged_by_the_latest_ends(folder):
    """Six videos are annotated within their 200 frames, and only the first one beyond."""
    names = [f"{letter}.mp4" for letter in "abcdefg"]
    root = folder(*names)
    write_lines(root / "list.csv", ["file,label,start,end", "a,wave,1000,2000", *(f"{n},nod,0,100" for n in names[1:])])
    told, parts = planned(root)
    assert ("a.mp4", "wave", "", 25, 49) in parts
    assert "taken as milliseconds" in told


def test_ends_in_a_unit_that_was_guessed_are_compared_with_the_video(folder):
    """Five videos of 8 seconds decide that these are milliseconds, and one of 2.4 seconds is annotated until 4."""
    names = [*(f"{letter}.mp4" for letter in "abcde"), "part1.mp4"]
    root = folder(*names)
    rows = [*(f"{name},wave,1000,7000" for name in names[:5]), "part1.mp4,nod,1000,4000"]
    write_lines(root / "list.csv", ["file,label,start,end", *rows])
    told, _ = planned(root)
    assert "part1 lasts 2.4 s" in told


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


@pytest.mark.parametrize("sheets", [1, 2])
def test_a_sheet_is_named_where_there_are_several(tmp_path, sheets):
    rows = [["file", "label"], ["a", "wave"]]
    write_sheets(tmp_path / "labels.xlsx", {**{f"part {n}": rows for n in range(sheets)}, "empty": []})
    named = [sheet.name for sheet in read_sheets(tmp_path, PurePosixPath("labels.xlsx"))]
    assert named == (["labels.xlsx"] if sheets == 1 else ["labels.xlsx (sheet part 0)", "labels.xlsx (sheet part 1)"])


def test_a_sheet_for_each_recording(folder):
    root = folder("a.mp4", "b.mp4")
    header = ["start_s", "end_s", "label"]
    write_sheets(root / "all.xlsx", {"a": [header, [1, 2, "wave"]], "b": [header, [3.0, 4.0, "nod"]]})
    assert planned(root)[1] == [("a.mp4", "wave", "", 25, 49), ("b.mp4", "nod", "", 75, 99)]


@pytest.mark.parametrize("first_row", ["sep=;", '"sep=;"', "SEP=;"])
def test_a_first_row_that_tells_excel_the_separator(folder, first_row):
    root = folder("a.mp4")
    write_lines(root / "list.csv", [first_row, "file;start;end;label", "a;0,52;1;wave", "a;?;4;nod"], end="\r\n")
    told, parts = planned(root)
    assert parts == [("a.mp4", "wave", "", 13, 24)]
    assert "the first is row 4" in told


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be"])
def test_unicode_text_of_excel(folder, encoding):
    root = folder("a.mp4", "b.mp4")
    mark = "" if encoding == "utf-16" else "\ufeff"
    (root / "list.txt").write_bytes(f"{mark}file\tlabel\r\na\tLächeln\r\nb\tNicken\r\n".encode(encoding))
    assert planned(root)[1] == [("a.mp4", "Lächeln", ""), ("b.mp4", "Nicken", "")]


def test_formulas_without_a_value_and_errors_are_counted(folder):
    root = folder("a.mp4", "b.mp4", "c.mp4", "d.mp4")
    with xlsxwriter.Workbook(root / "list.xlsx") as book:
        sheet = book.add_worksheet()
        for row, name in enumerate(["file", "a", "b", "c", "d"]):
            sheet.write(row, 0, name)
        sheet.write(0, 1, "label")
        sheet.write_formula(1, 1, "=D2", None, "wave")
        sheet.write_formula(2, 1, "=D3", None, "")  # as programs write it that do not compute
        sheet.write_formula(3, 1, "=NA()", None, "#N/A")
        sheet.write(4, 1, "nod")
    told, rows = planned(root)
    assert [label for _, label, _ in rows] == ["wave", "", "", "nod"]
    assert "2 cells count as empty" in told
    assert "the first is B3" in told


@pytest.mark.parametrize(
    ("header", "words"),
    [
        ("file,label,label", ("label", "(2)", "(3)")),
        ("file,class_id,class_name", ("class_id", "class_name")),
        ("file,gesture,remark", ()),
    ],
)
def test_a_second_column_with_labels_is_named(folder, header, words):
    root = folder("a.mp4", "b.mp4")
    write_lines(root / "list.csv", [header, "a,1,wave", "b,2,nod"])
    told, rows = planned(root)
    assert [label for _, label, _ in rows] == ["1", "2"]
    assert ("not from" in told) == bool(words)
    assert all(word in told for word in words)


def test_formats_that_are_not_read_are_named_and_not_a_file_for_each_frame(folder):
    root = folder("a.mp4")
    for frame in range(50):
        (root / f"a_{frame:012}_keypoints.json").write_text('{"people": []}')
    for name in ("annotations.xml", "a.srt", "train.pkl"):
        (root / name).write_bytes(b"?")
    (root / "~$list.xlsx").write_bytes(b"\x05Anna")  # Excel's mark of an open workbook
    told, _ = planned(root)
    [line] = [line for line in told.splitlines() if "format is not read" in line]
    assert all(name in line for name in ("annotations.xml", "a.srt", "train.pkl", "45 more"))
    assert len(line) < 500
    assert "~$" not in told


@pytest.mark.parametrize(("end", "doubted"), [("8.0", False), ("8.9", False), ("00:09.5", True), ("11.0", True)])
def test_annotations_that_end_after_their_video_are_doubted(folder, end, doubted):
    root = folder("a.mp4")
    write_lines(root / "list.csv", ["file,start_s,end_s,label", f"a,6.0,{end},wave"])
    told, parts = planned(root)
    assert parts == [("a.mp4", "wave", "", 150, 199)]
    assert ("a lasts 8.0 s" in told) == doubted


def test_a_table_with_the_name_of_a_clip_and_no_times_is_not_said_to_name_none(folder):
    root = folder("a.mp4")
    write_lines(root / "a.csv", ["frame,brightness", "0,12", "1,13"])
    told, _ = planned(root)
    assert "a.csv: not used, because it has the name of a clip, but no start and end" in told
