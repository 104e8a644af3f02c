"""Micro-Action-52 as released by its authors: one mp4 for each clip, and a list ``<name> <label>`` for each split.

Lists have Windows line ends. Labels are 0 to 51; those in the test list are placeholders and are never read.
"""

import re
from collections import defaultdict
from pathlib import Path, PurePosixPath

from ..errors import InputError
from ..storage.csv_files import text_of
from ..storage.names import composed
from .listing import Listing, Row, one_of, split_named, table, walk, whole

_TABLE = table("ma52.json")
CLASSES = tuple(_TABLE["classes"])
TARGETS = tuple(str(label) for label in range(len(CLASSES)))
_VIDEO_SUFFIXES = (".mp4", ".avi", ".mkv", ".mov")


def read(root: Path, skeletons: str | None = None) -> Listing:
    """List the clips under ``root``, in the order of its train, val and test lists.

    A list is a ``.txt`` file whose name has the split and one of the words for a list or annotations; a clip is found
    by its base name in any folder. ``skeletons`` is a folder in ``root`` with ``<name>.npz`` of 28 or 137 points for
    each clip. The first four digits of a name are the subject; names of test clips do not have it. Raises
    ``InputError`` if there is no list, or two for one split, or two videos of one name, or a row without a clip name.
    """
    paths = list(walk(root))
    lists = _lists(root, paths)
    if skeletons is not None and not (root / skeletons).is_dir():
        raise InputError(
            f"{root / skeletons}: no such folder; set skeletons to a folder in {root} with <clip>.npz files"
        )
    videos, keypoints = defaultdict(list), defaultdict(list)
    for path in paths:
        if path.suffix.lower() in _VIDEO_SUFFIXES:
            videos[composed(path.stem)].append(path)
        elif path.suffix == ".npz" and skeletons is not None and path.is_relative_to(skeletons):
            keypoints[composed(path.stem)].append(path)
    rows = []
    for split, path in lists.items():
        for row in _read_list(root / path, split):
            if video := one_of(videos[row.clip_id], split, root):
                row.video = video.as_posix()
            if skeleton := one_of(keypoints[row.clip_id], split, root):
                row.skeleton = skeleton.as_posix()
            row.expected = {"video": f"{row.clip_id}.mp4", "keypoints": f"{row.clip_id}.npz"}
            rows.append(row)
    return Listing(rows, CLASSES, TARGETS)


def _lists(root: Path, paths: list[Path]) -> dict[str, Path]:
    lists: dict[str, Path] = {}
    for path in paths:
        named = split_named(path.stem) if re.search(r"list|annotation", path.name, re.IGNORECASE) else None
        if named is None or path.suffix.lower() != ".txt":
            continue
        if named in lists and (root / path).read_bytes() != (root / lists[named]).read_bytes():
            raise InputError(f"under {root}, {lists[named]} and {path} are two different lists of {named}; keep one")
        lists.setdefault(named, path)
    if not lists:
        raise InputError(f"{root}: no list of clips (such as train_list_videos.txt) in it or its folders")
    return {split: lists[split] for split in ("train", "val", "test") if split in lists}


def _read_list(path: Path, split: str) -> list[Row]:
    rows = []
    for line, text in enumerate(re.split(r"\r\n?|\n", text_of(path)), start=1):
        cells = text.split()
        if not cells:
            continue
        name = PurePosixPath(cells[0]).name
        stem = PurePosixPath(name).stem if name.lower().endswith(_VIDEO_SUFFIXES) else name
        if not stem or not stem.isprintable():
            raise InputError(f"{path}, row {line}: {text.strip()!r} has no name of a clip; correct the row")
        row = Row(stem, f"{path.name}, row {line}", stem, split)
        if subject := re.match(r"(\d{4})_", stem):
            row.subject = subject[1]
        if split == "train" or (split == "val" and len(cells) > 1):
            label = whole(cells[1]) if len(cells) == 2 else None
            if label is not None and 0 <= label < len(CLASSES):
                row.label = label
            else:
                row.refuse(f"{text.strip()!r} is not a clip and its class 0..{len(CLASSES) - 1}")
        rows.append(row)
    return rows
