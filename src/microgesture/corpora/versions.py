"""Versions of a corpus's files: equal as long as the content of a file is, even if its time is another."""

import hashlib
import os
import stat
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from ..progress import progress
from ..videos import VIDEOS

# Of a larger video only so many blocks are read, evenly spaced: a replaced video of equal size differs everywhere. In
# other files, such as tables of keypoints, a few numbers may be edited.
BLOCK, BLOCKS = 2**16, 64


def versions_of(
    paths: Sequence[str],
    folder: Path,
    known: Mapping[str, str],
    seen: Mapping[str, str],
    digests: Callable[[], Mapping[str, str]],
) -> tuple[dict[str, str], dict[str, str]]:
    """Return the version of each file in ``folder``, and what must be passed as ``seen`` next time.

    A version is the size of the file and the time of its last change, when its content was new. A ``known`` version is
    kept if size and time are the same, or if only the time differs and the file still has its digest in ``digests()``.
    A file that cannot be found has the version "".
    """
    versions, found, doubtful = {}, {}, []
    for path in paths:
        now, before = size_and_time(folder / path), known.get(path)
        versions[path] = now
        if before in (None, now) or not now:
            continue
        if seen.get(path) == now:
            versions[path], found[path] = before, now
        elif before == "" or before.partition("-")[0] == now.partition("-")[0]:
            doubtful.append(path)
    recorded = digests() if doubtful else {}
    compared = [path for path in doubtful if path in recorded]
    for path in progress(compared, "comparing files with a new time", len(compared), "file", part=True):
        if file_digest(folder / path) == recorded[path]:
            versions[path], found[path] = known[path], versions[path]
    return versions, found


def digests_of(paths: Iterable[str], folder: Path) -> dict[str, str]:
    """Return the digest of each file in ``folder`` that can be read."""
    found = {}
    for path in sorted(set(paths)):
        with suppress(OSError, ValueError):
            found[path] = file_digest(folder / path)
    return found


def file_digest(path: Path) -> str:
    """Return a digest of a file's size and content; of a video above 4 MiB, of 64 blocks of it.

    Of a folder, it is a digest of the names and the digests of its files.
    """
    if path.is_dir():
        inside = [(one.name, file_digest(one)) for one in sorted(path.iterdir()) if one.is_file()]
        return hashlib.sha256(repr(inside).encode()).hexdigest()
    with open(path, "rb") as file:
        size = os.fstat(file.fileno()).st_size
        content = hashlib.sha256(str(size).encode())
        if size <= BLOCK * BLOCKS or path.suffix.lower() not in VIDEOS:
            while block := file.read(BLOCK * BLOCKS):
                content.update(block)
        else:
            for block in range(BLOCKS):
                file.seek(block * (size - BLOCK) // (BLOCKS - 1))
                content.update(file.read(BLOCK))
    return content.hexdigest()


def size_and_time(path: Path) -> str:
    """Return the size of a file and the time of its last change; "" if it cannot be found."""
    try:
        status = os.stat(path)
        if stat.S_ISDIR(status.st_mode):  # its own time does not change with the content of its files
            with os.scandir(path) as entries:
                files = [entry.stat() for entry in entries if entry.is_file()]
            return f"{sum(file.st_size for file in files)}-{max((file.st_mtime_ns for file in files), default=0)}"
    except (OSError, ValueError):
        return ""
    return f"{status.st_size}-{status.st_mtime_ns}"
