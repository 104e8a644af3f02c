"""Timelines for coders, read back by our readers and by BORIS itself."""

import importlib
import sys
from pathlib import PurePosixPath
from types import SimpleNamespace

import pandas as pd
import pytest
from typer.testing import CliRunner

from fixtures.exported import timeline_of
from microgesture.cli import app
from microgesture.errors import InputError
from microgesture.measures.detection import Gesture
from microgesture.recogniser.coder_files import BORIS, write_boris, write_elan
from microgesture.recogniser.segments import Segment
from microgesture.recogniser.summary import read_people, read_timelines, summary_of
from microgesture.recogniser.timeline import write_subtitles
from microgesture.study.sheets import read_sheets
from microgesture.study.true_gestures import read_true_gestures
from microgesture.videos.timestamps import FrameTimes

CLASSES = ("Folding <arms>", "Ärmel zupfen", "=nod")
SEGMENTS = [Segment(0, 24, 1, 0.876), Segment(20, 49, 0, 0.6), Segment(50, 74, 1, 0.7)]
TIMES = FrameTimes.constant(25, 100)
GESTURES = [
    Gesture("talk", CLASSES[1], 0, 1),
    Gesture("talk", CLASSES[0], 0.8, 2),
    Gesture("talk", CLASSES[1], 2, 3),
]


def test_elan_shows_a_tier_for_each_class_beside_the_video(tmp_path):
    (tmp_path / "talk.mp4").touch()
    write_elan(tmp_path / "talk.eaf", SEGMENTS, CLASSES, TIMES, tmp_path / "talk.mp4")
    gestures, _, _ = read_true_gestures(tmp_path / "talk.eaf", {"talk": TIMES}, CLASSES)
    assert sorted(gestures) == sorted(GESTURES)
    first = (tmp_path / "talk.eaf").read_bytes()
    assert b'RELATIVE_MEDIA_URL="./talk.mp4"' in first
    write_elan(tmp_path / "talk.eaf", SEGMENTS, CLASSES, TIMES, tmp_path / "talk.mp4")
    assert (tmp_path / "talk.eaf").read_bytes() == first
    assert {path.name for path in tmp_path.iterdir()} == {"talk.eaf", "talk.mp4"}


def test_a_timeline_without_gestures_is_a_file_of_elan(tmp_path):
    write_elan(tmp_path / "talk.eaf", [], CLASSES, TIMES, None)
    with pytest.raises(InputError, match="no annotation of talk"):
        read_true_gestures(tmp_path / "talk.eaf", {"talk": TIMES}, CLASSES)


def test_boris_gets_two_rows_for_each_gesture(tmp_path):
    write_boris(tmp_path / "talk.xlsx", SEGMENTS, CLASSES, TIMES)
    [sheet] = read_sheets(tmp_path, PurePosixPath("talk.xlsx"))
    [header, *rows] = [cells for _, cells in sheet.readings[0]]
    assert tuple(header) == BORIS
    assert [(float(row[0]), row[2]) for row in rows] == [
        *((0, CLASSES[1]), (0.8, CLASSES[0]), (1, CLASSES[1]), (2, CLASSES[0]), (2, CLASSES[1]), (3, CLASSES[1])),
    ]


def test_the_program_boris_imports_the_events(tmp_path, monkeypatch):
    pytest.importorskip("boris", reason="BORIS is not installed (pip install boris-behav-obs)")
    monkeypatch.setenv("QT_QPA_PLATFORM", "offscreen")
    importing = importlib.import_module("boris.import_observations")
    monkeypatch.setattr(importing, "QMessageBox", SimpleNamespace(information=lambda *_: None))
    write_boris(tmp_path / "talk.xlsx", SEGMENTS, CLASSES, TIMES)
    project = {"observations": {"talk": {"events": []}}}
    window = SimpleNamespace(
        pj=project, observationId="talk", load_tw_events=lambda _: None, project_changed=lambda: None
    )
    importing.load_observations_from_spreadsheet(window, str(tmp_path / "talk.xlsx"))
    events = project["observations"]["talk"]["events"]
    assert len(events) == 2 * len(SEGMENTS)
    assert {event[2] for event in events} == set(CLASSES[:2])
    assert "boris" in sys.modules


def test_frames_of_a_table_become_seconds(tmp_path):
    rows = [("talk", 0, 24, CLASSES[1]), ("talk", 20, 49, CLASSES[0]), ("other", 3, 9, CLASSES[0])]
    pd.DataFrame(rows, columns=["video", "start_frame", "end_frame", "class"]).to_csv(tmp_path / "t.csv", index=False)
    gestures, _, said = read_true_gestures(tmp_path / "t.csv", {"talk": TIMES}, CLASSES)
    assert gestures == GESTURES[:2]
    assert any("1 annotations are of other recordings" in sentence for sentence in said)


def test_subtitles_have_the_times_of_the_gestures(tmp_path):
    write_subtitles(tmp_path / "talk.srt", [Segment(40, 99, 1, 0.876)], CLASSES, FrameTimes.constant(0.02, 100))
    assert (tmp_path / "talk.srt").read_text(encoding="utf-8") == (
        "1\n00:33:20,000 --> 01:23:20,000\nÄrmel zupfen  0.88\n"
    )


def test_the_summary_counts_every_class_of_every_person(tmp_path):
    for name in ("a", "b", "c"):
        timeline_of(tmp_path, name, SEGMENTS if name != "c" else [], CLASSES, TIMES)
    (tmp_path / "people.csv").write_text("recording,person\na,ann\nb,ann\n")
    table = summary_of(read_timelines(tmp_path), read_people(tmp_path / "people.csv")).set_index(["person", "class"])
    assert len(table) == 2 * len(CLASSES)
    assert table.loc[("ann", CLASSES[1])].tolist() == [4, 4, 1, 30, 0.5]
    assert table.loc[("ann", CLASSES[0])].tolist() == pytest.approx([2, 2.4, 1.2, 15, 0.3])
    assert table.loc[("c", CLASSES[0]), "count"] == 0


def test_a_folder_without_timelines_is_refused(tmp_path):
    (tmp_path / "notes.csv").write_text("a,b\n1,2\n")
    with pytest.raises(InputError, match="has no timelines"):
        read_timelines(tmp_path)


def test_the_commands_compare_and_count_the_timelines_of_a_folder(tmp_path):
    found = tmp_path / "found"
    found.mkdir()
    timeline_of(found, "talk", SEGMENTS, CLASSES, TIMES)
    timeline_of(found, "other", [], CLASSES, TIMES)
    write_elan(tmp_path / "truth.eaf", SEGMENTS[:2], CLASSES, TIMES, tmp_path / "talk.mp4")
    run = CliRunner().invoke(
        app, ["evaluate-timelines", str(found), str(tmp_path / "truth.eaf"), "--output", str(tmp_path / "table.csv")]
    )
    assert run.exit_code == 0, run.output
    assert "not compared: other" in run.output
    first = pd.read_csv(tmp_path / "table.csv").iloc[0]
    assert (first.found, first.true, first.hits, first.recall) == (3, 2, 2, 1)
    run = CliRunner().invoke(app, ["summarise-timelines", str(found), "--output", str(tmp_path / "summary.csv")])
    assert run.exit_code == 0, run.output
    assert pd.read_csv(tmp_path / "summary.csv")["count"].sum() == 3
