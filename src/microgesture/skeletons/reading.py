"""Reading the skeleton files of the releases: one array (frames, points, 3), or 6 with metres, for each recording."""

import csv
import itertools
import lzma
import math
import struct
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from pathlib import Path
from xml.parsers import expat

import numpy as np
from python_calamine import CalamineError, CalamineWorkbook

from ..errors import UnusableClip
from ..progress import progress
from ..storage.clips import Clips
from ..storage.shards import build_shard
from ..videos.isolation import each_clip_isolated
from .kinect import COLUMNS as KINECT_COLUMNS
from .kinect import kinect_joints

POINTS = {137: "OpenPose body, face and hands", 35: "light_hand", 28: "OpenPose body and fingertips of MA-52"}
SECONDS = 900  # the longest that the reading of one recording may take
MEMORY = 4 << 30  # the bytes it may take; a table of an hour of frames fits
LARGEST = 2 << 30  # the bytes that the parts of a workbook may come to; that hour is 1.3e9
# What NumPy, zipfile and its decoders raise on a file that is damaged or no archive of arrays.
_NO_ARCHIVE = (
    *(zipfile.BadZipFile, zlib.error, lzma.LZMAError, struct.error, SyntaxError),
    *(LookupError, ValueError, TypeError, EOFError, OSError, RuntimeError, OverflowError),
)


def read_skeleton(path: Path | str) -> np.ndarray:
    """A recording's skeleton, float32 (T, V, 3): x, y in pixels and confidence, as the file has them (NaN kept).

    By file name: ``.xlsx`` is OpenPose without header, 411 columns (137 points); ``_skeleton.csv`` is SMG's Kinect v2,
    275 columns (25 joints), float32 (T, 25, 6) as ``kinect`` says; any other ``.csv`` is light_hand, a column of frame
    numbers and 35 points; ``.npz`` holds an array ``keypoints`` (T, V, 3). A line of column names is found and left
    out. Raises ``UnusableClip`` naming file, row and column.
    """
    path = Path(path)
    if not path.is_file():
        raise UnusableClip(f"{path}: no such file")
    if path.suffix == ".npz":
        return _read_npz(path)
    if path.suffix == ".xlsx":
        return _read_table(path, xlsx_rows(path), points=137, numbering=0)
    if path.name.lower().endswith("_skeleton.csv"):
        return kinect_joints(_read_numbers(path, _csv_rows(path), KINECT_COLUMNS, "11 of each of 25 joints"))
    if path.suffix == ".csv":
        return _read_table(path, _csv_rows(path), points=35, numbering=1)
    raise UnusableClip(f"{path}: a skeleton file ends in .xlsx, .csv or .npz")


def skeleton_length(path: Path | str) -> int:
    """The number of frames of an ``.npz`` skeleton, from its header alone; raises ``UnusableClip``."""
    if not Path(path).is_file():
        raise UnusableClip(f"{path}: no such file")
    return _npz_shape(Path(path))[0]


def skeleton_points(path: Path | str) -> int:
    """The number of points of a skeleton, from the file's name or an archive's header; raises ``UnusableClip``."""
    path = Path(path)
    if path.suffix == ".npz":
        return _npz_shape(path)[1]
    return 137 if path.suffix == ".xlsx" else 25 if path.name.lower().endswith("_skeleton.csv") else 35


def read_skeletons(clips: Clips, shard: int, root: Path, output: Path, scratch: Path) -> None:
    """Store the skeletons of a shard's recordings, keyed by their path relative to ``root``, each read once.

    ``root`` is the corpus's folder, or a file in it such as ``clips.csv``. A recording that cannot be read, or takes
    more than 15 minutes or 4 GiB, has no frames and says why; the others go on.
    """
    mine = clips.usable[clips.usable.shard == shard]
    paths = sorted(set(mine.skeleton.dropna()))
    folder = root.parent if root.is_file() else root

    def produce(todo: list[str]) -> Iterable[tuple[str, np.ndarray | UnusableClip]]:
        each = each_clip_isolated(todo, partial(_reader, folder), SECONDS, MEMORY)
        return progress(each, f"skeletons {output.parent.name}/{output.stem}", len(todo), "recording")

    build_shard(output, scratch, paths, produce, "zstd")


def _reader(folder: Path) -> Callable[[str], np.ndarray]:
    return lambda path: read_skeleton(folder / path)


def _read_npz(path: Path) -> np.ndarray:
    _npz_shape(path)
    try:
        with np.load(path, allow_pickle=False) as archive:
            keypoints_TVC = archive["keypoints"]
    except _NO_ARCHIVE as error:
        raise UnusableClip(f"{path}: no NumPy archive with an array 'keypoints' ({error})") from None
    return keypoints_TVC.astype(np.float32)


def _npz_shape(path: Path) -> tuple[int, ...]:
    """The shape of the array from its header, which must fit what the archive holds: nothing is set aside for more."""
    try:
        with zipfile.ZipFile(path) as archive, archive.open("keypoints.npy") as member:
            version = np.lib.format.read_magic(member)
            read = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}[version]
            shape, _, dtype = read(member)
            held = archive.getinfo("keypoints.npy").file_size - member.tell()
    except _NO_ARCHIVE as error:
        raise UnusableClip(f"{path}: no NumPy archive with an array 'keypoints' ({error})") from None
    _checked_shape(path, shape)
    if dtype.kind not in "fiu":
        raise UnusableClip(f"{path}: 'keypoints' is {dtype}, expected float32")
    if held != (expected := math.prod(shape) * dtype.itemsize):
        raise UnusableClip(f"{path}: 'keypoints' is {shape}, {expected} bytes, but the archive holds {held}")
    return shape


