"""Damaged spreadsheets and archives of keypoints: their own numbers or a named reason, in bounded memory and time."""

import re
import zipfile
from functools import partial
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from hypothesis import strategies as st

from fixtures.mutations import ODD_CELLS, attempt, damaged, fuzz, fuzzed
from fixtures.release_files import keypoints, write_npz, write_openpose, write_xlsx
from microgesture.errors import UnusableClip
from microgesture.skeletons.files import workbook
from microgesture.skeletons.reading import read_skeleton
from microgesture.videos.isolation import Isolated

MEMORY = 1 << 30  # bytes for the process that reads
SECONDS = 60
SHEET = "xl/worksheets/sheet1.xml"
ODD_XML = [
    *(
        b"<c>",
        b"</c>",
        b"</row>",
        b"</sheetData>",
        b'<row r="2">',
        b'<c r="XFD1048576"><v>1</v></c>',
        b' t="b"',
        b' t="s"',
    ),
    *(
        b' t="e"',
        b"<!-- ",
        b"<![CDATA[",
        b"&amp;",
        b"&x;",
        b"&#0;",
        b"<v>1e999</v>",
        b"\0",
        b"\xff",
        b"0",
        b"9",
        b"-",
        b".",
    ),
    b'<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/hostname">]>',
]


def reader():
    return lambda path: read_skeleton(path).keypoints_TVC


@pytest.fixture(scope="module")
def reading():
    """Reads a file as the stage does: in a process of its own, with little memory."""
    with Isolated(reader, MEMORY) as isolated:
        yield partial(isolated.do, seconds=SECONDS)


def parts_of(path):
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def zipped(path, parts):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in parts.items():
            archive.writestr(name, content)
    return path


def cells_of(sheet):
    """The cells of a sheet by (row, column) from 0, as the standard library reads its XML.

    A row or cell without a reference follows the one before it.
    """
    cells, row = {}, -1
    for line in ElementTree.fromstring(sheet).iter("{*}row"):
        row, column = int(line.get("r", row + 2)) - 1, -1
        for cell in line.iter("{*}c"):
            place = row, column + 1
            if reference := cell.get("r"):
                letters, number = re.fullmatch("([A-Z]+)([0-9]+)", reference).groups()
                place = int(number) - 1, -1
                for letter in letters:
                    place = place[0], 26 * (place[1] + 1) + ord(letter) - 65
            cells[place] = cell.findtext("{*}v")
            column = place[1]
    return cells


@fuzzed
def test_a_workbook_with_damaged_bytes_is_read_as_it_was_or_refused(reading, tmp_path, examples):
    path = write_openpose(tmp_path / "0012_openpose.xlsx", keypoints(3, 137))
    whole_TVC = read_skeleton(path).keypoints_TVC

    def check(data):
        path.write_bytes(data)
        read_TVC, refused = attempt(reading, path)
        if refused:
            assert "0012_openpose.xlsx" in refused
        else:
            np.testing.assert_array_equal(read_TVC, whole_TVC)

    fuzz(check, damaged(path.read_bytes()), examples)


@fuzzed
def test_a_workbook_whose_xml_is_damaged_says_what_a_plain_reader_finds_or_is_refused(reading, tmp_path, examples):
    path = write_openpose(tmp_path / "0012_openpose.xlsx", keypoints(2, 137))
    parts = parts_of(path)

    def check(mutation):
        name, content = mutation
        zipped(path, parts | {name: content})
        read_TVC, refused = attempt(reading, path)
        if refused:
            assert "0012_openpose.xlsx" in refused or "the process that worked on it" in refused
            return
        read_TN = read_TVC.reshape(len(read_TVC), -1)
        for (row, column), text in cells_of(parts[SHEET] if name != SHEET else content).items():
            value = read_TN[row, column]
            assert np.isnan(value) if text is None else value == np.float32(text)

    sheets = st.tuples(st.just(SHEET), damaged(parts[SHEET], ODD_XML))
    others = st.sampled_from(sorted(parts)).flatmap(
        lambda name: st.tuples(st.just(name), damaged(parts[name], ODD_XML))
    )
    fuzz(check, sheets | sheets | others, examples)


WRITABLE = [cell for cell in ODD_CELLS if len(cell) < 2**15]  # what a spreadsheet keeps of a text


