"""Which files are of one recording."""

import os
from collections.abc import Sequence
from functools import cache
from pathlib import Path

from ..skeletons.files import SKELETON_FILES, SUFFIXES
from ..storage.names import composed, same_names
from ..videos import VIDEOS

_ENDINGS = (*(entry.ending for entry in SKELETON_FILES.values() if entry.ending), *SUFFIXES, *VIDEOS)


def name_recordings(files: Sequence[Sequence[str]], folder: Path) -> list[str]:
    """The recording of each clip, given the paths of its files relative to ``folder``: a path without suffix.

    Files are of one recording if their paths without suffix are the same, as those of a video and of keypoints beside
    it, or if links lead to the same file, or if they belong to one clip. A recording has the name of its first path in
    alphabetical order. A clip without files has the recording "".
    """
    real_folder = cache(os.path.realpath)

    def keys(path: str) -> list[tuple[int, str]]:
        whole, written = os.path.join(folder, path), (0, _without_ending(os.path.normpath(path)))
        if not os.path.isfile(whole):
            return [written]
        if os.path.islink(whole):
            real = os.path.realpath(whole)
        else:
            real = os.path.join(real_folder(os.path.dirname(whole)), os.path.basename(whole))
        state = os.stat(whole)  # equal for hard links, and for names that a system does not distinguish
        return [written, (1, _without_ending(real)), (2, f"{state.st_dev} {state.st_ino}")]

    groups = [[key for path in paths for key in keys(path)] for paths in files]
    name = same_names(groups)
    return [name[group[0]][1] if group else "" for group in groups]


def _without_ending(path: str) -> str:
    """A path without the suffix of a video or the ending of keypoints; other endings, such as .1, belong to a name."""
    path = composed(path)
    ending = next((ending for ending in _ENDINGS if path.lower().endswith(ending)), "")
    return path[: -len(ending)] if ending else path
