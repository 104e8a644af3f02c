"""Exclusive use of devices by one job at a time: file locks, which are released whenever the job ends."""

import logging
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from filelock import FileLock, Timeout

log = logging.getLogger(__name__)

PAUSE = 2.0  # seconds between two attempts while all devices are in use


def locks_folder() -> Path:
    """The folder of the locks for the jobs of all users of this machine."""
    return Path(tempfile.gettempdir()) / "microgesture-devices"


@contextmanager
def held(names: Sequence[str], count: int, folder: Path, pause: float = PAUSE) -> Iterator[tuple[int, ...]]:
    """Lock the first ``count`` free devices of ``names`` while the block runs; yield their indices in ``names``.

    Names are used in file names. If too few devices are free, none is locked, and the attempt is repeated every
    ``pause`` seconds, so there is no deadlock. ``count`` must not be larger than the number of names. Raises
    ``PermissionError`` if this user must not write in ``folder``.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with suppress(PermissionError):  # another user has created it and made it writable for all
        folder.chmod(0o777)
    waits = False
    while not (locks := _free_ones(names, count, folder)):
        if not waits:
            log.warning("waiting for %d of the devices %s: other jobs use them", count, ", ".join(names))
            waits = True
        time.sleep(pause)
    try:
        yield tuple(locks)
    finally:
        for lock in locks.values():
            lock.release()


def _free_ones(names: Sequence[str], count: int, folder: Path) -> dict[int, FileLock]:
    """The acquired locks of the first ``count`` free devices by index; empty if fewer are free."""
    locks: dict[int, FileLock] = {}
    with _lock(folder, "choosing"):  # otherwise two jobs that need two devices each could get one each
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