@pytest.mark.parametrize("cell", [*WRITABLE, None, True, False, 1e30, -5, 12.5], ids=lambda cell: repr(cell)[:20])
@pytest.mark.parametrize(("row", "column"), [(0, 0), (1, 7), (2, 410)])
def test_a_cell_that_is_no_number_is_refused_with_row_and_column(reading, tmp_path, row, column, cell):
    rows = keypoints(3, 137).reshape(3, -1).tolist()
    rows[row][column] = cell
    path = write_xlsx(tmp_path / "0012_openpose.xlsx", rows)
    read_TVC, refused = attempt(reading, path)
    if refused:
        assert re.search(rf"0012_openpose\.xlsx, row {row + 1}, column {column + 1}: .* is not a number", refused)
        assert isinstance(cell, bool | str)
        return
    assert not isinstance(cell, bool)
    assert cell != "1_0"
    expected = np.array(rows, object)
    if str(cell).startswith("="):
        cell = 0  # what the writer keeps as the result of every formula
    expected[row, column] = np.nan if cell in (None, "") else float(cell)
    np.testing.assert_array_equal(read_TVC.reshape(3, -1), expected.astype(np.float32))


@fuzzed
def test_a_damaged_archive_of_keypoints_is_read_as_it_was_or_refused(reading, tmp_path, examples):
    keypoints_TVC = keypoints(3, 28)
    path = write_npz(tmp_path / "clip.npz", keypoints_TVC)

    def check(data):
        path.write_bytes(data)
        read_TVC, refused = attempt(reading, path)
        if refused:
            assert "clip.npz" in refused
        else:
            np.testing.assert_array_equal(read_TVC, keypoints_TVC)

    fuzz(check, damaged(path.read_bytes()), examples)


def declared(entity):
    return b"<!DOCTYPE worksheet [" + entity + b"]><worksheet"


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        (b"<worksheet", declared(b'<!ENTITY x SYSTEM "%s">'), "declares a document type"),
        (b"<worksheet", declared(b'<!ENTITY x "%s">' % (b"ha" * 1000)), "declares a document type"),
        (b'r="B1"', b'r="XFD1048576"', "the process that worked on it"),
        (b'encoding="UTF-8"', b'encoding="TF-8"', "unknown encoding: TF-8"),
    ],
    ids=["external entity", "entity", "one cell far away", "unknown encoding"],
)
def test_xml_that_reaches_for_files_or_memory_gets_neither(reading, tmp_path, old, new, reason):
    secret = Path(tmp_path / "secret.txt")
    secret.write_text("12345")
    path = write_openpose(tmp_path / "0012_openpose.xlsx", keypoints(3, 137))
    parts = parts_of(path)
    sheet = parts[SHEET].replace(old, new.replace(b"%s", str(secret).encode()), 1)
    zipped(path, parts | {SHEET: sheet.replace(b"<v>", b"<v>&x;", 1) if b"ENTITY" in sheet else sheet})
    with pytest.raises(UnusableClip, match=reason):
        reading(path)


def bomb(path):
    """A workbook that unpacks to 64 MiB."""
    write_openpose(path, keypoints(3, 137))
    return zipped(path, parts_of(path) | {"xl/media.bin": bytes(64 << 20)})


def test_a_workbook_that_unpacks_to_too_much_is_refused_before_it_is(tmp_path, monkeypatch):
    monkeypatch.setattr(workbook, "LARGEST", 1 << 20)
    with pytest.raises(UnusableClip, match=r"0012_openpose\.xlsx: the workbook unpacks to \d{8} bytes, more than"):
        read_skeleton(bomb(tmp_path / "0012_openpose.xlsx"))


def test_a_workbook_that_lies_about_its_size_is_refused(reading, tmp_path):
    path = bomb(tmp_path / "0012_openpose.xlsx")
    path.write_bytes(path.read_bytes().replace((64 << 20).to_bytes(4, "little"), (1000).to_bytes(4, "little")))
    with pytest.raises(UnusableClip, match=r"0012_openpose\.xlsx: not a readable xlsx file"):
        reading(path)


def test_a_shape_that_the_archive_does_not_hold_sets_nothing_aside(tmp_path):
    path = write_npz(tmp_path / "clip.npz", keypoints(3, 28))
    header = parts_of(path)["keypoints.npy"]
    zipped(path, {"keypoints.npy": header.replace(b"(3, 28, 3), }      ", b"(3000000, 28, 3), }", 1)})
    with pytest.raises(UnusableClip, match=r"\(3000000, 28, 3\), 1008000000 bytes, .*1008$"):
        read_skeleton(path)
