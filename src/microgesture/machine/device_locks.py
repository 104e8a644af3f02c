"""Devices that one job of a machine holds at a time, by locks on files, which go with the job however it ends."""

import logging
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from filelock import FileLock, Timeout

log = logging.getLogger(__name__)

PAUSE = 2.0  # seconds between two looks at devices that are all taken


def locks_folder() -> Path:
    """Where the jobs of all users of this machine keep their locks."""
    return Path(tempfile.gettempdir()) / "microgesture-devices"


@contextmanager
def held(names: Sequence[str], count: int, folder: Path, pause: float = PAUSE) -> Iterator[tuple[int, ...]]:
    """Hold ``count`` of the named devices, the first that are free, while the block runs; their places in ``names``.

    A name is part of a file's. Where too few are free none is held, and all is tried again every ``pause`` seconds, so
    no two jobs wait for each other. ``count`` is at most the number of names. Raises ``PermissionError`` if others do
    not let this user write in ``folder``.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with suppress(PermissionError):  # another user has made it, and opened it to all
        folder.chmod(0o777)
    waits = False
    while not (locks := _free_ones(names, count, folder)):
        if not waits:
            log.warning("waiting for %d of the devices %s: other jobs hold them", count, ", ".join(names))
            waits = True
        time.sleep(pause)
    try:
        yield tuple(locks)
    finally:
        for lock in locks.values():
            lock.release()


def _free_ones(names: Sequence[str], count: int, folder: Path) -> dict[int, FileLock]:
    """Held locks of the first ``count`` devices that are free, by their places; none if there are fewer."""
    locks: dict[int, FileLock] = {}
    with _lock(folder, "choosing"):  # or of two jobs that want two devices each could get one
        for place, name in enumerate(names):
            lock = _lock(folder, name)
            with suppress(Timeout):
                lock.acquire(blocking=False)
                locks[place] = lock
            if len(locks) == count:
                return locks
        for lock in locks.values():
            lock.release()
    return {}


def _lock(folder: Path, name: str) -> FileLock:
    return FileLock(folder / f"{name}.lock", mode=0o666)
