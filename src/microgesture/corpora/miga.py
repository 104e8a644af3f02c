"""iMiGUE as the MiGA challenges hand it out (2023 to 2026): long videos, skeleton files and ``NNNN_label.csv``.

A label file has no header; each row is class, first frame, last frame (from 0, last included) at 25 frames a second.
Classes are 1 to 31 and 99 (no micro-gesture). Folder names differ from year to year, so files are found by name.
"""

import itertools
import re
import sys
from collections import defaultdict
from pathlib import Path

from ..errors import InputError
from ..storage.csv_files import csv_rows
from .listing import Listing, Row, check_frames, kinds_in_every_split, one_of, split_of, table, walk, whole

FPS = 25.0
NO_GESTURE = 99  # the raw label of the last class
_TABLE = table("imigue.json")
CLASSES = tuple(_TABLE["classes"])
OFFICIAL_SPLITS = {split: tuple(_TABLE[split]) for split in ("val", "test")}  # all other recordings are for training
TARGETS = tuple(str(label) for label in range(len(CLASSES)))

_PATTERNS = {
    "label": re.compile(r"(\d{4})_label\.csv", re.IGNORECASE),
    "openpose": re.compile(r"(\d{4})_openpose\.xlsx", re.IGNORECASE),
    "openpose (older name)": re.compile(r"(\d{4})_2\.xlsx", re.IGNORECASE),
    "light_hand": re.compile(r"(\d{4})_light_hand\.csv", re.IGNORECASE),
    "video": re.compile(r"(\d{4})\.mp4", re.IGNORECASE),
    "clip": re.compile(r"(\d{4}_\d+)\.mp4", re.IGNORECASE),
}
SKELETONS = {
    "auto": ("openpose", "openpose (older name)", "light_hand"),
    "openpose": ("openpose", "openpose (older name)"),
    "light_hand": ("light_hand",),
}
_EXPECTED = {
    "auto": "_openpose.xlsx or {}_light_hand.csv",
    "openpose": "_openpose.xlsx",
    "light_hand": "_light_hand.csv",
}

Files = dict[str, dict[str, list[Path]]]  # kind, then recording (or clip): the files of that name


def read(root: Path, skeleton: str = "auto") -> Listing:
    """List the clips under ``root``; ``skeleton`` says which file type to use (auto: OpenPose where there is one).

    The split of a recording is the nearest folder above its label file that names one; without such a folder, the
    challenge's own lists of recordings decide. A long video is used before pre-cut clips ``NNNN_row.mp4``. The class
    column of a test label file is never looked at. Raises ``InputError`` if there is no label file or files contradict
    each other.
    """
    if skeleton not in SKELETONS:
        raise InputError(f"skeleton: '{skeleton}' is none of {', '.join(SKELETONS)}")
    paths = list(walk(root))
    files = _find(paths)
    if not files["label"]:
        raise InputError(
            f"{root}: no label file (NNNN_label.csv) in it or its folders; is this the folder of the release?"
        )
    subjects = _subjects(root, paths)
    rows = []
    for recording in sorted(files["label"]):
        label_file = _label_file(root, files["label"][recording])
        split = split_of(label_file) or _official_split(recording)
        sources = [one_of(files[kind][recording], split, root) for kind in SKELETONS[skeleton]]
        skeleton_file = next(filter(None, sources), None)
        video_file = one_of(files["video"][recording], split, root)
        for number, row in enumerate(_read_labels(root / label_file, recording, split)):
            row.subject = subjects.get(recording)
            row.expected = {
                "video": f"{recording}.mp4 or {recording}_{number}.mp4",
                "keypoints": recording + _EXPECTED[skeleton].format(recording),
            }
            if skeleton_file:
                row.skeleton, row.skeleton_start = skeleton_file.as_posix(), row.start
            if video_file:
                row.video, row.video_start = video_file.as_posix(), row.start
            elif cut := one_of(files["clip"][row.clip_id], split, root):
                row.video, row.video_start = cut.as_posix(), 0
            rows.append(row)
    _tell_unlabelled(files)
    return Listing(rows, CLASSES, TARGETS)


def provides(root: Path, skeleton: str = "auto") -> frozenset[str]:
    """Which of "video" and "keypoints" every split under ``root`` has."""
    return kinds_in_every_split(read(root, skeleton).rows)


def _find(paths: list[Path]) -> Files:
    files: Files = {kind: defaultdict(list) for kind in _PATTERNS}
    for path in paths:
        for kind, pattern in _PATTERNS.items():
            if match := pattern.fullmatch(path.name):
                files[kind][match[1]].append(path)
    return files


def _label_file(root: Path, paths: list[Path]) -> Path:
    """One label file of a recording: a release may repeat it beside skeletons and videos, but not contradict itself."""
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
    lines = csv_rows(path)
    first = next(lines, None)
    # Names of columns hold no digit: a damaged first row is a row all the same, or all ids after it would be wrong.
    named = first is None or all(re.fullmatch(r"\D*[^\W\d]\D*", cell) for cell in first[1])
    for line, cells in lines if named else itertools.chain([first], lines):
        row = Row(f"{recording}_{len(rows)}", f"{path.name}, row {line}", recording, split, fps=FPS)
        rows.append(row)
        # Where the class is unknown, its column may be missing.
        if len(cells) != 3 and (split == "train" or len(cells) != 2):
            row.refuse(f"{len(cells)} columns, expected class, first frame, last frame")
            row.start, row.end = 0, -1
            continue
        if split != "test" and len(cells) == 3:
            raw = whole(cells[0])
            if raw == NO_GESTURE or (raw is not None and 1 <= raw < len(CLASSES)):
                row.label = len(CLASSES) - 1 if raw == NO_GESTURE else raw - 1
            else:
                row.refuse(f"column 1: class {cells[0]!r} is none of 1..{len(CLASSES) - 1} and {NO_GESTURE}")
        check_frames(row, *cells[-2:])
    return rows


def _subjects(root: Path, paths: list[Path]) -> dict[str, str]:
    """The subject of each recording, from the licence holders' ``labels_*.csv``; nothing else in it is used.

    Raises ``InputError`` if it gives one recording two subjects.
    """
    subjects: dict[str, str] = {}
    for path in paths:
        if re.fullmatch(r"labels_.*\.csv", path.name, re.IGNORECASE):
            rows = csv_rows(root / path)
            _, columns = next(rows, (0, []))
            for line, cells in rows:
                named = dict(zip(columns, cells, strict=False))
                recording, subject = whole(named.get("video_id")), named.get("subject_id")
                if recording is None or not subject:
                    continue
                known = subjects.setdefault(f"{recording:04d}", subject)
                if known != subject:
                    raise InputError(
                        f"{root / path}, row {line}: subject {subject} in recording {recording:04d}, "
                        f"but {known} before; keep the right one"
                    )
    return subjects


def _tell_unlabelled(files: Files) -> None:
    found = {recording for kind in ("video", *SKELETONS["auto"]) for recording in files[kind]}
    if unlabelled := sorted(found - set(files["label"])):
        print(f"no label file, so no clips: recordings {', '.join(unlabelled)}", file=sys.stderr)
