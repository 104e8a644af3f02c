"""Writing files so that a killed job or a full disk leaves nothing that looks finished."""

import json
import os
import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pandas as pd

from .disk import disk_room


@contextmanager
def replacing(path: Path | str, size: int = 0) -> Iterator[Path]:
    """Give a temporary path near ``path``; rename it to ``path`` if the block succeeds, remove it if not.

    It lies in a folder of its own beside ``path``, where the next one to write the file finds and removes what a killed
    job has left. So of two jobs that write one file at once the first fails, and the file is whole. Raises ``DiskFull``
    if the disk is; ``size`` is about how many bytes the file will have, if that is known before.
    """
    path = Path(path)
    folder = path.parent / f".{path.name}.tmp"
    temporary = folder / uuid.uuid4().hex
    with disk_room(path, size):
        try:
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir(parents=True, exist_ok=True)
            yield temporary
            with open(temporary, "rb") as written:
                os.fsync(written.fileno())
            os.replace(temporary, path)
        finally:
            temporary.unlink(missing_ok=True)
            with suppress(OSError):  # another job's file is in it, or that job has removed it
                folder.rmdir()


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
