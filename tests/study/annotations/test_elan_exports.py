"""Exports and files of ELAN in a folder of recordings: which frames become clips."""

import re
import unicodedata

import pytest

from fixtures.annotation_files import (
    ELAN_TIMES,
    elan_times,
    planned,
    write_eaf,
)
from fixtures.release_files import write_lines
from microgesture.cli import main
from microgesture.errors import InputError


def test_of_several_tiers_in_rows_one_is_asked_for(folder):
    root = folder("interview.mp4")
    header = "Tier\tBegin Time - ss.msec\tEnd Time - ss.msec\tAnnotation"
    rows = ["gesture\t1.0\t2.0\twave", "gaze\t0.0\t4.0\tup", "gesture\t3.0\t4.0\tnod"]
    write_lines(root / "interview.txt", [header, *rows])
    with pytest.raises(InputError, match=r"gesture \(2 annotations\), gaze \(1 annotations\)"):
        planned(root)
    told, parts = planned(root, "gesture")
    assert parts == [("interview.mp4", "nod", "", 75, 99), ("interview.mp4", "wave", "", 25, 49)]
    assert "interview.txt: 1 annotation of other tiers, not used (gaze)" in told
    assert len(planned(root, "gesture", "gaze")[1]) == 3
    with pytest.raises(InputError, match=r"'hand'.*gaze, gesture"):
        planned(root, "hand")
    write_lines(root / "interview.txt", ["tier;start;end;label", "gesture;1,0;2,0;wave", "gaze;0,0;4,0;up"])
    with pytest.raises(InputError, match="--tier"):
        planned(root)


def test_the_command_asks_for_a_tier_and_writes_nothing(folder, capsys):
    root = folder("interview.mp4")
    write_eaf(root / "interview.eaf", "interview.mp4", {"gesture": [(1000, 2000, "wave")], "gaze": [(0, 10, "up")]})
    study = root.parent / "study"
    assert main(["init", str(study), "--from", str(root)]) == 1
    assert "--tier" in capsys.readouterr().err
    assert not study.exists()
    with pytest.raises(SystemExit, match="0"):
        main(["init", str(study), "--from", str(root), "--tier", "gesture"])
    assert "wave" in (study / "clips.csv").read_text()


def test_a_column_for_each_tier(folder):
    root = folder("interview.mp4", "other.mp4")
    header = ELAN_TIMES.format("Begin Time", "End Time", "Duration") + "\tgesture\tgaze\tFile Name"
    rows = [f"{elan_times(1, 2)}\twave\tup\tinterview.eaf", f"{elan_times(3, 4)}\t\tdown\tinterview.eaf",
            f"{elan_times(5, 6)}\tnod\t\tother.eaf", f"{elan_times(5, 6)}\tnod\t\tgone.eaf"]  # fmt: skip
    write_lines(root / "all.txt", [header, *rows])
    with pytest.raises(InputError, match=r"gesture \(2 annotations\), gaze \(2 annotations\)"):
        planned(root)
    told, parts = planned(root, "gesture")
    assert parts == [("interview.mp4", "wave", "", 25, 49), ("other.mp4", "nod", "", 125, 149)]
    assert "all.txt: 1 row names no existing clip" in told


def test_the_default_export_without_headings(folder):
    root = folder("interview.mp4")
    rows = [f"gesture\tP01\t{elan_times(1, 2)}\twave", f"gesture\tP01\t{elan_times(3, 4.4)}\tnod"]
    assert all(len(row.split("\t")) == 9 for row in rows)
    write_lines(root / "interview.txt", rows)
    told, parts = planned(root)
    assert parts == [("interview.mp4", "nod", "P01", 75, 109), ("interview.mp4", "wave", "P01", 25, 49)]
    assert "no headings" in told


