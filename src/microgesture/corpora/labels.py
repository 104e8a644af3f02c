"""Label files, one for each long recording: csv without a header; each row is class, first frame, last frame."""

import itertools
import re
import sys
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from ..errors import InputError
from ..storage.csv_files import csv_rows
from ..terminal import visible
from .listing import Row, check_frames, split_of, whole

Files = dict[str, dict[str, list[Path]]]  # kind -> recording (or clip) -> the files of that name
LABEL = "label"  # the kind of label files


def find_files(paths: Iterable[Path], patterns: Mapping[str, re.Pattern[str]]) -> Files:
    """Find the files whose name matches the pattern of a kind; the first group of a pattern is the recording's name."""
    files: Files = {kind: defaultdict(list) for kind in patterns}
    for path in paths:
        for kind, pattern in patterns.items():
            if match := pattern.fullmatch(path.name):
                files[kind][match[1].capitalize()].append(path)
    return files


def label_file(root: Path, paths: list[Path]) -> Path:
    """Choose one label file of a recording; a release may have several copies beside other kinds of files.

    Raises ``InputError`` that names two files if their split or content differs.
    """
    first, *others = paths
    for other in others:
        if split_of(other) != split_of(first) or (root / other).read_bytes() != (root / first).read_bytes():
            raise InputError(
                f"under {root}, {first} and {other} give the same clip ids but differ in split or content; "
                "keep the right one"
            )
    return first


def split_of_recording(recording: str, file: Path, official: Mapping[str, Iterable[str]]) -> str:
    """Return the split named by the nearest folder above a label file, or else the official one, which may be train."""
    return split_of(file) or next((split for split, names in official.items() if recording in names), "train")


def read_labels(
    path: Path,
    recording: str,
    split: str,
    class_of: Callable[[int | None], int | None],
    classes: str,
    columns: str = "class, first frame, last frame",
    fps: float | None = None,
    header: bool = False,
) -> list[Row]:
    """Read the rows of a label file; ``Sample0001_0`` is the id of the first.

    ``class_of`` maps a number in the file to the index of a class, or None; ``classes`` describes the numbers and
    ``columns`` the columns in messages. The class column of a test file is never read. With ``header``, a first row of
    names is skipped.
    """
    rows: list[Row] = []
    lines = csv_rows(path)
    first = next(lines, None) if header else None
    # Names of columns have no digits. A damaged first row counts as a row; otherwise all later ids would be wrong.
    if first is not None and not all(re.fullmatch(r"\D*[^\W\d]\D*", cell) for cell in first[1]):
        lines = itertools.chain([first], lines)
    for line, cells in lines:
        row = Row(f"{recording}_{len(rows)}", f"{path.name}, row {line}", recording, split, fps=fps)
        rows.append(row)
        # Where the class is not needed, its column may be missing.
        if len(cells) != 3 and (split == "train" or len(cells) != 2):
            row.refuse(f"{len(cells)} columns, expected {columns}")
            row.start, row.end = 0, -1
            continue
        if split != "test" and len(cells) == 3:
            row.label = class_of(whole(cells[0]))
            if row.label is None:
                row.refuse(f"column 1: class {cells[0]!r} is none of {classes}")
        check_frames(row, *cells[-2:])
    return rows


def tell_unlabelled(files: Files, kinds: Iterable[str]) -> None:
    """Print to standard error the recordings that have files of these kinds but no label file."""
    found = {recording for kind in kinds for recording in files[kind]}
    if unlabelled := sorted(found - set(files[LABEL])):
        listed = visible(", ".join(unlabelled))
        print(f"recordings without a label file, and so without clips: {listed}", file=sys.stderr)
