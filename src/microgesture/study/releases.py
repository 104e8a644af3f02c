"""Folders with the release of a published corpus, which is read directly."""

import re
from collections.abc import Iterable
from pathlib import PurePosixPath

from ..config.corpora import FORMATS
from ..config.corpus_format import CorpusFormat


def release_of(files: Iterable[PurePosixPath]) -> tuple[type[CorpusFormat], PurePosixPath] | None:
    """The format of the release to which the files belong, and the first file that shows it; None if there is none."""
    files = list(files)
    for entry in FORMATS.values():
        pattern = entry.release and re.compile(entry.release.files, re.IGNORECASE)
        shown = next((path for path in files if pattern and pattern.fullmatch(path.name)), None)
        if shown is not None:
            return entry, shown
    return None