def test_exports_without_headings_in_other_formats(folder):
    root = folder("interview.mp4")
    expected = [("interview.mp4", "wave", "", 25, 49)]
    for row in (
        "gesture\t1000\t2000\t1000\twave",
        "gesture\t1000\t2000\t1001\twave",  # a rounded duration
        "gesture\t00:00:01:00\t00:00:02:00\t00:00:01:00\twave",
        "00:00:01.000\t00:00:02.000\twave",
        "gesture\t\t1000\t00:00:01:00\t2000\t00:00:02:00\twave",
        f"gesture\t\t{elan_times(1, 2)}\twave\tinterview.eaf\tC:/x/interview.eaf",
    ):
        write_lines(root / "interview.txt", [row])
        assert planned(root)[1] == expected, row


def test_rows_without_headings_that_name_clips_are_no_export_of_elan(folder):
    root = folder("a.mp4", "b.mp4")
    write_lines(root / "list.csv", ["a.mp4,0,50,50,wave", "b.mp4,10,60,50,nod"])
    told, parts = planned(root)
    assert parts == [("a.mp4", "", ""), ("b.mp4", "", "")]
    assert "list.csv" in told
    write_lines(root / "list.csv", ["a.mp4\t0:00:01.0\t0:00:02.0\twave", "b.mp4\t0:00:03.0\t0:00:04.0\tnod"])
    assert planned(root)[1] == [("a.mp4", "wave", "", 25, 49), ("b.mp4", "nod", "", 75, 99)]


def test_numbers_that_are_no_times(folder):
    root = folder("a.mp4")
    write_lines(root / "phones.csv", ["Anna,123456789012,123456789012,0", "Ben,123456789013,123456789013,0"])
    told, parts = planned(root)
    assert parts == [("a.mp4", "", "")]
    assert "phones.csv: not used" in told


def test_lines_with_the_media_come_first(folder):
    root = folder("interview.mp4", "other.mp4")
    media = "-- offset: 0, duration: 00:00:08.000 / 8.000 / 8000, ms per sample: 40.0"
    sound = [f'"#file:///D:/my%20study/interview.wav {media}"', f'"#file:///D:/my%20study/interview.mp4 {media}"']
    header = ELAN_TIMES.format("Begin Time", "End Time", "Duration") + "\tgesture"
    write_lines(root / "first.txt", [*sound, header, f"{elan_times(1, 2)}\twave"])
    rows = ["", '"#other.eaf"', f"gesture\t\t{elan_times(3, 4)}\tnod"]
    write_lines(root / "second.txt", rows)
    assert planned(root)[1] == [("interview.mp4", "wave", "", 25, 49), ("other.mp4", "nod", "", 75, 99)]


def test_lines_with_the_media_before_other_headings(folder):
    root = folder("interview.mp4")
    write_lines(
        root / "a.csv", ['"#file:///D:/interview.mp4 -- offset: 0",,,', "start_s,end_s,label,remark", "1,2,wave,x"]
    )
    assert planned(root)[1] == [("interview.mp4", "wave", "", 25, 49)]


def test_a_column_tier_of_whole_recordings_is_none(folder):
    root = folder("a.mp4", "b.mp4")
    write_lines(root / "list.csv", ["file,label,tier", "a,wave,gold", "b,nod,silver"])
    assert planned(root)[1] == [("a.mp4", "wave", ""), ("b.mp4", "nod", "")]


def test_the_offset_of_the_media_is_added(folder):
    root = folder("a.mp4", "b.mp4")
    header = "Begin Time - ss.msec\tEnd Time - ss.msec\tgesture"
    write_lines(root / "a.txt", ['"#file:///D:/a.mp4 -- offset: 1000"', header, "1.0\t2.0\twave"])
    write_eaf(root / "b.eaf", "b.mp4", {"gesture": [(1000, 2000, "nod")]}, origin=1000)
    told, parts = planned(root)
    assert parts == [("a.mp4", "wave", "", 50, 74), ("b.mp4", "nod", "", 50, 74)]
    assert "the offset of the media" in told


