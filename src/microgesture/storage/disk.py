"""Room on the disk: what is free, and one sentence where a file does not fit."""

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
    """Turn the errors of a full disk into ``DiskFull``, with what is free and what writing ``path`` needs.

    ``size`` is the file's approximate size in bytes, if known: a file that does not fit is not begun.
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
            f"{path} cannot be written: {why}, and it needs {needed}. The file that was there before is unchanged; "
            "make room and run again: finished work is kept"
        ) from None


def free_bytes(path: Path | str) -> int:
    """The bytes that are free on the disk where a file or folder lies, or will."""
    return shutil.disk_usage(nearest(path)).free


def nearest(path: Path | str) -> Path:
    """The path itself if it exists, or else the nearest folder above it that does."""
    path = Path(path).absolute()
    return next(folder for folder in (path, *path.parents) if folder.exists())


def _full(error: BaseException | None) -> int | None:
    """The system's number for a full disk or quota behind an error: torch hides it, safetensors has it in words."""
    while error is not None:
        for code in FULL:
            if getattr(error, "errno", None) == code or f"(os error {code})" in str(error):
                return code
        error = error.__context__
    return None
