"""OpenPose's folders of JSON files, one ``<name>_<number>_keypoints.json`` for each frame."""

import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from ...errors import UnusableClip
from ..layouts import layout_named
from .json_files import numbers, read_json
from .whole import Found, Parsed, WholeFormat, people_of

ENDING = "_keypoints.json"
_NUMBER = re.compile(r"(\d+)_keypoints\.json$", re.IGNORECASE)
_PARTS = {"pose": 25, "face": 70, "hand_left": 21, "hand_right": 21}


class OpenPoseJson(WholeFormat):
    """The 137 points of body, face and hands, or the 25 of the body if no frame has more (``--write_json``)."""

    name = "openpose_json"
    ending = ENDING
    known_by_suffix = False

    def matches(self, path: Path) -> bool:
        return path.is_dir()

    def parse(self, path: Path) -> Parsed:
        files = _numbered(path)
        frames = [list(_people(file)) for file in files]
        whole = any(points_VC[25:].any() for frame in frames for _, points_VC in frame)
        layout = layout_named("openpose_137" if whole else "body_25")
        shown = [[Found(own, points_VC[: layout.points]) for own, points_VC in frame] for frame in frames]
        return Parsed(people_of(path, shown), layout.table.in_order)


def _numbered(folder: Path) -> list[Path]:
    files = {int(match[1]): path for path in folder.iterdir() if (match := _NUMBER.search(path.name))}
    if not files:
        raise UnusableClip(f"{folder}: the folder has no files <name>_<number>{ENDING} of OpenPose")
    if missing := sorted(set(range(min(files), max(files))) - set(files)):
        raise UnusableClip(
            f"{folder}: {len(missing)} frames are missing, the first is {missing[0]}; OpenPose writes a file for every "
            "frame, so copy the folder again"
        )
    return [files[number] for number in sorted(files)]


def _people(file: Path) -> Iterator[Found]:
    content = read_json(file)
    people = content.get("people") if isinstance(content, dict) else None
    if not isinstance(people, list):
        raise UnusableClip(f"{file}: there is no list 'people', so it is no file of OpenPose")
    for person in people:
        points = [_part(file, person, name, count) for name, count in _PARTS.items()]
        own = person.get("person_id") or [-1]
        yield Found("" if own[0] in (-1, None) else str(own[0]), np.concatenate(points))


def _part(file: Path, person: dict, name: str, count: int) -> np.ndarray:
    values = person.get(f"{name}_keypoints_2d") or []
    if len(values) not in (0, 3 * count):
        raise UnusableClip(f"{file}: {name}_keypoints_2d has {len(values)} numbers, expected {3 * count}")
    return numbers(file, values).reshape(-1, 3) if values else np.zeros((count, 3), np.float32)
