"""Exports of ELAN and BORIS in a folder of recordings: which frames become clips, and what is said of the rest."""

import csv
import gzip
import re
import unicodedata

import pytest

from fixtures.annotation_files import (
    AGGREGATED,
    ELAN_TIMES,
    TABULAR,
    blank_video,
    boris_observation,
    elan_times,
    write_boris_project,
    write_boris_table,
    write_eaf,
)
from fixtures.release_files import keypoints as made_points
from fixtures.release_files import write_lines, write_npz, write_sheets, write_xlsx
from microgesture.cli import main
from microgesture.errors import InputError
from microgesture.study.start import plan_study


@pytest.fixture(scope="module")
def videos(tmp_path_factory):
    """A video of 8 seconds, and one of 2.4 seconds, at 25 frames per second."""
    folder = tmp_path_factory.mktemp("videos")
    return blank_video(folder / "long.mp4", 8).read_bytes(), blank_video(folder / "short.mp4", 2.4).read_bytes()


@pytest.fixture
def root(tmp_path):
    """The folder of the recordings."""
    return tmp_path


@pytest.fixture
def folder(root, videos):
    """Makes a folder of videos of 8 seconds; those called part1 have 2.4 seconds."""

    def make(*names):
        for name in names:
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            (root / name).write_bytes(videos["part1" in name])
        return root

    return make


def planned(root, *tiers):
    """What init says in one text, and the rows: video, label, subject, start, end."""
    options = {"tiers": tiers} if tiers else {}
    study = plan_study(root.parent / "study", root, gpu=False, **options)
    rows = [
        (
            row["video"].rpartition("/")[2],
            row["label"],
            row["subject"],
            *((int(row["start"]), int(row["end"])) if row.get("start") else ()),
        )
        for row in csv.DictReader(study.manifest.splitlines())
    ]
    return "\n".join((*study.found, *study.missing)), sorted(rows)


# BORIS


def shown(media, lengths, more=()):
    """What all rows of aggregated events have in common."""
    return {"Source": f"player #1:{media}", "Media duration (s)": lengths, "Behavior type": "STATE", **dict(more)}


def test_the_time_offset_of_boris_is_subtracted(folder):
    root = folder("a.mp4")
    row = {"Behavior": "wave", "Start (s)": "11.000", "Stop (s)": "12.000", "Subject": "P01"}
    write_boris_table(
        root / "events.tsv",
        AGGREGATED,
        [row],
        shown("videos/a.mp4", "8.000", {"Time offset (s)": "10.0"}),
    )
    assert planned(root)[1] == [("a.mp4", "wave", "P01", 25, 49)]
    row |= {"Start (s)": "-9.000", "Stop (s)": "-8.000", "Time offset (s)": "-10.0"}
    write_boris_table(root / "events.tsv", AGGREGATED, [row], shown("videos/a.mp4", "8.000"))
    assert planned(root)[1] == [("a.mp4", "wave", "P01", 25, 49)]


def test_several_files_of_a_player_run_on_after_each_other(folder):
    root = folder("part1.mp4", "part2.mp4")
    rows = [
        {"Behavior": "wave", "Start (s)": "0.400", "Stop (s)": "0.800"},
        {"Behavior": "nod", "Start (s)": "3.400", "Stop (s)": "4.400"},
        {"Behavior": "nod", "Start (s)": "2.000", "Stop (s)": "2.600"},  # over the border of the two files
    ]
    write_boris_table(
        root / "events.tsv",
        AGGREGATED,
        rows,
        shown(
            "C:/x/part1.mp4;C:/x/part2.mp4",
            "2.400;8.000",
            {"Subject": "No focal subject", "Media file name": "C:/x/part1.mp4"},
        ),
    )
    told, parts = planned(root)
    assert parts == [("part1.mp4", "wave", "", 10, 19), ("part2.mp4", "nod", "", 25, 49)]
    assert "1 events run on into the next file" in told


def test_other_players_are_other_views_of_the_same_time(folder):
    root = folder("part1.mp4", "part2.mp4", "side.mp4")
    rows = [{"Behavior": "nod", "Start (s)": "3.400", "Stop (s)": "4.400"}]
    write_boris_table(
        root / "events.tsv",
        AGGREGATED,
        rows,
        shown("part1.mp4;part2.mp4|player #2:side.mp4", "2.400;8.000|10.4"),
    )
    assert ("part2.mp4", "nod", "", 25, 49) in planned(root)[1]


