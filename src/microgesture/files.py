"""Writing files so that a killed job or a full disk leaves nothing that looks finished."""

import errno
import json
import os
import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pandas as pd

FULL = (errno.ENOSPC, errno.EDQUOT)


class DiskFull(OSError):
    """A file cannot be written because its disk, or a quota on it, is full; what was there before is unchanged."""


@contextmanager
def replacing(path: Path | str, size: int | None = None) -> Iterator[Path]:
    """Give a temporary path near ``path``; rename it to ``path`` if the block succeeds, remove it if not.

    It lies in a folder of its own beside ``path``, where the next one to write the file finds and removes what a killed
    job has left. So of two jobs that write one file at once the first fails, and the file is whole. Raises ``DiskFull``
    if the disk is; ``size`` is how many bytes the file will have, if that is known.
    """
    path = Path(path)
    folder = path.parent / f".{path.name}.tmp"
    temporary = folder / uuid.uuid4().hex
    try:
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True, exist_ok=True)
        yield temporary
        with open(temporary, "rb") as written:
            os.fsync(written.fileno())
        os.replace(temporary, path)
    except OSError as error:
        if error.errno not in FULL:
            raise
        needed = f"{size:,} bytes" if size else f"more than {_size_of(temporary):,} bytes"
        free = shutil.disk_usage(path.parent).free
        raise DiskFull(
            error.errno, f"{path} cannot be written: it needs {needed}, and its disk has {free:,} left; make room"
        ) from error
    finally:
        temporary.unlink(missing_ok=True)
        with suppress(OSError):  # another job's file is in it, or that job has removed it
            folder.rmdir()


def _size_of(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def write_text(path: Path | str, text: str) -> None:
    """Write a text file atomically, in UTF-8 with Unix line ends on every system."""
    with replacing(path, len(text.encode())) as temporary:
        temporary.write_text(text, encoding="utf-8", newline="\n")


def write_json(path: Path | str, value: Any) -> None:
    """Write a JSON file atomically, keys in the order given, so that equal values give equal bytes."""
    write_text(path, json.dumps(value, indent=2, ensure_ascii=False) + "\n")


def read_json(path: Path | str) -> Any:
    """Read a JSON file."""
    return json.loads(Path(path).read_text(encoding="utf-8"))


def write_csv(path: Path | str, table: pd.DataFrame) -> None:
    """Write a table as CSV atomically, without its index."""
    write_text(path, table.to_csv(index=False, lineterminator="\n"))
