"""List the recordings in a folder: videos with files of keypoints next to them, or such files alone.

No file is opened.
"""

import os
from pathlib import Path

from ..errors import InputError, UnusableClip
from ..skeletons.files import SUFFIXES
from ..videos import VIDEOS

# The first of these is used if a video has several. JSON beside a video may be anything, such as notes of a camera.
SKELETONS = tuple(suffix for suffix in SUFFIXES if suffix != ".json")
LONGEST_NAME = 240  # bytes; file systems allow 255, and the names of results are longer than those of recordings


def refuse_name(recording: Path) -> None:
    """Raise ``UnusableClip`` if a recording's name cannot be part of the names of its results."""
    name = os.fsencode(recording.stem)
    if len(name) > LONGEST_NAME:
        raise UnusableClip(f"{recording}: its name has {len(name)} bytes, more than {LONGEST_NAME}; rename it")
    try:
        name.decode("utf-8")
    except UnicodeDecodeError:
        raise UnusableClip(f"{recording}: its name is not UTF-8; rename it") from None


def keypoints_beside(video: Path) -> list[Path]:
    """Return a video's files of keypoints, best first: files with its name, or ``<name>_openpose.xlsx``."""
    names = [video.with_suffix(suffix) for suffix in SKELETONS]
    names += [video.with_name(f"{video.stem}_openpose.xlsx")]
    return [name for name in names if os.path.isfile(name)]  # unlike Path.is_file, False also for a name too long


def recordings_in(folder: Path) -> dict[str, Path]:
    """Return by name each recording's video, or its file of keypoints if it has no video; other files are skipped.

    Raises ``InputError`` if there is no such folder, if it has no recordings, or if two have the same name.
    """
    if not folder.is_dir():
        raise InputError(f"{folder} is not a folder; name a folder of videos or files of keypoints")
    files = sorted(path for path in folder.iterdir() if path.is_file() and not path.name.startswith("."))
    videos = [path for path in files if path.suffix.lower() in VIDEOS]
    beside = {path for video in videos for path in keypoints_beside(video)}
    alone = [path for path in files if path.suffix.lower() in SKELETONS and path not in beside]
    found: dict[str, Path] = {}
    for path in (*videos, *alone):
        if path.stem in found:
            raise InputError(
                f"{found[path.stem]} and {path} have the same name, which names their timelines; rename one"
            )
        found[path.stem] = path
    if not found:
        raise InputError(f"{folder} has no video and no file of keypoints ({', '.join((*VIDEOS, *SKELETONS))})")
    return found
