"""Which clips are cut from one recording."""

import os
from collections.abc import Sequence
from functools import cache
from pathlib import Path

from ..skeletons.files import SKELETON_FILES, SUFFIXES
from ..storage.names import composed, same_names
from ..videos import VIDEOS

_ENDINGS = (*(entry.ending for entry in SKELETON_FILES.values() if entry.ending), *SUFFIXES, *VIDEOS)


def recording_named(path: str) -> str:
    """The name of a recording: the path of one of its files without ``./`` and without the ending of the format."""
    path = composed(os.path.normpath(path))
    # Other endings belong to the name, as .1 in day.1 and day.2.
    ending = next((ending for ending in _ENDINGS if path.lower().endswith(ending)), "")
    return path[: -len(ending)] if ending else path


def join_recordings(recordings: Sequence[str], files: Sequence[Sequence[str]], folder: Path) -> list[str]:
    """The recording of each clip, where recordings with a file in common are one, named by the first in order.

    ``recordings`` and ``files`` are those of each clip; paths are relative to ``folder``. Files are the same if links
    lead to one file. A video and keypoints belong together if their paths without endings are the same.
    """
    real_folder = cache(os.path.realpath)

    @cache
    def keys(path: str) -> list[tuple[int, str]]:
        whole = os.path.abspath(os.path.join(folder, path))
        try:
            state = os.stat(whole)
        except (OSError, ValueError):  # no such file, or no possible name
            return [(1, recording_named(whole))]
        if os.path.islink(whole):
            real = os.path.realpath(whole)
        else:
            real = os.path.join(real_folder(os.path.dirname(whole)), os.path.basename(whole))
        # The numbers are equal for hard links, and for names that a system does not distinguish.
        return [(1, recording_named(real)), (2, f"{state.st_dev} {state.st_ino}")]

    keys_of_files = [[key for path in paths for key in keys(path)] for paths in files]
    groups = [[(0, recording), *own] for recording, own in zip(recordings, keys_of_files, strict=True)]
    same = same_names(groups)
    return [same[group[0]][1] for group in groups]
