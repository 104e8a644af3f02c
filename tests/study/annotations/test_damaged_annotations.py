"""Damaged and hostile files: each is told of in a sentence, and costs neither other files nor much time or memory."""

import gzip
import json
import zipfile
from pathlib import PurePosixPath

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fixtures.annotation_files import boris_observation, write_boris_project, write_eaf
from fixtures.release_files import write_xlsx
from microgesture.errors import InputError
from microgesture.study.annotations import boris_project, eaf
from microgesture.study.clips import FoundClip
from microgesture.study.opinions import apply_tables
from microgesture.study.tables import clip_names, read_tables

BOMB = '<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa">' + "".join(
    f'<!ENTITY {name} "{f"&{inner};" * 10}">' for inner, name in zip("abcdefgh", "bcdefghi", strict=True)
) + "]>"  # fmt: skip
EAF = '<ANNOTATION_DOCUMENT xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:noNamespaceSchemaLocation="x" ' \
      'AUTHOR="" DATE="" FORMAT="3.0" VERSION="3.0">{}</ANNOTATION_DOCUMENT>'  # fmt: skip
SHEET = (
    '<worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><sheetData>{}</sheetData></worksheet>'
)


def told(path):
    """Why a file is not used."""
    (table,) = read_tables(path.parent, PurePosixPath(path.name), clip_names([]))
    return table.unused


def aligned(first, second, text="wave"):
    """A tier with one annotation between two time slots."""
    return (
        '<TIME_ORDER><TIME_SLOT TIME_SLOT_ID="ts1" TIME_VALUE="0"/><TIME_SLOT TIME_SLOT_ID="ts2" TIME_VALUE="9"/>'
        '</TIME_ORDER><TIER TIER_ID="t"><ANNOTATION><ALIGNABLE_ANNOTATION ANNOTATION_ID="a1" '
        f'TIME_SLOT_REF1="{first}" TIME_SLOT_REF2="{second}"><ANNOTATION_VALUE>{text}</ANNOTATION_VALUE>'
        "</ALIGNABLE_ANNOTATION></ANNOTATION></TIER>"
    )


@pytest.mark.parametrize(
    "text",
    [
        "",
        "no xml",
        EAF.format("<TIER"),
        BOMB + EAF.format(aligned("ts1", "ts2", "&i;")),
        '<!DOCTYPE x SYSTEM "file:///etc/passwd">' + EAF.format(""),
        EAF.format("<a>" * 100_000 + "</a>" * 100_000),
        EAF.format('<TIME_ORDER><TIME_SLOT TIME_SLOT_ID="ts1" TIME_VALUE="soon"/></TIME_ORDER>'),
        EAF.format('<TIER TIER_ID="t"><ANNOTATION><ALIGNABLE_ANNOTATION/></ANNOTATION></TIER>'),
        EAF.format(f'<TIME_ORDER><TIME_SLOT TIME_SLOT_ID="ts1" TIME_VALUE="{"9" * 5000}"/></TIME_ORDER>'),
        "<html><body/></html>",
        '<?xml version="1.0" encoding="U-F-8"?>' + EAF.format(""),
        '<?xml version="1.0" encoding="shift_jis"?>' + EAF.format(""),
    ],
)
def test_damaged_files_of_elan(tmp_path, text):
    path = tmp_path / "bad.eaf"
    path.write_text(text)
    with pytest.raises(InputError, match=r"bad\.eaf: "):
        eaf.read(path)
    assert told(path).startswith("it cannot be read (bad.eaf: ")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "no json",
        "[]",
        "{}",
        "[" * 100_000,
        '{"observations": {}, "behaviors_conf": ' * 2000,
        '{"observations": [], "behaviors_conf": {}}',
        '{"behaviors_conf": {}, "observations": {"o": {"events": 3}}}',
        '{"behaviors_conf": {}, "observations": {"o": {"file": {"1": [3]}}}}',
        '{"behaviors_conf": {}, "observations": {"o": {"time offset": "later"}}}',
        '{"behaviors_conf": {}, "observations": {"o": {"media_info": {"length": {"a": NaN}}}}}',
    ],
)
@pytest.mark.parametrize("ending", [".boris", ".boris.gz"])
def test_damaged_projects_of_boris(tmp_path, text, ending):
    path = tmp_path / f"bad{ending}"
    path.write_bytes(gzip.compress(text.encode()) if ending.endswith("gz") else text.encode())
    with pytest.raises(InputError, match=rf"bad{ending}: not a project of BORIS"):
        boris_project.read(path)
    assert told(path).startswith(f"it cannot be read (bad{ending}: ")


def test_events_that_make_no_sense_cost_only_themselves(tmp_path):
    strange = [[], ["soon", "", "wave", ""], [float("inf"), "", "wave", ""], [None] * 4, [1], [1e300, "", "wave", ""]]
    events = [*strange, (1, "", "wave"), (2, "", "wave")]
    path = write_boris_project(tmp_path / "a.boris", {"o": boris_observation({"a.mp4": 8.0}, events)})
    found = boris_project.read(path)
    assert [(entry.start, entry.end) for entry in found.annotations] == [("1", "2")]
    assert sum(note.counts[0] for note in found.notes) == 6


