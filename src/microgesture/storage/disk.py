"""Room on the disk: what is free, and saying so when a file does not fit."""

import errno
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

FULL = (errno.ENOSPC, errno.EDQUOT)


class DiskFull(Exception):
    """A file cannot be written because its disk, or a quota on it, is full."""


@contextmanager
def disk_room(path: Path | str, size: int = 0) -> Iterator[None]:
    """Turn the errors of a full disk into ``DiskFull``, with what is free and what writing ``path`` needs.

    ``size`` is about how many bytes that is, where it is known before: if the disk has less, the block is not begun.
    """
    path = Path(path)
    try:
        if size > free_bytes(path):
            raise OSError(errno.ENOSPC, "larger than what is free")
        yield
    except Exception as error:
        if code := _full(error):
            raise DiskFull(_sentence(path, size, code)) from None
        raise


def free_bytes(path: Path | str) -> int:
    """The bytes that are free on the disk where a file or folder lies, or will."""
    return shutil.disk_usage(nearest(path)).free


def nearest(path: Path | str) -> Path:
    """The path itself if it is there, or else the nearest folder above it that is."""
    path = Path(path).absolute()
    return next(folder for folder in (path, *path.parents) if folder.exists())


def in_words(size: float) -> str:
    """A number of bytes as people say it: ``3.4 GB``, in powers of 1000."""
    if size < 1000:
        return f"{size:.0f} bytes"
    for unit in ("kB", "MB", "GB", "TB"):
        size /= 1000
        if size < 999.95 or unit == "TB":
            break
    return f"{size:.1f} {unit}"


def _full(error: BaseException | None) -> int | None:
    """The system's number for a full disk or quota, if that is behind an error.

    Torch raises an error of its own in place of the system's, and safetensors has the number only in words.
    """
    while error is not None:
        for code in FULL:
            if getattr(error, "errno", None) == code or f"(os error {code})" in str(error):
                return code
        error = error.__context__
    return None


def _sentence(path: Path, size: int, code: int) -> str:
    free = free_bytes(path)
    if code == errno.EDQUOT:
        full, needed = "the quota there is used up", in_words(size) if size else "more"
    else:
        full = f"its disk has {in_words(free)} free"
        needed = in_words(size) if size > free else f"more than {in_words(free)}"
    return (
        f"{path} cannot be written: {full}, and it needs {needed}. What was there before is unchanged; make room and "
        "run again: what is finished is not made twice"
    )
