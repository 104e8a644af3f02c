"""Damaged label files, lists and manifests: every row is what it says or is refused by name, and none goes missing."""

import math
import re
from decimal import Decimal
from functools import partial

import pytest

from fixtures.mutations import attempt, changed_rows, damaged, fuzz, fuzzed, reencoded
from fixtures.release_files import keypoints, write_light_hand, write_lines, write_npz
from microgesture.corpora import list_clips
from microgesture.skeletons.reading import read_skeleton
from microgesture.storage.clips import read_clips, write_clips
from microgesture.storage.csv_files import csv_table

LABELS = [["7", "0", "40"], ["99", "5", "20"], ["31", "18", "39"], ["1", "100", "180"], ["12", "30", "61"]]


def mutated(rows):
    """A csv of these rows after damage of every kind."""
    plain = "".join(",".join(cells) + "\n" for cells in rows).encode()
    return changed_rows(rows) | damaged(plain) | reencoded(plain)


def plain_encoding(data):
    return "utf-16" if data[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig"


def plain_rows(data, *, keep_bare=False):
    """What stands in a csv, read in the plainest way: cells by line and by the first of comma, semicolon and tab in it.

    Rows of empty cells at the end are left out unless ``keep_bare``. None if it is no text in UTF-8, or in UTF-16 with
    its mark. Quotes belong to a cell unless they stand around it.
    """
    try:
        text = data.decode(plain_encoding(data))
    except UnicodeDecodeError:
        return None
    rows, lines = [], re.split("\r\n|\r|\n", text)
    head = next(filter(None, lines), "")
    between = [mark for mark in ",;\t" if mark in head] or [","]
    for line in lines:
        cells = [_unquoted(cell).strip() for cell in line.split(between[0])]
        if cells != [""]:
            rows.append(cells)
    while rows and not any(rows[-1]) and not keep_bare:
        rows.pop()
    return rows


def _unquoted(cell):
    return cell[1:-1].replace('""', '"') if re.fullmatch('"([^"]|"")*"', cell) else cell


def plain_number(cell):
    """The whole number in a cell, or None."""
    if not re.fullmatch(r"[+-]?(\d+(\.\d*)?|\.\d+)(e[+-]?\d+)?", cell, re.IGNORECASE | re.ASCII):
        return None
    number = Decimal(cell)
    return int(number) if abs(number) < 2**31 - 1 and number == int(number) else None


def plain_label(cells):
    """(label, first, last) of a label row, or None if it makes no sense."""
    numbers = [plain_number(cell) for cell in cells]
    if len(numbers) != 3 or None in numbers:
        return None
    label, first, last = numbers
    known = label == 99 or 1 <= label <= 31
    return (31 if label == 99 else label - 1, first, last) if known and 0 <= first <= last else None


@pytest.fixture(scope="module")
def release(tmp_path_factory):
    """A release of keypoints alone, whose files need not be opened to list the clips."""
    root = tmp_path_factory.mktemp("imigue")
    for place, rows in {"train/0012": LABELS, "train/0013": LABELS[:2], "validate/0001": LABELS[2:]}.items():
        split, recording = place.split("/")
        folder = root / f"imigue_skeleton_{split}" / recording
        write_lines(folder / f"{recording}_label.csv", [",".join(cells) for cells in rows])
        (folder / f"{recording}_openpose.xlsx").touch()
    return root


def of_others(table):
    """The rows of the recordings whose label files are whole."""
    rows = table[table.recording != "0012"].astype(object)
    return rows.where(rows.notna(), None).to_dict("records")


@fuzzed
def test_each_row_of_a_damaged_label_file_is_read_as_it_stands_or_quarantined(release, examples):
    path = release / "imigue_skeleton_train/0012/0012_label.csv"
    others = of_others(list_clips("imigue", "miga", release, 4).table)

    def check(data):
        path.write_bytes(data)
        rows = plain_rows(data)
        clips, refused = attempt(list_clips, "imigue", "miga", release, 4)
        if refused:
            assert "0012_label.csv" in refused
            assert rows is None or b'"' in data
            return
        table = clips.table
        if rows and all(re.search(r"[^\W\d]", cell) and not re.search(r"\d", cell) for cell in rows[0]):
            rows = rows[1:]  # names of the columns
        damaged_ones = table[table.recording == "0012"]
        assert list(damaged_ones.clip_id) == [f"0012_{row}" for row in range(len(rows))]
        for clip, cells in zip(damaged_ones.itertuples(), rows, strict=True):
            declared = plain_label(cells)
            assert (clip.status == "ok") == (declared is not None)
            if declared:
                assert (clip.label, clip.start, clip.end, clip.n_frames) == (*declared, clip.end - clip.start + 1)
                assert clip.skeleton_start == clip.start
            else:
                assert re.match(r"0012_label\.csv, row \d+: ", clip.reason)
        assert of_others(table) == others

    fuzz(check, mutated(LABELS), examples)


SMG_ROWS = [["7", "0", "40"], ["17", "5", "20"], ["1", "18", "39"], ["12", "30", "31"]]


@pytest.fixture(scope="module")
def smg(tmp_path_factory):
    """SMG's skeletons alone, whose files need not be opened to list the clips."""
    root = tmp_path_factory.mktemp("smg")
    for recording, rows in {"Sample0001": SMG_ROWS, "Sample0002": SMG_ROWS[:2], "Sample0031": SMG_ROWS[2:]}.items():
        write_lines(root / recording / f"{recording}_finelabels.csv", [",".join(cells) for cells in rows])
        write_lines(root / recording / f"{recording}_data.csv", ["14000,28,4500"])
        (root / recording / f"{recording}_skeleton.csv").touch()
    return root


def plain_smg_label(cells):
    """(label, first, last) of a row of SMG's label files, or None if it makes no sense."""
    numbers = [plain_number(cell) for cell in cells]
    if len(numbers) != 3 or None in numbers:
        return None
    label, start, end = numbers
    return (label - 1, start, end - 1) if 1 <= label <= 17 and 0 <= start < end else None


@fuzzed
def test_each_row_of_a_damaged_label_file_of_smg_is_read_as_it_stands_or_quarantined(smg, examples):
    path = smg / "Sample0001/Sample0001_finelabels.csv"
    whole = path.read_bytes()
    others = list_clips("smg", "smg", smg, 4).table.query("recording != 'Sample0001'").clip_id.tolist()

    def check(data):
        path.write_bytes(data)
        clips, refused = attempt(list_clips, "smg", "smg", smg, 4)
        rows = plain_rows(data)
        if refused:
            assert path.name in refused
            assert rows is None or b'"' in data
            return
        mine = clips.table.recording == "Sample0001"
        assert clips.table.clip_id[mine].tolist() == [f"Sample0001_{row}" for row in range(len(rows))]
        for clip, cells in zip(clips.table[mine].itertuples(), rows, strict=True):
            declared = plain_smg_label(cells)
            assert (clip.status == "ok") == (declared is not None)
            if declared:
                assert (clip.label, clip.start, clip.end) == declared
                assert (clip.skeleton_start, clip.n_frames) == (clip.start, clip.end - clip.start + 1)
            else:
                assert re.match(r"Sample0001_finelabels\.csv, row \d+: ", clip.reason)
        assert clips.table.clip_id[~mine].tolist() == others
        assert (clips.table.status[~mine] == "ok").all()

    fuzz(check, mutated(SMG_ROWS), examples)
    path.write_bytes(whole)


@fuzzed
def test_a_damaged_frame_rate_of_smg_is_read_as_it_stands_or_told(smg, examples):
    path = smg / "Sample0002/Sample0002_data.csv"
    whole = path.read_bytes()

    def check(data):
        path.write_bytes(data)
        clips, refused = attempt(list_clips, "smg", "smg", smg, 4)
        if refused:
            assert path.name in refused
            return
        mine = clips.table.recording == "Sample0002"
        first, *_ = [*plain_rows(data), [""]]
        for clip in clips.table[mine].itertuples():
            if clip.status != "ok":
                assert path.name in clip.reason
            elif b'"' in data:  # around a comma it makes another cell the second one
                assert 1 <= clip.fps <= 1000
            else:
                assert clip.fps == pytest.approx(float(first[1]), rel=1e-6)
                assert "_" not in first[1]
        assert (clips.table.status[~mine] == "ok").all()

    fuzz(check, mutated([["14000", "28", "4500"]]), examples)
    path.write_bytes(whole)


LIST = [["0003_01_0001.mp4", "9"], ["0003_01_0002.mp4", "0"], ["0004_02_0001.mp4", "51"], ["0004_02_0002.mp4", "7"]]


@fuzzed
def test_each_row_of_a_damaged_list_is_read_as_it_stands_or_quarantined(tmp_path, examples):
    for name, _ in LIST:
        write_npz(tmp_path / "pose" / name.replace(".mp4", ".npz"), keypoints(2, 28))
    whole = {name.removesuffix(".mp4"): int(label) for name, label in LIST}
    path = tmp_path / "train_list_videos.txt"

    def check(data):
        path.write_bytes(data)
        clips, refused = attempt(partial(list_clips, "ma52", "ma52", tmp_path, 4, skeletons="pose"))
        if refused:
            assert path.name in refused or "no clip of" in refused or "no keypoints" in refused
            return
        rows = [line.split() for line in re.split("\r\n|\r|\n", data.decode(plain_encoding(data))) if line.split()]
        assert len(clips.table) == len(rows)
        for clip, cells in zip(clips.table.itertuples(), rows, strict=True):
            assert clip.clip_id.isprintable()
            if clip.status == "ok":
                assert re.sub(r"\.mp4$", "", cells[0], flags=re.IGNORECASE).endswith(clip.clip_id)
                assert clip.clip_id in whole
                assert (len(cells), clip.label) == (2, plain_number(cells[1]))
                assert 0 <= clip.label < 52
            else:
                assert re.match(r"train_list_videos\.txt, row \d+: ", clip.reason)

    plain = "".join(" ".join(cells) + "\r\n" for cells in LIST).encode()
    fuzz(check, damaged(plain) | reencoded(plain), examples)


MANIFEST = [
    ["clip_id", "split", "subject", "label", "fps", "keypoints", "start", "end"],
    ["a", "train", "ann", "wave", "30", "one.npz", "0", "9"],
    ["b", "train", "bob", "nod", "29.97", "one.npz", "10", "30"],
    ["c", "val", "cyd", "wave", "30", "two.npz", "3", "7"],
    ["d", "train", "ann", "wave", "25", "two.npz", "", ""],
    ["e", "test", "dee", "nod", "25", "two.npz", "8", "19"],
]
LENGTHS = {"one.npz": 40, "two.npz": 20}


@pytest.fixture(scope="module")
def manifest(tmp_path_factory):
    root = tmp_path_factory.mktemp("mine")
    for name, frames in LENGTHS.items():
        write_npz(root / name, keypoints(frames, 137))
    return root / "clips.csv"


def stored(clips, folder):
    """The table after it was written and read again."""
    write_clips(folder / "clips.parquet", clips)
    return read_clips(folder / "clips.parquet").table


@fuzzed
def test_each_row_of_a_damaged_manifest_is_read_as_it_stands_or_refused(manifest, tmp_path, examples):
    def check(data):
        manifest.write_bytes(data)
        clips, refused = attempt(list_clips, "mine", "manifest", manifest.parent, 4)
        if refused:
            assert "clips.csv" in refused or str(manifest.parent) in refused or "corpus 'mine'" in refused
            return
        table = stored(clips, tmp_path)
        columns, *rows = plain_rows(data)
        assert len(table) == len(rows)
        for clip, cells in zip(table.itertuples(), rows, strict=True):
            declared = dict(zip(columns, cells + [""] * len(columns), strict=False))
            assert (clip.clip_id, clip.split) == (declared["clip_id"], clip.split)
            if clip.status != "ok":
                assert re.match(r"(clips\.csv, row \d+: )", clip.reason)
                continue
            assert len(cells) <= len(columns)
            assert clip.skeleton == declared["keypoints"]
            assert (clip.subject if isinstance(clip.subject, str) else "") == declared.get("subject", "")
            first, last = declared.get("start", ""), declared.get("end", "")
            whole = (first, last) == ("", "")
            assert clip.start == clip.skeleton_start == (0 if whole else plain_number(first))
            assert clip.end == (LENGTHS[clip.skeleton] - 1 if whole else plain_number(last))
            assert 0 <= clip.start <= clip.end
            assert clip.n_frames == clip.end - clip.start + 1
            if fps := declared.get("fps"):
                assert math.isclose(clip.fps, float(fps.replace(",", ".")), rel_tol=1e-6)
                assert "_" not in fps
            if clip.split != "test" and declared["label"]:
                assert clips.classes[clip.label] == declared["label"]

    fuzz(check, mutated(MANIFEST), examples)


@fuzzed
def test_a_damaged_light_hand_file_gives_its_numbers_or_is_refused(tmp_path, examples):
    path = write_light_hand(tmp_path / "0012_light_hand.csv", keypoints(4, 35))
    rows = [line.split(",") for line in path.read_text().splitlines()]

    def check(data):
        path.write_bytes(data)
        read, refused = attempt(read_skeleton, path)
        if refused:
            assert "0012_light_hand.csv" in refused
            return
        read_TVC = read.keypoints_TVC
        rows = plain_rows(data, keep_bare=True)
        rows = rows[len(rows) - len(read_TVC) :]  # the first may name the columns
        for points_VC, cells in zip(read_TVC, rows, strict=True):
            expected = [math.nan if cell == "" else float(cell) for cell in cells[1:]]
            assert "_" not in "".join(cells)
            assert points_VC.ravel().tolist() == pytest.approx(expected, rel=1e-6, nan_ok=True)

    fuzz(check, mutated(rows), examples)


@fuzzed
def test_a_damaged_table_of_columns_comes_out_whole_or_not_at_all(tmp_path, examples):
    path = tmp_path / "truth.csv"

    def check(data):
        path.write_bytes(data)
        table, refused = attempt(csv_table, path)
        if refused:
            assert "truth.csv" in refused
            return
        columns, *rows = plain_rows(data)
        assert list(table.columns) == columns
        assert [[cell or "" for cell in row] for row in table.to_numpy().tolist()] == rows

    fuzz(check, mutated([["Id", "Target"], ["0054_0", "25"], ["0054_1", "3"], ["0054_2", "31"]]), examples)
