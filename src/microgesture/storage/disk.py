"""Disk space: the free space, and a clear error if a file does not fit."""

import errno
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rich.filesize import decimal

FULL = (errno.ENOSPC, errno.EDQUOT)


class DiskFull(Exception):
    """A file cannot be written because its disk, or a quota on it, is full."""


@contextmanager
def disk_room(path: Path | str, size: int = 0) -> Iterator[None]:
    """Convert the errors of a full disk to ``DiskFull``, with the free space and the space that ``path`` needs.

    ``size`` is the approximate size of the file in bytes, 0 if unknown. A file that does not fit is not started.
    """
    try:
        if size > free_bytes(path):
            raise OSError(errno.ENOSPC, "larger than what is free")
        yield
    except Exception as error:
        if (code := _full(error)) is None:
            raise
        free = free_bytes(path)
        why = f"its disk has {decimal(free)} free"
        needed = decimal(size) if size > free else f"more than {decimal(free)}"
        if code == errno.EDQUOT:
            why, needed = "the quota there is used up", decimal(size) if size else "more"
        raise DiskFull(
            f"{path} cannot be written: {why}, and it needs {needed}. A previous file at this path is unchanged; "
            "free some space and run again: finished work is kept"
        ) from None


def free_bytes(path: Path | str) -> int:
    """The free bytes on the disk of a file or folder, which need not exist yet."""
    return shutil.disk_usage(nearest(path)).free


def nearest(path: Path | str) -> Path:
    """The path itself if it exists, else the nearest parent folder that exists."""
    path = Path(path).absolute()
    return next(folder for folder in (path, *path.parents) if folder.exists())


def _full(error: BaseException | None) -> int | None:
    """The errno of a full disk or quota behind an error, or None; torch hides it, safetensors has it in its message."""
    while error is not None:
        for code in FULL:
            if getattr(error, "errno", None) == code or f"(os error {code})" in str(error):
                return code
        error = error.__context__
    return None
