"""The result of every reader of a release, its clips as rows, and functions to find files and parse numbers."""

import json
import logging
import os
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from importlib import resources
from pathlib import Path
from typing import Any

import pandas as pd

from ..errors import InputError
from ..storage.clips import SPLITS, Clips

log = logging.getLogger(__name__)

_SPLIT_NAMES = {
    "train": "train",
    "training": "train",
    "val": "val",
    "valid": "val",
    "validate": "val",
    "validation": "val",
    "test": "test",
    "testing": "test",
}
_DECIMAL = re.compile(r"[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]+)?")


@dataclass
class Row:
    """One clip as its release declares it; the fields are columns of the clips table, except those named below.

    ``declared`` is the file and row of the declaration, for messages. ``start`` and ``end`` are the first and the last
    frame of the clip in its recording, from 0; if ``end`` is None, the clip goes to the end of its file. ``label`` is
    an index into the classes. ``expected`` names, for each kind of source ("video", "keypoints"), the file that was
    searched for.

    ``declared_fps`` and ``declared_frames`` are the rate and the number of frames of the file, to be compared with it;
    None if the release does not declare them for each file. ``fps`` is used if the clip has no video.

    ``video_start`` and ``skeleton_start`` are the first frame of the clip in those files. None means that the file has
    the whole recording, so that the clip begins there at ``start``. Set them to 0 for a file with this clip alone.
    """

    clip_id: str
    declared: str
    recording: str
    split: str
    start: int = 0
    end: int | None = None
    subject: str | None = None
    label: int | None = None
    video: str | None = None
    video_start: int | None = None
    skeleton: str | None = None
    skeleton_start: int | None = None
    person: str | None = None
    fps: float | None = None
    declared_fps: float | None = None
    declared_frames: int | None = None
    reason: str | None = None
    expected: dict[str, str] = field(default_factory=dict)

    @property
    def files(self) -> list[str]:
        """The paths of its video and its keypoints, as far as there are any."""
        return [path for path in (self.video, self.skeleton) if path]

    def refuse(self, reason: str) -> None:
        """Quarantine the clip; the first reason is kept. Tables show it after ``declared``."""
        self.reason = self.reason or reason


@dataclass(frozen=True)
class Listing:
    """All clips of a release in its own order, its class names, and the value of each class in a submission."""

    rows: list[Row]
    classes: tuple[str, ...]
    targets: tuple[str, ...]


def declared_clips(listing: Listing) -> Clips:
    """Return the clips of a listing before their files are opened, with the columns that tell people and classes."""
    columns = ("clip_id", "recording", "subject", "split", "label")
    table = pd.DataFrame({name: [getattr(row, name) for row in listing.rows] for name in columns}, dtype=object)
    status = ["quarantined" if row.reason else "ok" for row in listing.rows]
    table = table.assign(label=table.label.astype("Int32"), status=status)
    return Clips(table, listing.classes, listing.targets)


def kinds_in_every_split(rows: Iterable[Row]) -> frozenset[str]:
    """Return the kinds of source ("video", "keypoints") that every split has for at least one clip."""
    by_split: dict[str, set[str]] = {}
    for row in rows:
        by_split.setdefault(row.split, set()).update(
            kind for kind, path in (("video", row.video), ("keypoints", row.skeleton)) if path
        )
    return frozenset(set.intersection(*by_split.values())) if by_split else frozenset()


def table(name: str) -> dict[str, Any]:
    """Read a table of facts about a release from the package's ``tables`` folder."""
    return json.loads(resources.files("microgesture").joinpath("tables", name).read_text(encoding="utf-8"))


def walk(root: Path) -> Iterator[Path]:
    """Yield all files under ``root`` in a fixed order, relative to it.

    Linked folders under ``root`` are followed, but none twice. Links to folders elsewhere are not followed: a warning
    names them at the end.
    """
    visited, outside, top = set(), [], Path(root).resolve()
    for folder, folders, files in os.walk(root, followlinks=True):
        real = Path(folder).resolve()
        if real in visited or not real.is_relative_to(top):
            outside += [] if real in visited else [folder]
            folders.clear()
            continue
        visited.add(real)
        folders.sort()
        for name in sorted(files):
            yield Path(folder, name).relative_to(root)
    if outside:
        more = f" (and {len(outside) - 1} more)" if len(outside) > 1 else ""
        log.warning(
            "%s%s is a link out of %s and is not followed; move or mount its folder there", outside[0], more, root
        )


def split_named(name: str) -> str | None:
    """Return the split that is a word in a file or folder name, as in ``train_data`` or ``imigue_rgb_validate``."""
    for word in re.split(r"[\W_\d]+", name.lower()):
        if word in _SPLIT_NAMES:
            return _SPLIT_NAMES[word]
    return None


def split_of(path: Path) -> str | None:
    """Return the split named by the nearest parent folder that names one."""
    return next((split for parent in path.parents if (split := split_named(parent.name))), None)


def one_of(paths: list[Path], split: str, root: Path) -> Path | None:
    """Choose one of several files with the same name: the one in a folder of the clip's split.

    Raises ``InputError`` that names two files if this leaves more than one.
    """
    if len(paths) > 1:
        paths = [path for path in paths if split_of(path) == split] or paths
    if len(paths) > 1:
        raise InputError(f"under {root}, {paths[0]} and {paths[1]} have the same name; keep the right one")
    return paths[0] if paths else None


def decimal(text: str | None) -> float | None:
    """Parse a number written with ASCII digits (``12``, ``29.97`` or ``1.2e1``); None if it is not one."""
    return float(text) if text and _DECIMAL.fullmatch(text) else None


def whole(text: str | None) -> int | None:
    """Parse a whole number (``12`` or ``12.0``) that fits into the clips table; None if it is not one.

    The number plus 1 must fit too, because a count of frames is one more than the last frame.
    """
    number = decimal(text)
    return int(number) if number is not None and number.is_integer() and abs(number) < 2**31 - 1 else None


def check_frames(row: Row, start: str | None, end: str | None) -> None:
    """Set the row's first and last frame from text, or quarantine it with the value in the reason."""
    for name, text in (("start", start), ("end", end)):
        number = whole(text)
        if number is None:
            row.refuse(f"{name} {text!r} is not a frame number")
        elif number < 0:
            row.refuse(f"{name} {number} is negative; frames are counted from 0")
    if row.reason:
        row.start, row.end = 0, -1
        return
    row.start, row.end = whole(start), whole(end)
    if row.end < row.start:
        row.refuse(f"end {row.end} is before start {row.start}")


def known_split(text: str) -> str | None:
    """Return ``train``, ``val`` or ``test`` for their usual spellings, or None."""
    return text if text in SPLITS else _SPLIT_NAMES.get(text.strip().lower())
