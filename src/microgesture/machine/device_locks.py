"""Exclusive use of devices by one job at a time: file locks, which are released whenever the job ends."""

import logging
import os
import stat
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from filelock import FileLock, Timeout
from platformdirs import user_cache_path

from ..errors import InputError

log = logging.getLogger(__name__)

PAUSE = 2.0  # seconds between two attempts while all devices are in use


def locks_folder() -> Path:
    """The folder of the locks for all jobs of this user.

    It is in the user's own cache folder (``XDG_CACHE_HOME``, by default ~/.cache), to which no other user can write.
    """
    return user_cache_path("microgesture") / "devices"


@contextmanager
def held(names: Sequence[str], count: int, folder: Path, pause: float = PAUSE) -> Iterator[tuple[int, ...]]:
    """Lock the first ``count`` free devices of ``names`` while the block runs; yield their indices in ``names``.

    Names are used in file names. If too few devices are free, none is locked, and the attempt is repeated every
    ``pause`` seconds, so there is no deadlock. ``count`` must not be larger than the number of names. Raises
    ``InputError`` if ``folder`` cannot be made or is not this user's own.
    """
    _make_own(folder)
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


def _make_own(folder: Path) -> None:
    way_out = "set XDG_CACHE_HOME to a folder of your own"
    try:
        folder.mkdir(0o700, parents=True, exist_ok=True)
        found = folder.lstat()
    except OSError as error:
        raise InputError(f"{folder}, for the locks of GPUs, cannot be made ({error.strerror}); {way_out}") from None
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid():
        raise InputError(f"{folder}, for the locks of GPUs, is not a folder of this user; remove it, or {way_out}")


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
    return FileLock(folder / f"{name}.lock")
