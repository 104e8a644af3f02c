"""iMiGUE as released by the MiGA challenges (2023 to 2026): long videos, skeleton files and ``NNNN_label.csv``.

A label file has no header; each row is class, first frame, last frame (from 0, last included) at 25 frames per second.
Classes are 1 to 31 and 99 (no micro-gesture). Folder names differ from year to year, so files are found by name.
"""

import re
from pathlib import Path

from ..errors import InputError
from ..storage.csv_files import csv_rows
from .labels import find_files, label_file, read_labels, split_of_recording, tell_unlabelled
from .listing import Listing, one_of, table, walk, whole

FPS = 25.0
NO_GESTURE = 99  # the raw label of the last class
_TABLE = table("imigue.json")
CLASSES = tuple(_TABLE["classes"])
OFFICIAL_SPLITS = {split: tuple(_TABLE[split]) for split in ("val", "test")}  # all other recordings are in train
TARGETS = tuple(str(label) for label in range(len(CLASSES)))
_NUMBERS = f"1..{len(CLASSES) - 1} and {NO_GESTURE}"

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


def read(root: Path, skeleton: str = "auto") -> Listing:
    """List the clips under ``root``; ``skeleton`` is the file type to use (auto: OpenPose if there is such a file).

    The split of a recording is that of the nearest folder above its label file that names one; without such a folder,
    the challenge's own lists of recordings decide. A long video is preferred to pre-cut clips ``NNNN_row.mp4``. The
    class column of a test label file is never read. Raises ``InputError`` if there is no label file or files contradict
    each other.
    """
    if skeleton not in SKELETONS:
        raise InputError(f"skeleton: '{skeleton}' is not one of {', '.join(SKELETONS)}")
    paths = list(walk(root))
    files = find_files(paths, _PATTERNS)
    if not files["label"]:
        raise InputError(
            f"{root}: no label file (NNNN_label.csv) in it or its folders; set root to the folder of the release"
        )
    subjects = _subjects(root, paths)
    rows = []
    for recording in sorted(files["label"]):
        labels = label_file(root, files["label"][recording])
        split = split_of_recording(recording, labels, OFFICIAL_SPLITS)
        sources = [one_of(files[kind][recording], split, root) for kind in SKELETONS[skeleton]]
        skeleton_file = next(filter(None, sources), None)
        video_file = one_of(files["video"][recording], split, root)
        read_rows = read_labels(root / labels, recording, split, _class_of, _NUMBERS, fps=FPS, header=True)
        for number, row in enumerate(read_rows):
            row.subject = subjects.get(recording)
            row.expected = {
                "video": f"{recording}.mp4 or {recording}_{number}.mp4",
                "keypoints": recording + _EXPECTED[skeleton].format(recording),
            }
            if skeleton_file:
                row.skeleton = skeleton_file.as_posix()
            if video_file:
                row.video = video_file.as_posix()
            elif cut := one_of(files["clip"][row.clip_id], split, root):
                row.video, row.video_start = cut.as_posix(), 0
            rows.append(row)
    tell_unlabelled(files, ("video", *SKELETONS["auto"]))
    return Listing(rows, CLASSES, TARGETS)


def _class_of(raw: int | None) -> int | None:
    if raw == NO_GESTURE:
        return len(CLASSES) - 1
    return raw - 1 if raw is not None and 1 <= raw < len(CLASSES) else None


def _subjects(root: Path, paths: list[Path]) -> dict[str, str]:
    """Read the subject of each recording from ``labels_*.csv``, which licence holders get; nothing else in it is used.

    Raises ``InputError`` if the file has two subjects for one recording.
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
