import csv
from functools import partial

import pytest

from fixtures.release_files import numbered_frames, write_clips, write_lines, write_video
from fixtures.timed_videos import rate_halved, write_timed
from microgesture.corpora import list_clips
from microgesture.errors import UnusableClip
from microgesture.study.annotations.columns import Borders, find_borders
from microgesture.study.parts import Ruler
from microgesture.study.start import plan_study, start_study


@pytest.fixture(scope="module")
def video(tmp_path_factory):
    """Ten frames in 0.4 seconds."""
    return write_video(tmp_path_factory.mktemp("video") / "clip.mp4", numbered_frames(10), fps=25)


@pytest.fixture
def folder(tmp_path, video):
    """Makes a folder of videos with these names."""
    return partial(write_clips, tmp_path / "recordings", video)


def started(root):
    """The study of a folder, and of each row: label, start, end."""
    study = root.parent / "study"
    said = start_study(study, root, gpu=False)
    with open(study / "clips.csv") as file:
        rows = {row["clip_id"]: (row["label"], row["start"], row["end"]) for row in csv.DictReader(file)}
    return said, rows


def test_rows_with_a_start_and_an_end_are_clips_of_their_own(folder):
    root = folder("a.mp4", "b.mp4", "c.mp4")
    lines = ["a,nod,5,9", "a,wave,0,4", "b,nod,2,8", "a,nod,7,6", "a,nod,,6", "a,nod,-1,6", "gone,nod,1,2"]
    write_lines(root / "list.csv", ["file,label,start,end", *lines])
    said, rows = started(root)
    assert rows == {"a_1": ("wave", "0", "4"), "a_2": ("nod", "5", "9"), "b": ("nod", "2", "8"), "c": ("", "", "")}
    assert any("list.csv: 3 parts of 2 files, in frames from 0" in line for line in said.found)
    assert any(line.startswith("list.csv: 3 rows have no valid start and end") for line in said.found)
    assert any(line.startswith("list.csv: 1 row names no") for line in said.found)


def test_the_reader_reads_the_parts(folder):
    root = folder("a.mp4", "b.mp4")
    write_lines(root / "list.csv", ["file;gesture;onset;offset", "a;wave;0;0,16", "a;nod;0,2;0,4", "b;nod;0,04;9"])
    started(root)
    table = list_clips("mine", "manifest", root.parent / "study", 1).table.set_index("clip_id")
    assert (table.status == "ok").all(), table.reason.to_list()
    assert table[["start", "end"]].to_numpy().tolist() == [[0, 3], [5, 9], [1, 9]]


def test_what_other_tables_and_folders_tell_of_a_file_holds_for_its_parts(folder):
    root = folder(*(f"s0{who}/talk.mp4" for who in range(5)))
    for who in range(5):
        lines = ["onset_ms\toffset_ms\tannotation", "0\t160\twave", "200\t400\tnod"]
        write_lines(root / f"s0{who}" / "talk.txt", lines)  # has no column that names the video
    said = plan_study(root.parent / "study", root, gpu=False)
    rows = list(csv.DictReader(said.manifest.splitlines()))
    assert [row["clip_id"] for row in rows[:3]] == ["s00_talk_1", "s00_talk_2", "s01_talk_1"]
    assert {(row["label"], row["start"], row["end"]) for row in rows} == {("wave", "0", "3"), ("nod", "5", "9")}
    assert len({row["subject"] for row in rows}) == 5
    assert all(len({row["split"] for row in rows if row["subject"] == f"s0{who}"}) == 1 for who in range(5))


def test_parts_of_one_file_stay_in_one_split_where_nobody_is_known(folder):
    root = folder(*(f"{name}.mp4" for name in "abcdefghij"))
    lines = [f"{name},{label},{start},{start + 2}" for name in "abcdefghij"
             for start, label in ((0, "wave"), (3, "nod"), (6, "wave"))]  # fmt: skip
    write_lines(root / "list.csv", ["file,label,start,end", *lines])
    said, _ = started(root)
    rows = list(csv.DictReader(said.manifest.splitlines()))
    assert {row["split"] for row in rows} == {"train", "val", "test"}
    assert all(len({row["split"] for row in rows if row["clip_id"][0] == name}) == 1 for name in "abcdefghij")
    assert any("Splits can only be proposed by file" in line for line in said.missing)


def test_times_say_nothing_of_keypoints_alone_but_frames_do(folder):
    root = folder("a.npz", "b.npz")
    write_lines(root / "list.csv", ["file,label,start_s,end_s", "a,wave,0,0.2", "b,nod,0,0.2"])
    said = plan_study(root.parent / "study", root, gpu=False)
    assert "start" not in said.manifest.splitlines()[0]
    assert any("list.csv: 2 files cannot be cut: keypoints have no frame rate" in line for line in said.found)
    write_lines(root / "list.csv", ["file,label,start_frame,end_frame", "a,wave,0,5", "b,nod,2,9"])
    _, rows = started(root)
    assert rows == {"a": ("wave", "0", "5"), "b": ("nod", "2", "9")}


