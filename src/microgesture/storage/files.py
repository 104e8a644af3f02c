"""Atomic writing: a killed job or a full disk leaves no incomplete file under the final name."""

import json
import os
import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pandas as pd

from ..errors import InputError
from .disk import disk_room


@contextmanager
def replacing(path: Path | str, size: int = 0) -> Iterator[Path]:
    """Yield a temporary path; rename the file to ``path`` if the block succeeds, and remove it if not.

    The temporary file is in a separate folder beside ``path``. The next job that writes ``path`` removes files that a
    killed job has left there. If two jobs write the same file at the same time, the first fails with ``InputError``,
    and the file is complete. Raises ``DiskFull`` if the disk is full; ``size`` is the approximate size in bytes, 0 if
    unknown.
    """
    path = Path(path)
    folder = path.parent / f".{path.name}.tmp"
    temporary = folder / uuid.uuid4().hex
    with disk_room(path, size):
        try:
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir(parents=True, exist_ok=True)
            yield temporary
            try:
                with open(temporary, "rb") as written:
                    os.fsync(written.fileno())
                os.replace(temporary, path)
            except FileNotFoundError:
                raise InputError(
                    f"{path}: another process writes this file too; let one finish, then run again"
                ) from None
        finally:
            temporary.unlink(missing_ok=True)
            with suppress(OSError):  # another job uses the folder, or has removed it
                folder.rmdir()


def write_text(path: Path | str, text: str) -> None:
    """Write a text file atomically, in UTF-8 with Unix line ends on all systems."""
    with replacing(path, len(text.encode())) as temporary:
        temporary.write_text(text, encoding="utf-8", newline="\n")


def write_json(path: Path | str, value: Any) -> None:
    """Write a JSON file atomically, with keys in the given order; equal values give equal bytes."""
    write_text(path, json.dumps(value, indent=2, ensure_ascii=False) + "\n")


def read_json(path: Path | str) -> Any:
    """Read a JSON file."""
    return json.loads(Path(path).read_text(encoding="utf-8"))


def write_csv(path: Path | str, table: pd.DataFrame) -> None:
    """Write a table as a CSV file atomically, without its index."""
    write_text(path, table.to_csv(index=False, lineterminator="\n"))
