"""Which clips are cut from one recording."""

import os
from collections.abc import Callable, Sequence
from functools import cache, partial
from pathlib import Path, PurePosixPath

from ..skeletons.files import SKELETON_FILES, SUFFIXES
from ..storage.names import composed, same_names
from ..videos import VIDEOS

Key = str | tuple[int, int]  # a real path without ending, or the device and the inode of a file

_ENDINGS: dict[str, list[str]] = {}  # by suffix: the endings of keypoints and videos, longer ones first
for _ending in (*(entry.ending for entry in SKELETON_FILES.values()), *SUFFIXES, *VIDEOS):
    _ENDINGS.setdefault(PurePosixPath(f"name{_ending}").suffix, []).append(_ending)


def recording_named(path: str) -> str:
    """The name of a recording: the path of one of its files without ``./`` and without the ending of the format."""
    path = composed(os.path.normpath(path))
    # Other endings belong to the name, as .1 in day.1 and day.2.
    for ending in _ENDINGS.get(f".{path.rpartition('.')[2].lower()}", ()):
        if path[-len(ending) :].lower() == ending:
            return path[: -len(ending)]
    return path


def join_recordings(recordings: Sequence[str], files: Sequence[Sequence[str]], folder: Path) -> list[str]:
    """The recording of each clip, where recordings with a file in common are one, named by the first in order.

    ``recordings`` and ``files`` are those of each clip; paths are relative to ``folder``. Files are the same if links
    lead to one file. A video and keypoints belong together if their paths without endings are the same.
    """
    keys = file_keys(folder)
    owner: dict[Key, str] = {}
    shared = []
    for recording, paths in zip(recordings, files, strict=True):
        for key in (key for path in paths for key in keys(path)):
            if (first := owner.setdefault(key, recording)) != recording:
                shared.append((first, recording))
    same = same_names(shared)
    return [same.get(recording, recording) for recording in recordings]


def file_keys(folder: Path) -> Callable[[str], tuple[Key, ...]]:
    """A function from the path of a file in a folder to keys; files of one recording have a key in common.

    The keys of files in other folders may be compared with them.
    """
    look = cache(partial(_look, folder))

    @cache
    def keys(path: str) -> tuple[Key, ...]:
        within, name = os.path.split(path)
        real, device, entries = look(within)
        entry, whole = entries.get(name), os.path.join(real, name)
        if entry is not None and not entry.is_symlink():
            return recording_named(whole), (device, entry.inode())
        try:
            state = os.stat(whole)  # a link, or a name that the system does not distinguish from another
        except (OSError, ValueError):
            return (recording_named(whole),)
        return recording_named(os.path.realpath(whole)), (state.st_dev, state.st_ino)

    return keys


def _look(root: Path, folder: str) -> tuple[str, int, dict[str, os.DirEntry]]:
    """The real path of a folder, its device and its entries; without any if it cannot be read."""
    try:
        real = os.path.realpath(os.path.join(root, folder))
        with os.scandir(real) as entries:
            return real, os.stat(real).st_dev, {entry.name: entry for entry in entries}
    except (OSError, ValueError):
        return os.path.join(root, folder), 0, {}
