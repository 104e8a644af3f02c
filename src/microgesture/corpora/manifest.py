"""The user's own clips: a folder with ``clips.csv``, one row for each clip.

Columns: ``clip_id``, ``split`` (train, val, test), ``subject``, ``label`` (a name), ``fps``, ``n_frames``, and
``video``, ``keypoints`` or both (paths relative to ``clips.csv``; keypoints may be a folder of files). ``start`` and
``end`` (frames from 0, end included) define a part of that file. ``fps`` is the rate of the file, and ``n_frames`` the
number of frames of the clip; both are compared with the file. A column of any name may have the id of the person in a
file of keypoints with several people. Only ``clip_id``, ``split``, ``label`` and one of the paths are required; other
columns are ignored.
"""

from collections.abc import Mapping
from contextlib import suppress
from itertools import zip_longest
from pathlib import Path

from ..config.corpus_format import PERSON_RULES
from ..errors import InputError, UnusableClip
from ..skeletons.reading import in_space
from ..storage.csv_files import csv_rows, refuse_repeated
from ..storage.names import Folders
from .listing import Listing, Row, check_frames, decimal, known_split, whole
from .recordings import recording_named

_REQUIRED = ("clip_id", "split", "label")
_SOURCES = {"video": "video", "keypoints": "skeleton"}  # column -> field of a row


def read(root: Path, person: str | None = None, subject_column: str = "subject") -> Listing:
    """List the clips of ``root``, a ``clips.csv`` or its folder, in the order of the file.

    ``person`` is the column with the id of the person in a file of keypoints, None if there is none. The values of
    ``subject_column`` are the subjects; they may as well be cameras.

    The classes are the distinct labels of train and val, sorted; labels of test rows are not read, and those of val may
    be missing. Raises ``InputError`` if the file is missing or lacks a column, or a row has no id or an unknown split.
    """
    path = _manifest(root)
    columns = _columns(path)
    if subject_column not in ("subject", *columns):
        raise InputError(
            f"{path}: no column {subject_column!r}; set subject_column to one of {', '.join(columns)}, or remove it"
        )
    if person is not None and person not in columns:
        raise InputError(
            f"{path}: no column {person}, which person of the corpus names; the columns are {', '.join(columns)}. "
            f"Without ids, use one of {', '.join(PERSON_RULES)}"
        )
    lines = csv_rows(path)
    next(lines)
    folders = Folders(path.parent)
    rows, labels = [], []
    for line, cells in lines:
        named = dict(zip_longest(columns, cells[: len(columns)], fillvalue=""))
        row = _row(path, line, named, folders)
        row.subject = named.get(subject_column) or None
        row.person = named.get(person, "").strip() or None
        if len(cells) > len(columns):
            row.refuse(f"{len(cells)} cells in {len(columns)} columns")
        rows.append(row)
        labels.append("" if row.split == "test" else named["label"])
    classes = tuple(sorted(set(labels) - {""}))
    index = {name: label for label, name in enumerate(classes)}
    for row, label in zip(rows, labels, strict=True):
        row.label = index.get(label)
        if row.split == "train" and row.label is None:
            row.refuse("column label: a clip of train needs a label")
    return Listing(rows, classes, classes)


def provides(root: Path, subject_column: str = "subject") -> frozenset[str]:
    """Return for which of "video" and "keypoints" the manifest has a column, and "metres" for points in space.

    Only its first row is read, and the header of the first file of keypoints.
    """
    path = _manifest(root)
    columns = _columns(path)
    kinds = frozenset(_SOURCES) & frozenset(columns)
    return kinds | {"metres"} if "keypoints" in kinds and _in_space(path, columns.index("keypoints")) else kinds


def _in_space(path: Path, column: int) -> bool:
    """Return whether the first file of keypoints has points in space; False if it cannot be read."""
    lines = csv_rows(path)
    next(lines)
    for _, cells in lines:
        if column < len(cells) and cells[column]:
            with suppress(UnusableClip, OSError, ValueError):
                return in_space(path.parent / cells[column])
            return False
    return False


def _manifest(root: Path) -> Path:
    path = root if root.suffix == ".csv" else root / "clips.csv"
    if not path.is_file():
        raise InputError(f"{path}: no such file; root must be a folder with clips.csv, or such a file")
    return path


def _columns(path: Path) -> list[str]:
    _, columns = next(csv_rows(path), (1, []))
    if missing := [column for column in _REQUIRED if column not in columns]:
        raise InputError(
            f"{path}: no column {', '.join(missing)}; the first row has the columns {', '.join(columns)}; add what is "
            "missing"
        )
    refuse_repeated(path, columns)
    if not set(_SOURCES) & set(columns):
        raise InputError(
            f"{path}: neither a column video nor a column keypoints; add one with the paths of the clips' files"
        )
    if ("start" in columns) != ("end" in columns):
        raise InputError(f"{path}: one of the columns start and end is missing; give both or neither")
    return columns


def _row(path: Path, line: int, cells: Mapping[str, str], folders: Folders) -> Row:
    declared = f"{path.name}, row {line}"
    clip_id, split = cells["clip_id"], known_split(cells["split"])
    if not clip_id:
        raise InputError(f"{path}, row {line}: clip_id is empty; every clip needs one")
    if not clip_id.isprintable():
        raise InputError(f"{path}, row {line}: clip_id {clip_id!r} has a character that cannot be printed; correct it")
    if split is None:
        raise InputError(f"{path}, row {line}, column split: {cells['split']!r} is not one of train, val, test")
    row = Row(clip_id, declared, clip_id, split)
    for column, target in _SOURCES.items():
        if source := cells.get(column):
            row.expected[column] = source
            try:
                found = folders.find(source, or_folder=column == "keypoints")
                if found is None:
                    row.refuse(f"column {column}: no such file {path.parent / source}")
            except UnusableClip as error:
                found = None
                row.refuse(f"column {column}: {error}")
            setattr(row, target, found or source)
    if source := row.video or row.skeleton:
        row.recording = recording_named(source)
    else:
        row.refuse("the clip has neither a video nor keypoints")
    _set_frames(row, cells)
    _set_rate(row, cells.get("fps", ""))
    return row


def _set_frames(row: Row, cells: Mapping[str, str]) -> None:
    count = cells.get("n_frames")
    if cells.get("start") or cells.get("end"):
        check_frames(row, cells["start"], cells["end"])
        if count and not row.reason and whole(count) != row.end - row.start + 1:
            row.refuse(f"n_frames {count} does not fit start {row.start} and end {row.end} (included)")
    elif count and (whole(count) or 0) < 1:
        row.refuse(f"column n_frames: {count!r} is not a number of frames")
    elif count:
        row.declared_frames = whole(count)
    row.video_start = row.skeleton_start = row.start


def _set_rate(row: Row, text: str) -> None:
    if not text:
        return
    rate = decimal(text.replace(",", "."))
    if rate is None or not 0.001 <= rate <= 1e6:
        row.refuse(f"column fps: {text!r} is not a number of frames a second")
    else:
        row.fps = row.declared_fps = rate