def test_the_length_that_the_coder_saw_is_compared(folder):
    root = folder("a.mp4")
    media = '"#file:///D:/a.mp4 -- offset: 0, duration: 00:00:{0:06.3f} / {0:.1f} / {1}, ms per sample: 40.0"'
    header = "Begin Time - ss.msec\tEnd Time - ss.msec\tgesture"
    for seconds in (8, 12):
        write_lines(root / "a.txt", [media.format(seconds, seconds * 1000), header, "1.0\t2.0\twave"])
        assert ("a lasts 8.0 s, but lasted 12.0 s" in planned(root)[0]) == (seconds == 12)


def test_annotation_ids_are_no_part_of_labels_and_join_pieces(folder):
    root = folder("a.mp4")
    header = "Begin Time - ss.msec\tEnd Time - ss.msec\tgesture\tphase"
    rows = [
        "1.0\t1.4\tbig wave [a1]\tprepare [a2]",
        "1.4\t2.0\tbig wave [a1]\tstroke [a3]",
        "3.0\t4.0\tbig wave [a4]\t",
    ]
    write_lines(root / "a.txt", [header, *rows])
    assert planned(root, "gesture")[1] == [("a.mp4", "big wave", "", 25, 49), ("a.mp4", "big wave", "", 75, 99)]
    write_lines(root / "a.txt", [header, *(re.sub(r" \[a\d\]", "", row) for row in rows)])
    assert "1 annotation begins where another with the same label ends" in planned(root, "gesture")[0]


@pytest.mark.parametrize(
    ("begin", "end", "duration"),
    [
        ("Begin Time", "End Time", "Duration"),
        ("Anfangszeit", "Endzeit", "Dauer"),
        ("Temps de départ", "temps de fin", "Durée"),
        (*(unicodedata.normalize("NFD", name) for name in ("Temps de départ", "temps de fin", "Durée")),),
        ("Tiempo de inicio", "Tiempo final", "Duración"),
    ],
)
def test_headings_in_the_language_of_the_user(folder, begin, end, duration):
    root = folder("interview.mp4")
    header = ELAN_TIMES.format(begin, end, duration) + "\tgesture"
    write_lines(root / "interview.txt", [header, f"{elan_times(1, 2)}\twave"])
    assert planned(root)[1] == [("interview.mp4", "wave", "", 25, 49)]


@pytest.mark.parametrize(("heading", "rate"), [("PAL", 25), ("PAL-50fps", 50), ("hh:mm:ss:ff", 25)])
def test_timecodes_count_frames(folder, heading, rate):
    root = folder("interview.mp4")
    header = f"Begin Time - {heading}\tEnd Time - {heading}\tAnnotation"
    write_lines(root / "interview.txt", [header, f"00:00:01:{rate // 5:02}\t00:00:02:00\twave"])
    assert planned(root)[1] == [("interview.mp4", "wave", "", 30, 49)]
    write_lines(root / "interview.txt", ["start,end,label", "00:00:01:05,00:00:02:00,wave"])
    assert planned(root)[1] == [("interview.mp4", "wave", "", 30, 49)]


def test_a_file_of_elan(folder):
    root = folder("interview.mp4")
    write_eaf(root / "coded.eaf", "interview.mp4", {"gesture": [(1000, 2000, "wave"), (3000, 4000, "nod")]})
    told, parts = planned(root)
    assert parts == [("interview.mp4", "nod", "", 75, 99), ("interview.mp4", "wave", "", 25, 49)]
    assert "coded.eaf: 2 parts of 1 file," in told


def test_a_renamed_video_keeps_the_file_of_elan_with_its_new_name(folder):
    root = folder("interview.mp4")
    write_eaf(root / "interview.eaf", "GOPR0012.MP4", {"gesture": [(1000, 2000, "wave")]})
    told, parts = planned(root)
    assert parts == [("interview.mp4", "wave", "", 25, 49)]
    [line] = [line for line in told.splitlines() if "GOPR0012.MP4" in line]
    assert line.startswith("interview.eaf: ")