@pytest.mark.parametrize("ending", [".eaf", ".boris", ".csv", ".xlsx"])
def test_huge_files_are_not_read(tmp_path, ending):
    path = tmp_path / f"huge{ending}"
    with open(path, "wb") as file:
        file.truncate(2**26 + 1)
    assert told(path).startswith(f"it cannot be read (huge{ending}")


def test_a_small_file_that_unpacks_to_a_huge_one_is_not_read(tmp_path):
    path = tmp_path / "bomb.boris.gz"
    with gzip.open(path, "wb", 1) as file:
        for _ in range(2**7):
            file.write(b" " * 2**20)
    assert "larger than the limit" in told(path)
    with zipfile.ZipFile(tmp_path / "bomb.xlsx", "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        archive.writestr("xl/worksheets/sheet1.xml", " " * 2**27)
    assert "more than the limit" in told(tmp_path / "bomb.xlsx")


def replaced_sheet(path, text):
    """The workbook with another first sheet."""
    with zipfile.ZipFile(path) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in parts.items():
            archive.writestr(name, text if name == "xl/worksheets/sheet1.xml" else content)


@pytest.mark.parametrize(
    "text",
    [
        SHEET.format('<row r="1"><c r="A1"><v>1</v></c></row><row r="1048576"><c r="XFD1048576"><v>1</v></c></row>'),
        BOMB + SHEET.format(""),
        SHEET.format("<row>")[:-30],
    ],
)
def test_damaged_workbooks(tmp_path, text):
    path = write_xlsx(tmp_path / "bad.xlsx", [["file", "label"]])
    replaced_sheet(path, text)
    assert told(path).startswith("it cannot be read (bad.xlsx: ")
    path.write_bytes(path.read_bytes()[:200])
    assert told(path).startswith("it cannot be read (bad.xlsx: ")


@pytest.fixture(scope="module")
def sound(tmp_path_factory):
    """The contents of a file of ELAN, a project of BORIS and a workbook by their names."""
    folder = tmp_path_factory.mktemp("sound")
    write_eaf(folder / "a.eaf", "a.mp4", {"gesture": [(0, 9, "wave")], "gaze": [(3, 7, "up")]})
    write_boris_project(folder / "a.boris", {"o": boris_observation({"a": 8.0}, [(1, "", "wave"), (2, "", "wave")])})
    write_xlsx(folder / "a.xlsx", [["file", "label"], ["a.mp4", "wave"]])
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(changes=st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.integers(0, 255)), min_size=1, max_size=3))
def test_changed_bytes_end_in_a_sentence_or_in_annotations(tmp_path, sound, changes):
    for name, content in sound.items():
        changed = bytearray(content)
        for place, byte in changes:
            changed[int(place * len(content))] = byte
        (tmp_path / name).write_bytes(changed)
        read_tables(tmp_path, PurePosixPath(name), clip_names([]))


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=3),
        lambda inner: (
            st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["o", "file", "events", "1"]), inner)
        ),
        max_leaves=8,
    )
)
@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_json_as_an_observation(tmp_path, value):
    path = tmp_path / "any.boris"
    path.write_text(json.dumps({"behaviors_conf": {}, "observations": {"o": value}}))
    (table,) = read_tables(tmp_path, PurePosixPath("any.boris"), clip_names([]))
    assert not table.annotations


HEADINGS = ["", "file", "Tier", "label", "start", "end", "Start (s)", "Stop (s)", "Time offset (s)", "Time", "Behavior",
            "Behavior type", "Source", "Media duration (s)", "Begin Time - ss.msec", "End Time - ss.msec", "gesture",
            "Begin Time - PAL", "End Time - PAL", "coder", "split", "start_frame", "end_frame"]  # fmt: skip
CELLS = ["", "a.mp4", "a", "b.mp4", "1", "3", "1.0", "2,5", "00:00:01.000", "00:00:01:12", "START", "STOP", "-1", "nan",
         "player #1:a.mp4;b.mp4", "2.4;8.0", "#file:///a.mp4 -- offset: 5", "{}", "x", "9" * 30, "test"]  # fmt: skip


@given(st.data())
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_table_ends_in_sentences(tmp_path, data):
    header = data.draw(st.lists(st.sampled_from(HEADINGS), min_size=1, max_size=7))
    rows = data.draw(st.lists(st.lists(st.sampled_from(CELLS), max_size=8), max_size=6))
    lines = [header] * data.draw(st.integers(0, 1)) + rows
    (tmp_path / "a.tsv").write_text("\n".join("\t".join(line) for line in lines))
    clips = [FoundClip((), name, PurePosixPath(f"{name}.mp4")) for name in "ab"]  # whose videos are missing
    tables = read_tables(tmp_path, PurePosixPath("a.tsv"), clip_names(clips))
    try:
        found, notes, _ = apply_tables(tmp_path, clips, tables)
    except InputError as error:
        assert "--tier" in str(error)  # noqa: PT017 (most tables have no tiers)
        return
    parts = [part for clip in found for part in clip.parts]
    assert all(0 <= part.frames[0] <= part.frames[1] for part in parts)
    assert any("a.tsv" in note for note in notes)
