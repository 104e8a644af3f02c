"""List the recordings in a folder: videos with files of keypoints next to them, or such files alone.

No file is opened.
"""

from pathlib import Path

from ..errors import InputError
from ..skeletons.files import SUFFIXES
from ..videos import VIDEOS

SKELETONS = SUFFIXES  # the first of these is used if a video has several


def keypoints_beside(video: Path) -> list[Path]:
    """Return a video's files of keypoints, best first: files with its name, or ``<name>_openpose.xlsx``."""
    names = [video.with_suffix(suffix) for suffix in SKELETONS]
    names += [video.with_name(f"{video.stem}_openpose.xlsx")]
    return [name for name in names if name.is_file()]


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
