"""The clips in a folder: its files, and which video and keypoints belong together."""

import re
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

import pandas as pd

from ..corpora.listing import walk
from ..corpora.recordings import join_recordings, recording_named
from ..skeletons.files import SKELETON_FILES, recognised
from ..skeletons.files.openpose_json import ENDING as FRAME_ENDING
from ..storage.names import composed
from ..videos import VIDEOS

KEYPOINTS = tuple(entry.suffix for entry in SKELETON_FILES.values() if entry.known_by_suffix)
# Names of folders that describe the kind of their files, not the clips.
_KIND_FOLDERS = {
    *("video", "videos", "clip", "clips", "rgb", "data", "files"),
    *("keypoint", "keypoints", "skeleton", "skeletons", "pose", "poses", "openpose"),
}
_DEEPLABCUT = re.compile(r"(.+?)DLC_.+")  # DeepLabCut adds its network and training to the name of the video
_KIND_ENDINGS = ("_openpose", "_keypoints", "_skeleton", "_pose", "_rgb", "_video")


@dataclass(frozen=True)
class FoundClip:
    """One clip: the informative folders above it, its name, its files, and what is known about it so far.

    ``video`` and ``keypoints`` are relative to the searched folder; None means unknown or missing. ``frames`` are the
    first and the last frame in its files, None for all; ``parts`` are the clips into which the files are cut.
    """

    folders: tuple[str, ...]
    name: str
    video: PurePosixPath | None = None
    keypoints: PurePosixPath | None = None
    label: str | None = None
    subject: str | None = None
    split: str | None = None
    frames: tuple[int, int] | None = None
    parts: tuple["FoundClip", ...] = ()

    @property
    def files(self) -> tuple[PurePosixPath, ...]:
        """The files of the clip, the video first."""
        return tuple(path for path in (self.video, self.keypoints) if path)


def visible_files(folder: Path, but: Path | None = None) -> Iterator[PurePosixPath]:
    """The files in a folder and its subfolders in a fixed order, relative to the folder.

    Hidden files, such as ``._a.mp4`` of macOS or ``~$a.xlsx`` of Excel, are left out, and also the files in the folder
    ``but``.
    """
    left_out = but.resolve() if but and folder.resolve() in but.resolve().parents else None
    for path in walk(folder):
        if any(part.startswith((".", "~$")) for part in path.parts):
            continue
        if left_out and left_out in (folder / path).resolve().parents:
            continue
        yield PurePosixPath(path.as_posix())


def keypoint_files(folder: Path, files: Sequence[PurePosixPath]) -> dict[PurePosixPath, PurePosixPath]:
    """The files of keypoints that are recognised only by content or folder, each with the path that a clip names.

    That is the file itself, or for the files of OpenPose, one for each frame, their folder.
    """
    found = {}
    for path in files:
        if path.name.lower().endswith(FRAME_ENDING) and path.parent.name:
            found[path] = path.parent
        elif path.suffix.lower() in (".csv", ".json") and recognised(folder / path):
            found[path] = path
    return found


def find_clips(
    files: Iterable[PurePosixPath], keypoints: Collection[PurePosixPath] = ()
) -> tuple[list[FoundClip], list[str]]:
    """The clips among the files, and messages about files that cannot be used.

    ``keypoints`` are the paths of keypoints among them that are not known by their suffix; see ``keypoint_files``.
    A video and a file of keypoints with the same name belong together if their folders differ only in names for the
    kind of file: ``videos/train/a.mp4`` and ``keypoints/train/a_openpose.xlsx``, or ``aDLC_resnet50_shuffle1_100.csv``.
    """
    kinds: dict[str, dict[tuple[str, ...], PurePosixPath]] = {"video": {}, "keypoints": {}}
    notes = []
    for path in files:
        kind = "keypoints" if path in keypoints else _kind(path)
        if kind is None:
            continue
        if not str(path).isprintable():
            notes.append(f"{str(path)!r} has a character that cannot be printed; rename the file to use it.")
            continue
        key = _key(path, kind, whole=path in keypoints and not path.suffix)
        if first := kinds[kind].get(key):
            notes.append(f"{path} is left out, because {first} has the same name; rename one of them to use both.")
        else:
            kinds[kind][key] = path
    keys = sorted({*kinds["video"], *kinds["keypoints"]})
    clips = [FoundClip(key[:-1], key[-1], kinds["video"].get(key), kinds["keypoints"].get(key)) for key in keys]
    return clips, notes


def cut(clips: Sequence[FoundClip]) -> list[FoundClip]:
    """Replace clips that have parts by these parts, numbered in the order of their first frames.

    A part without its own label, subject or split has those of its file.
    """
    found = []
    for clip in clips:
        parts = sorted(clip.parts, key=lambda part: part.frames)
        found += [
            replace(
                part,
                name=f"{clip.name}_{number}" if len(parts) > 1 else clip.name,
                label=part.label or clip.label,
                subject=part.subject or clip.subject,
                split=part.split or clip.split,
            )
            for number, part in enumerate(parts, 1)
        ] or [clip]
    return found


def people_table(clips: Sequence[FoundClip], folder: Path) -> pd.DataFrame:
    """The subject, recording and split of each clip in ``folder``, as ``measures.people`` needs them."""
    files = [[str(path) for path in clip.files] for clip in clips]
    recordings = join_recordings([recording_named(paths[0]) for paths in files], files, folder)
    rows = [(clip.subject, recording, clip.split) for clip, recording in zip(clips, recordings, strict=True)]
    return pd.DataFrame(rows, columns=["subject", "recording", "split"], dtype=object)


def _kind(path: PurePosixPath) -> str | None:
    if path.suffix.lower() in VIDEOS:
        return "video"
    return "keypoints" if path.suffix in KEYPOINTS else None


def _key(path: PurePosixPath, kind: str, whole: bool = False) -> tuple[str, ...]:
    name = path.name if whole else path.stem
    if kind == "keypoints" and (of_video := _DEEPLABCUT.fullmatch(name)):
        name = of_video[1]
    for ending in _KIND_ENDINGS:
        if name.lower().endswith(ending):
            name = name[: -len(ending)] or name
            break
    return (*(composed(part) for part in path.parts[:-1] if part.lower() not in _KIND_FOLDERS), composed(name))


def clip_ids(clips: list[FoundClip]) -> list[str]:
    """A unique id for each clip: its name, with its folders if several clips have this name, and then with a number."""
    wholes = ["_".join((*clip.folders, clip.name)) for clip in clips]
    names = [clip.name.strip() for clip in clips]
    often = Counter(names)
    ids: list[str] = []
    taken: set[str] = set()
    for name, whole in zip(names, wholes, strict=True):
        wanted = (name if often[name] == 1 else whole.strip()) or "clip"
        clip_id, number = wanted, 1
        while clip_id in taken:
            number += 1
            clip_id = f"{wanted}_{number}"
        taken.add(clip_id)
        ids.append(clip_id)
    return ids
