"""The recordings in a folder: videos with the files of keypoints beside them, and such files alone; none is opened."""

from pathlib import Path

from ..errors import InputError
from ..skeletons.files import SUFFIXES
from ..videos import VIDEOS

SKELETONS = SUFFIXES  # where several lie beside a video, the first of these counts


def keypoints_beside(video: Path) -> list[Path]:
    """The files of keypoints of a video: those that are named as it is, or ``<name>_openpose.xlsx``, the best first."""
    names = [video.with_suffix(suffix) for suffix in SKELETONS]
    names += [video.with_name(f"{video.stem}_openpose.xlsx")]
    return [name for name in names if name.is_file()]


def recordings_in(folder: Path) -> dict[str, Path]:
    """Each recording's video, or its file of keypoints if it has no video, by name; other files are passed over.

    Raises ``InputError`` if there is no such folder, if it holds no recording, or if two have one name.
    """
    if not folder.is_dir():
        raise InputError(f"{folder} is no folder; name one with videos or files of keypoints")
    files = sorted(path for path in folder.iterdir() if path.is_file() and not path.name.startswith("."))
    videos = [path for path in files if path.suffix.lower() in VIDEOS]
    beside = {path for video in videos for path in keypoints_beside(video)}
    alone = [path for path in files if path.suffix.lower() in SKELETONS and path not in beside]
    found: dict[str, Path] = {}
    for path in (*videos, *alone):
        if path.stem in found:
            raise InputError(f"{found[path.stem]} and {path} have one name, and so would their timelines; rename one")
        found[path.stem] = path
    if not found:
        raise InputError(f"{folder} holds no video and no file of keypoints ({', '.join((*VIDEOS, *SKELETONS))})")
    return found