def _checked_shape(path: Path | str, shape: tuple[int, ...]) -> tuple[int, ...]:
    if len(shape) != 3 or shape[1] not in POINTS or shape[2] != 3:
        layouts = ", ".join(f"{points} ({name})" for points, name in POINTS.items())
        raise UnusableClip(f"{path}: 'keypoints' is {shape}, expected (frames, points, 3) with points one of {layouts}")
    if shape[0] == 0:
        raise UnusableClip(f"{path}: the file holds no frame")
    return shape


def xlsx_rows(path: Path) -> Iterator[list]:
    """The rows of the first sheet of a workbook, cells as it has them; raises ``UnusableClip`` if it is damaged."""
    try:
        _check_workbook(path)
        with CalamineWorkbook.from_path(path) as book:
            yield from book.get_sheet_by_index(0).to_python(skip_empty_area=False)
    except (CalamineError, expat.ExpatError, *_NO_ARCHIVE) as error:
        raise UnusableClip(f"{path}: not a readable xlsx file ({error})") from None


def _check_workbook(path: Path) -> None:
    """Compare each part of a workbook with its checksum, and see that its XML is whole.

    What reads the tables is more forgiving. A document type, through which XML can name other files and grow without
    end, has no place in a workbook (ECMA-376 part 2, 8.1.1). Raises ``UnusableClip``, or what the readers of archives
    and of XML raise.
    """
    with zipfile.ZipFile(path) as archive:
        members = archive.infolist()
        if len({member.filename for member in members}) < len(members):
            raise UnusableClip(f"{path}: two parts of the workbook have the same name; save it again as xlsx")
        if (size := sum(member.file_size for member in members)) > LARGEST:
            raise UnusableClip(f"{path}: the workbook unpacks to {size} bytes, more than the {LARGEST} of an hour")
        for member in members:
            parser = expat.ParserCreate(namespace_separator=" ")
            parser.StartDoctypeDeclHandler = partial(_refuse_doctype, path, member.filename)
            is_xml = member.filename.endswith((".xml", ".rels"))
            with archive.open(member) as part:
                while chunk := part.read(1 << 20):
                    if is_xml:
                        parser.Parse(chunk)
            if is_xml:
                parser.Parse(b"", True)


def _refuse_doctype(path: Path, part: str, *_: object) -> None:
    raise UnusableClip(f"{path}: {part} declares a document type, as no workbook does; save it again as xlsx")


def _csv_rows(path: Path) -> Iterator[list[str]]:
    try:
        with open(path, newline="", encoding="utf-8-sig") as lines:
            yield from csv.reader(lines)
    except (csv.Error, UnicodeDecodeError) as error:
        raise UnusableClip(f"{path}: not a readable csv file ({error})") from None


def _read_table(path: Path, rows: Iterable[list], points: int, numbering: int) -> np.ndarray:
    """Rows of ``numbering`` columns of frame numbers and then x, y, confidence of each point."""
    layout = "x, y and confidence of each point" + (" after a frame number" if numbering else "")
    rows_TN = _read_numbers(path, rows, numbering + 3 * points, layout)
    return rows_TN[:, numbering:].reshape(len(rows_TN), points, 3)


def _read_numbers(path: Path, rows: Iterable[list], columns: int, layout: str) -> np.ndarray:
    """The rows of a table, float32 (T, columns), NaN where a cell is empty; ``layout`` says what the columns are."""
    numbered = enumerate(rows, start=1)
    first = next(numbered, None)
    if first is None:
        raise UnusableClip(f"{path}: the file is empty")
    frames = [] if _is_header(first[1]) else [_numbers(path, *first, columns, layout)]
    frames += [_numbers(path, row, cells, columns, layout) for row, cells in numbered if cells]
    if not frames:
        raise UnusableClip(f"{path}: the file holds no frame")
    return np.stack(frames)


def _is_header(cells: list) -> bool:
    """Whether a first row names the columns: with words, or with 0, 1, 2, ... as pandas does."""
    filled = [cell for cell in cells if cell not in ("", None)]
    numbers = [_number(cell) for cell in filled]
    if all(number is None for number in numbers):
        return bool(filled)
    steps = [a is not None and b is not None and b - a == 1 for a, b in itertools.pairwise(numbers)]
    return len(steps) > 1 and all(steps)


def _numbers(path: Path, row: int, cells: list, columns: int, layout: str) -> np.ndarray:
    if len(cells) != columns:
        raise UnusableClip(f"{path}, row {row}: {len(cells)} columns, expected {columns} ({layout})")
    try:
        kinds = set(map(type, cells))
        # NumPy would take TRUE for 1 and 1_0 for 10.
        if bool not in kinds and not (str in kinds and "_" in "".join(map(str, cells))):
            return np.array(cells, np.float32)
    except (ValueError, TypeError, OverflowError):
        pass  # a cell is empty, or no number
    values = [np.nan if cell in ("", None) else _number(cell) for cell in cells]
    if None in values:
        column = values.index(None)
        raise UnusableClip(f"{path}, row {row}, column {column + 1}: {cells[column]!r} is not a number")
    return np.array(values, np.float32)


def _number(cell: object) -> float | None:
    if isinstance(cell, bool) or (isinstance(cell, str) and "_" in cell):  # which float would take for numbers
        return None
    try:
        return float(cell)
    except (TypeError, ValueError, OverflowError):
        return None
