"""Exports and projects of BORIS in a folder of recordings: which frames become clips."""

import gzip

import pytest

from fixtures.annotation_files import (
    AGGREGATED,
    TABULAR,
    boris_observation,
    planned,
    write_boris_project,
    write_boris_table,
)
from fixtures.release_files import write_lines
from microgesture.study.annotations import boris_project


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
    assert "1 event runs on into the next file" in told


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
    assert "part1.tsv: 1 row names no existing clip" in told


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
    assert "1 event has no duration" in told


def test_the_tabular_export_of_boris_6_with_its_preamble(folder):
    root = folder("a.mp4")
    preamble = ["Observation id\to", "", "Media file(s)", "Player #1\ta.mp4", "", "Time offset (s)\t10.0", ""]
    header = "Time\tMedia file path\tTotal length\tFPS\tSubject\tBehavior\tBehavioral category\tComment\tStatus"
    rows = [
        f"{time}\ta.mp4\t8.000\t25.0\tP01\twave\t\t\t{status}" for time, status in (("11.0", "START"), ("12.0", "STOP"))
    ]
    write_lines(root / "o.tsv", [*preamble, header, *rows])
    assert planned(root)[1] == [("a.mp4", "wave", "P01", 25, 49)]


def test_events_of_a_project_are_counted_from_one(tmp_path):
    events = [(3.0, "P01", "nod"), (1.0, "P01", "wave"), (2.0, "P01", "wave"), (4.0, "P01", "nod")]
    path = write_boris_project(tmp_path / "study.boris", {"o": boris_observation({"a.mp4": 8.0}, events)})
    assert [entry.row for entry in boris_project.read(path).annotations] == ["event 2 of o", "event 1 of o"]


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
    assert "2 events have no duration" in told
    assert "1 event has a start and no stop" in told
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