def test_a_part_of_a_player_that_is_not_there_is_not_looked_for_elsewhere(folder):
    root = folder("part1.mp4")
    rows = [
        {"Behavior": "wave", "Start (s)": "0.400", "Stop (s)": "0.800"},
        {"Behavior": "nod", "Start (s)": "3.400", "Stop (s)": "4.400"},
    ]
    write_boris_table(
        root / "part1.tsv",
        AGGREGATED,
        rows,
        shown("part1.mp4;part2.mp4", "2.400;8.000"),
    )
    told, parts = planned(root)
    assert parts == [("part1.mp4", "wave", "", 10, 19)]
    assert "part1.tsv: 1 rows name no existing clip" in told


def test_several_files_without_their_lengths_are_not_guessed(folder):
    root = folder("part1.mp4", "part2.mp4")
    header = "Observation id\tMedia file\tTotal length\tFPS\tSubject\tBehavior\tBehavior type\tStart (s)\tStop (s)"
    rows = [
        "o\tpart1.mp4\t10.400\t25.0\tP01\twave\tSTATE\t0.4\t0.8",
        "o\tpart2.mp4\t10.400\t25.0\tP01\tnod\tSTATE\t3.4\t4.4",
    ]
    write_lines(root / "old.tsv", [header, *rows])  # BORIS 6
    told, parts = planned(root)
    assert parts == [("part1.mp4", "", ""), ("part2.mp4", "", "")]
    assert "2 events are in one of several files of a player" in told


def test_starts_and_stops_of_boris_are_paired(folder):
    root = folder("a.mp4")
    events = [
        ("P01", "wave", "left", "START", "1.000"),
        ("P02", "wave", "left", "START", "1.200"),
        ("P01", "nod", "", "POINT", "1.400"),
        ("P01", "wave", "right", "START", "1.500"),
        ("P01", "wave", "left", "STOP", "2.000"),
        ("P02", "wave", "left", "STOP", "2.200"),
        ("P02", "nod", "", "START", "3.000"),
    ]
    keys = ("Subject", "Behavior", "Modifier #1", "Behavior type", "Time")
    write_boris_table(
        root / "events.tsv",
        TABULAR,
        [dict(zip(keys, event, strict=True)) for event in events],
        {"Source": "player #1:a.mp4", "Time offset (s)": "0.6", "Media duration (s)": "8.000"},
    )
    told, parts = planned(root)
    assert parts == [("a.mp4", "wave", "P01", 10, 34), ("a.mp4", "wave", "P02", 15, 39)]
    assert "2 events are a START or STOP without the other" in told
    assert "1 events are points in time" in told


def test_the_tabular_export_of_boris_6_with_its_preamble(folder):
    root = folder("a.mp4")
    preamble = ["Observation id\to", "", "Media file(s)", "Player #1\ta.mp4", "", "Time offset (s)\t10.0", ""]
    header = "Time\tMedia file path\tTotal length\tFPS\tSubject\tBehavior\tBehavioral category\tComment\tStatus"
    rows = [
        f"{time}\ta.mp4\t8.000\t25.0\tP01\twave\t\t\t{status}" for time, status in (("11.0", "START"), ("12.0", "STOP"))
    ]
    write_lines(root / "o.tsv", [*preamble, header, *rows])
    assert planned(root)[1] == [("a.mp4", "wave", "P01", 25, 49)]


@pytest.mark.parametrize("ending", [".boris", ".boris.gz"])
def test_a_project_of_boris(folder, ending):
    root = folder("part1.mp4", "part2.mp4")
    events = [
        (10.4, "P01", "wave"), (10.8, "P01", "wave"), (11, "P01", "blink"), (13.4, "", "nod"), (14.4, "", "nod"),
        (15.0, "P01", "nod"), (11.2, "P02", "gone"),
    ]  # fmt: skip
    observation = boris_observation({"x/part1.mp4": 2.4004, "x/part2.mp4": 8.0}, events, offset=10.0)
    path = write_boris_project(root / "study.boris", {"o": observation, "live": {**observation, "type": "LIVE"}})
    if ending == ".boris.gz":
        (root / "study.boris.gz").write_bytes(gzip.compress(path.read_bytes()))
        path.unlink()
    told, parts = planned(root)
    assert parts == [("part1.mp4", "wave", "P01", 10, 19), ("part2.mp4", "nod", "", 25, 49)]
    assert "2 events are points in time" in told
    assert "1 events have a start and no stop" in told
    assert "7 events are of an observation without media files" in told


