"""Folders for temporary files, which do not stay on the disk if their process is killed."""

import os
import platform
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

PREFIX = f"microgesture-{platform.node()}-"  # locks of another machine may not be visible on a shared disk


@contextmanager
def temporary_folder() -> Iterator[Path]:
    """Yield a new folder among the temporary files (``TMPDIR``), and remove it at the end.

    The process locks the folder. Folders of this user without a lock were left by killed processes and are removed.
    """
    for old in Path(tempfile.gettempdir()).glob(f"{PREFIX}*"):
        with suppress(BlockingIOError):
            if (lock := _locked(old)) is not None:
                shutil.rmtree(old, ignore_errors=True)
                os.close(lock)
    folder, lock = _new()
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        if lock is not None:
            os.close(lock)


def _new() -> tuple[Path, int | None]:
    while True:
        folder = Path(tempfile.mkdtemp(prefix=PREFIX))
        # Before the folder is locked, another process may find it and remove it.
        with suppress(BlockingIOError):
            lock = _locked(folder)
            if folder.exists():
                return folder, lock
            if lock is not None:
                os.close(lock)


def _locked(folder: Path) -> int | None:
    """Lock a folder of this user, not a link to one; None if that is not possible.

    Raises ``BlockingIOError`` if another process has locked it.
    """
    try:
        lock = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    except OSError:
        return None
    try:
        import fcntl  # not on every system

        if os.fstat(lock).st_uid == os.geteuid():
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return lock
    except BlockingIOError:
        os.close(lock)
        raise
    except (ImportError, OSError):  # the system or the file system has no locks
        pass
    os.close(lock)
    return None
