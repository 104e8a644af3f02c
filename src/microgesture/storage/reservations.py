"""Exclusive use of the names of results in a folder, for commands that write several files over a long time."""

import hashlib
import os
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from ..errors import InputError


@contextmanager
def reserved(folder: Path, names: Iterable[str]) -> Iterator[None]:
    """Reserve names of results in a folder while the block runs; a killed process reserves nothing.

    Raises ``InputError`` if another process has reserved one of them.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with ExitStack() as locks:
        for name in sorted(set(names)):
            digest = hashlib.sha256(os.fsencode(name)).hexdigest()[:16]  # a name may be too long
            path = folder / f".{digest}.lock"
            try:
                locks.enter_context(FileLock(path).acquire(blocking=False))
            except (Timeout, PermissionError):  # of this user, or of another one
                raise InputError(
                    f"another process writes the results of {name} in {folder}; wait until it ends, or name another "
                    "folder"
                ) from None
            locks.callback(path.unlink, missing_ok=True)
        yield