def test_a_project_of_boris_with_the_creation_of_media_as_offset(folder):
    root = folder("a.mp4", "b.mp4")
    made = {"a.mp4": 1700000000.0, "b.mp4": 1700000100.0}
    observation = boris_observation(
        {"a.mp4": 8.0, "b.mp4": 8.0},
        [
            (made[name] + second, "P01", label)
            for name, label in (("a.mp4", "wave"), ("b.mp4", "nod"))
            for second in (1, 2)
        ],
        media_creation_date_as_offset=True,
    )
    observation["media_info"]["media_creation_time"] = made
    write_boris_project(root / "study.boris", {"o": observation})
    assert planned(root)[1] == [("a.mp4", "wave", "P01", 25, 49), ("b.mp4", "nod", "P01", 25, 49)]


def test_a_video_that_was_cut_after_it_was_annotated_is_doubted(folder):
    root = folder("part2.mp4")
    header = "Observation id\tMedia file\tTotal length\tSubject\tBehavior\tBehavior type\tStart (s)\tStop (s)"
    write_lines(root / "old.tsv", [header, "o\tpart2.mp4\t10.400\tP01\tnod\tSTATE\t3.4\t4.4"])  # with part1 before it
    assert "part2 lasts 8.0 s, but lasted 10.4 s" in planned(root)[0]
    write_lines(root / "old.tsv", [header, "o\tpart2.mp4\t8.040\tP01\tnod\tSTATE\t3.4\t4.4"])
    assert "lasts" not in planned(root)[0]


def test_renamed_columns_do_not_hide_the_time_offset(folder):
    root = folder("a.mp4")
    write_lines(root / "list.csv", ["video,gesture,Time offset (s),Start (s),Stop (s)", "a.mp4,wave,10,11.0,12.0"])
    assert planned(root)[1] == [("a.mp4", "wave", "", 25, 49)]


def test_nobody_is_no_person(folder):
    root = folder("a.mp4", "b.mp4")
    write_lines(root / "list.csv", ["file,label,subject", "a,wave,No focal subject", "b,nod,P02"])
    assert planned(root)[1] == [("a.mp4", "wave", ""), ("b.mp4", "nod", "P02")]


# ELAN


def test_of_several_tiers_in_rows_one_is_asked_for(folder):
    root = folder("interview.mp4")
    header = "Tier\tBegin Time - ss.msec\tEnd Time - ss.msec\tAnnotation"
    rows = ["gesture\t1.0\t2.0\twave", "gaze\t0.0\t4.0\tup", "gesture\t3.0\t4.0\tnod"]
    write_lines(root / "interview.txt", [header, *rows])
    with pytest.raises(InputError, match=r"gesture \(2 annotations\), gaze \(1 annotations\)"):
        planned(root)
    told, parts = planned(root, "gesture")
    assert parts == [("interview.mp4", "nod", "", 75, 99), ("interview.mp4", "wave", "", 25, 49)]
    assert "interview.txt: 1 annotations of other tiers are not used (gaze)" in told
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
    assert "all.txt: 1 rows name no existing clip" in told


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
    assert "1 annotations begin where another with the same label ends" in planned(root, "gesture")[0]


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
    assert "coded.eaf: 2 parts of 1 files" in told


def test_a_renamed_video_keeps_the_file_of_elan_with_its_new_name(folder):
    root = folder("interview.mp4")
    write_eaf(root / "interview.eaf", "GOPR0012.MP4", {"gesture": [(1000, 2000, "wave")]})
    told, parts = planned(root)
    assert parts == [("interview.mp4", "wave", "", 25, 49)]
    assert "GOPR0012.MP4" in told


# Several tables


def test_two_coders_are_two_opinions(folder):
    root = folder("a.mp4", "b.mp4", "c.mp4")
    header = "file,label,start_frame,end_frame"
    write_lines(root / "anna.csv", [header, "a,wave,0,24", "a,nod,50,74", "b,nod,0,24"])
    write_lines(root / "ben.csv", [header, "a,wave,0,24", "a,wave,50,74", "b,nod,0,24", "c,nod,0,24"])
    told, parts = planned(root)
    expected = [("a.mp4", "nod", "", 50, 74), ("a.mp4", "wave", "", 0, 24), ("b.mp4", "nod", "", 0, 24)]
    assert parts == [*expected, ("c.mp4", "nod", "", 0, 24)]
    assert "anna.csv and ben.csv: two opinions about 1 files" in told
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
    assert "interview.txt: 1 rows repeat another row" in told


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
    assert "1 annotations of other tiers are not used ({x})" in told


# What is not used


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


# Workbooks


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
