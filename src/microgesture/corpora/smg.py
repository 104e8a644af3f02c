"""SMG as its authors and the MiGA challenges hand it out: one long sequence a subject, a Kinect v2's joints and colour.

Of each sequence there are ``SampleNNNN_finelabels.csv``, ``SampleNNNN_skeleton.csv`` (see ``kinect``),
``SampleNNNN_color.mp4`` and ``SampleNNNN_data.csv`` (number of frames, frames a second, largest depth), in folders that
differ from release to release, so files are found by name. A label file has no header; each row is class (1 to 17),
start, end. Which frames these mean the authors' own code does not agree on (github.com/mikecheninoulu/SMG):
``SMGaccessSample.py`` and ``THDutils.py`` count from 1 and include the end, ``smg_gendata.py`` counts from 0 and leaves
it out. Both stop after the same frame, ``end - 1`` counted from 0, and both show all from ``start`` on, counted from 0:
these are a clip's frames here, and one more at its beginning at most is missing.
"""

import re
import sys
from collections import defaultdict
from pathlib import Path

from ..errors import InputError
from ..storage.csv_files import csv_rows
from .listing import Listing, Row, check_frames, decimal, kinds_in_every_split, one_of, split_of, table, walk, whole

_TABLE = table("smg.json")
CLASSES = tuple(_TABLE["classes"])
OFFICIAL_SPLITS = {split: tuple(_TABLE[split]) for split in ("val", "test")}  # all other recordings are for training
TARGETS = tuple(str(label) for label in range(1, len(CLASSES) + 1))  # as in label files: no challenge classifies clips

_PATTERNS = {
    "labels": re.compile(r"(Sample\d{4})_finelabels\.csv", re.IGNORECASE),
    "keypoints": re.compile(r"(Sample\d{4})_skeleton\.csv", re.IGNORECASE),
    "video": re.compile(r"(Sample\d{4})_color\.mp4", re.IGNORECASE),
    "data": re.compile(r"(Sample\d{4})_data\.csv", re.IGNORECASE),
}

Files = dict[str, dict[str, list[Path]]]  # kind, then recording: the files of that name


def read(root: Path) -> Listing:
    """List the clips under ``root``: ``Sample0001_0`` is the first row of that sequence's label file.

    The split of a sequence is the nearest folder above its label file that names one; without such a folder it is the
    official one: 1 to 30 train, 31 to 35 val, 36 to 40 test. A sequence is one subject. The class column of a test
    label file is never looked at. Raises ``InputError`` if there is no label file or files contradict each other.
    """
    files = _find(walk(root))
    if not files["labels"]:
        raise InputError(
            f"{root}: no label file (SampleNNNN_finelabels.csv) in it or its folders; is this the folder of SMG?"
        )
    rows = []
    for recording, paths in sorted(files["labels"].items()):
        label_file = _label_file(root, paths)
        split = split_of(label_file) or _official_split(recording)
        skeleton, video, data = (one_of(files[kind][recording], split, root) for kind in ("keypoints", "video", "data"))
        fps, complaint = _frame_rate(root / data) if data else (None, None)
        for row in _read_labels(root / label_file, recording, split):
            row.subject, row.fps = recording, fps
            row.expected = {"video": f"{recording}_color.mp4", "keypoints": f"{recording}_skeleton.csv"}
            if skeleton:
                row.skeleton, row.skeleton_start = skeleton.as_posix(), row.start
            if video:
                row.video, row.video_start = video.as_posix(), row.start
            if complaint:
                row.refuse(complaint)
            rows.append(row)
    _tell_unlabelled(files)
    return Listing(rows, CLASSES, TARGETS)


def provides(root: Path) -> frozenset[str]:
    """Which of "video", "keypoints" and "metres" every split under ``root`` has; a Kinect's joints have metres."""
    kinds = kinds_in_every_split(read(root).rows)
    return kinds | {"metres"} if "keypoints" in kinds else kinds


def _find(paths) -> Files:
    files: Files = {kind: defaultdict(list) for kind in _PATTERNS}
    for path in paths:
        for kind, pattern in _PATTERNS.items():
            if match := pattern.fullmatch(path.name):
                files[kind][match[1].capitalize()].append(path)
    return files


def _label_file(root: Path, paths: list[Path]) -> Path:
    """One label file of a sequence: releases repeat it beside other kinds of files, but must not contradict it."""
    first, *others = paths
    for other in others:
        if split_of(other) != split_of(first) or (root / other).read_bytes() != (root / first).read_bytes():
            raise InputError(
                f"under {root}, {first} and {other} give the same clip ids but differ in split or content; "
                "keep the right one"
            )
    return first


def _official_split(recording: str) -> str:
    return next((split for split, recordings in OFFICIAL_SPLITS.items() if recording in recordings), "train")


def _read_labels(path: Path, recording: str, split: str) -> list[Row]:
    rows = []
    for line, cells in csv_rows(path):
        row = Row(f"{recording}_{len(rows)}", f"{path.name}, row {line}", recording, split)
        rows.append(row)
        # Where the class is unknown, its column may be missing.
        if len(cells) != 3 and (split == "train" or len(cells) != 2):
            row.refuse(f"{len(cells)} columns, expected class, start, end")
            row.start, row.end = 0, -1
            continue
        if split != "test" and len(cells) == 3:
            raw = whole(cells[0])
            if raw is not None and 1 <= raw <= len(CLASSES):
                row.label = raw - 1
            else:
                row.refuse(f"column 1: class {cells[0]!r} is none of 1..{len(CLASSES)}")
        _set_frames(row, *cells[-2:])
    return rows


def _set_frames(row: Row, start: str, end: str) -> None:
    check_frames(row, start, end)
    if row.reason:
        return
    row.end -= 1  # the frame after the last, counted from 0
    if row.end < row.start:
        row.refuse(f"end {end} is not after start {start}, so that the clip has no frame")


def _frame_rate(path: Path) -> tuple[float | None, str | None]:
    """Frames a second, which a clip may not be without, and what is wrong with the file that should say so."""
    _, cells = next(csv_rows(path), (1, []))
    fps = decimal(cells[1]) if len(cells) > 1 else None
    if fps is None or not 1 <= fps <= 1000:
        return None, f"{path.name} does not say the frames a second in its second column; mend it"
    return fps, None


def _tell_unlabelled(files: Files) -> None:
    found = {recording for kind in ("video", "keypoints") for recording in files[kind]}
    if unlabelled := sorted(found - set(files["labels"])):
        print(f"no label file, so no clips: recordings {', '.join(unlabelled)}", file=sys.stderr)
