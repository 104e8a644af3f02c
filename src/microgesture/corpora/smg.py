"""SMG as released by its authors and the MiGA challenges: one long sequence of Kinect v2 joints and video per subject.

Each sequence has ``SampleNNNN_finelabels.csv``, ``SampleNNNN_skeleton.csv`` (see ``kinect``), ``SampleNNNN_color.mp4``
and ``SampleNNNN_data.csv`` (number of frames, frames per second, largest depth). Their folders differ from release to
release, so files are found by name. A label file has no header; each row is class (1 to 17), start, end. The authors'
code (github.com/mikecheninoulu/SMG) reads start and end in two ways: ``SMGaccessSample.py`` and ``THDutils.py`` count
from 1 and include the end; ``smg_gendata.py`` counts from 0 and excludes it. Both end with the same frame, ``end - 1``
counted from 0, and both include all frames from ``start`` on, counted from 0. These are the frames of a clip here; by
the first way, one more frame at the beginning belongs to it.
"""

import re
from pathlib import Path

from ..errors import InputError
from ..storage.csv_files import csv_rows
from .labels import find_files, label_file, read_labels, split_of_recording, tell_unlabelled
from .listing import Listing, Row, decimal, one_of, table, walk

_TABLE = table("smg.json")
CLASSES = tuple(_TABLE["classes"])
OFFICIAL_SPLITS = {split: tuple(_TABLE[split]) for split in ("val", "test")}  # all other recordings are in train
TARGETS = tuple(str(label) for label in range(1, len(CLASSES) + 1))  # as in label files; no challenge is about clips

_PATTERNS = {
    "label": re.compile(r"(Sample\d{4})_finelabels\.csv", re.IGNORECASE),
    "keypoints": re.compile(r"(Sample\d{4})_skeleton\.csv", re.IGNORECASE),
    "video": re.compile(r"(Sample\d{4})_color\.mp4", re.IGNORECASE),
    "data": re.compile(r"(Sample\d{4})_data\.csv", re.IGNORECASE),
}


def read(root: Path) -> Listing:
    """List the clips under ``root``: ``Sample0001_0`` is the first row of that sequence's label file.

    The split of a sequence is that of the nearest folder above its label file that names one; without such a folder it
    is the official one: 1 to 30 train, 31 to 35 val, 36 to 40 test. A sequence is one subject. The class column of a
    test label file is never read. Raises ``InputError`` if there is no label file or files contradict each other.
    """
    files = find_files(walk(root), _PATTERNS)
    if not files["label"]:
        raise InputError(
            f"{root}: no label file (SampleNNNN_finelabels.csv) in it or its folders; set root to the folder of SMG"
        )
    rows = []
    for recording, paths in sorted(files["label"].items()):
        labels = label_file(root, paths)
        split = split_of_recording(recording, labels, OFFICIAL_SPLITS)
        skeleton, video, data = (one_of(files[kind][recording], split, root) for kind in ("keypoints", "video", "data"))
        fps, complaint = _frame_rate(root / data) if data else (None, None)
        known = f"1..{len(CLASSES)}"
        for row in read_labels(root / labels, recording, split, _class_of, known, "class, start, end"):
            _end_before(row)
            row.subject, row.fps = recording, fps
            row.expected = {"video": f"{recording}_color.mp4", "keypoints": f"{recording}_skeleton.csv"}
            if skeleton:
                row.skeleton = skeleton.as_posix()
            if video:
                row.video = video.as_posix()
            if complaint:
                row.refuse(complaint)
            rows.append(row)
    tell_unlabelled(files, ("video", "keypoints"))
    return Listing(rows, CLASSES, TARGETS)


def _class_of(raw: int | None) -> int | None:
    return raw - 1 if raw is not None and 1 <= raw <= len(CLASSES) else None


def _end_before(row: Row) -> None:
    """Move the end from the frame after the last one to the last one, counted from 0."""
    if row.reason:
        return
    row.end -= 1
    if row.end < row.start:
        row.refuse(f"end {row.end + 1} is not after start {row.start}, so that the clip has no frame")


def _frame_rate(path: Path) -> tuple[float | None, str | None]:
    """Read the frames per second, which every clip needs; return them, and what is wrong with the file."""
    _, cells = next(csv_rows(path), (1, []))
    fps = decimal(cells[1]) if len(cells) > 1 else None
    if fps is None or not 1 <= fps <= 1000:
        return None, f"{path.name} does not say the frames a second in its second column; mend it"
    return fps, None
