"""Folders that are no loose clips but the release of a published corpus, which is read as it lies."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import PurePosixPath


@dataclass(frozen=True)
class Release:
    """A published corpus: its name, files that only it has, and a configuration that reads it."""

    name: str
    corpus: str
    files: re.Pattern[str]
    settings: str
    page: str


RELEASES = (
    Release(
        "iMiGUE",
        "imigue",
        re.compile(r"\d{4}_(label|light_hand)\.csv", re.IGNORECASE),
        "config/mm_gesture.yaml",
        "docs/imigue.md",
    ),
    Release(
        "SMG",
        "smg",
        re.compile(r"Sample\d{4}_(finelabels\.csv|skeleton\.csv|color\.mp4)", re.IGNORECASE),
        "config/multitrack.yaml",
        "docs/smg.md",
    ),
    Release(
        "MA-52",
        "ma52",
        re.compile(r"(train|val|test)_list_videos\.txt", re.IGNORECASE),
        "config/mm_gesture.yaml",
        "docs/ma52.md",
    ),
)


def release_of(files: Iterable[PurePosixPath]) -> tuple[Release, PurePosixPath] | None:
    """The release that the files are of, and the first of them that says so; None for anything else."""
    files = list(files)
    for release in RELEASES:
        told = next((path for path in files if release.files.fullmatch(path.name)), None)
        if told is not None:
            return release, told
    return None