@pytest.mark.parametrize(
    ("header", "borders"),
    [
        ("file,start,end", Borders(1, 2, "frames", guessed=True)),
        ("stop,start", Borders(1, 0, "frames", guessed=True)),
        ("StartFrame,EndFrame", Borders(0, 1, "frames")),
        ("frame_start,frame_end", Borders(0, 1, "frames")),
        ("first frame,last frame", Borders(0, 1, "frames")),
        ("start_time,end_time", Borders(0, 1, "seconds")),
        ("Start (s),Stop (s)", Borders(0, 1, "seconds")),  # BORIS
        ("Begin Time - ss.msec,End Time - ss.msec", Borders(0, 1, "seconds")),  # ELAN
        ("Begin Time - hh:mm:ss.ms,End Time - hh:mm:ss.ms", Borders(0, 1, "seconds")),
        ("Begin Time - msec,End Time - msec", Borders(0, 1, "milliseconds")),
        ("start_s,start_frame,end_s,end_frame", Borders(1, 3, "frames")),
        ("Time offset (s),Start (s),Stop (s)", Borders(1, 2, "seconds")),
        ("Start (s),Time offset (s)", None),
        ("start_ms,offset_ms", None),
        ("onset_s,offset_s", Borders(0, 1, "seconds")),
        ("Anfang,Ende", Borders(0, 1, "frames", guessed=True)),
        ("Temps de départ - PAL,temps de fin - PAL", Borders(0, 1, "PAL")),
        ("Begin Time - PAL,End Time - PAL,Begin Time - msec,End Time - msec", Borders(2, 3, "milliseconds")),
        ("start,end_frame", None),
        ("first,name", None),
        ("end,label", None),
        ("", None),
    ],
)
def test_columns_that_are_borders(header, borders):
    cells = header.split(",")
    assert find_borders([cells, ["0"] * len(cells)]) == borders


def test_borders_without_a_unit_are_seconds_if_one_could_be_no_frame():
    assert find_borders([["start", "end"], ["1", "2"], ["3", ""], ["4"], ["-1", "x"]]).unit == "frames"
    assert find_borders([["start", "end"], ["1", "2"], ["3", "4.5"]]).unit == "seconds"
    assert find_borders([["start", "end"], ["0:01", "0:02"]]).unit == "seconds"
    assert find_borders([]) is None


@pytest.mark.parametrize(
    ("start", "end", "unit", "frames"),
    [
        ("0", "9", "frames", (0, 9)),
        ("3.0", "3", "frames", (3, 3)),
        ("4", "3", "frames", None),
        ("x", "3", "frames", None),
        ("0", "0.4", "seconds", (0, 9)),
        ("0.04", "0.08", "seconds", (1, 1)),
        ("0.04", "0.0801", "seconds", (1, 1)),  # a frame belongs to the times that contain its middle
        ("0.04", "0.1001", "seconds", (1, 2)),
        ("0.041", "0.05", "seconds", (1, 1)),  # shorter than a frame
        ("0,1", "0,2", "seconds", (2, 4)),
        ("0:00:00.12", "00:00.2", "seconds", (3, 4)),
        ("0", "7", "seconds", (0, 9)),  # no further than the video
        ("0.2", "0.2", "seconds", None),  # a point in time
        ("5", "6", "seconds", None),
        ("nan", "1", "seconds", None),
        ("40", "200", "milliseconds", (1, 4)),
    ],
)
def test_frames_of_a_part(video, start, end, unit, frames):
    assert Ruler(video).frames(start, end, unit) == frames


def test_a_damaged_video_is_told_of(tmp_path):
    path = tmp_path / "bad.mp4"
    path.write_bytes(b"no video")
    with pytest.raises(UnusableClip, match="not a readable video"):
        Ruler(path).frames("0", "1", "seconds")
    assert Ruler(path).frames("0", "1", "frames") == (0, 1)


def test_times_of_a_video_whose_rate_varies_are_those_of_its_frames(tmp_path):
    root = tmp_path / "recordings"
    write_timed(root / "a.mp4", rate_halved(), rate=30)
    write_lines(root / "list.csv", ["file,label,start_s,end_s", "a,wave,2.0,2.4", "a,nod,3.0,3.4"])
    said, rows = started(root)
    assert rows == {"a_1": ("wave", "60", "65"), "a_2": ("nod", "75", "80")}
    assert sum("The frame rate of 1 video varies (the first is a, with 22.5" in line for line in said.found) == 1
