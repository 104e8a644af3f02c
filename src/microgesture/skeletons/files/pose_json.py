"""JSON files of MMPose (also RTMPose) and AlphaPose, with all people of a video in one file."""

import re
from pathlib import Path
from typing import Any

from ...errors import UnusableClip
from .json_files import numbers, read_json
from .whole import Found, Parsed, WholeFormat, people_of, with_confidence

BEGIN = 1 << 16  # bytes in which a key of the first person stands


class PoseJson(WholeFormat):
    """MMPose: frames with ``instances``. AlphaPose: a list of people, each with its ``image_id``."""

    name = "pose_json"
    ending = ".json"
    known_by_suffix = False

    def recognises(self, path: Path) -> bool:
        if path.suffix.lower() != self.ending or path.is_dir():
            return False
        with open(path, "rb") as file:
            begin = file.read(BEGIN)
        return any(key in begin for key in (b'"instances"', b'"instance_info"', b'"image_id"'))

    def parse(self, path: Path) -> Parsed:
        content = read_json(path)
        entries = content.get("instance_info") if isinstance(content, dict) else content
        if isinstance(entries, list) and entries and all(isinstance(entry, dict) for entry in entries):
            if all("instances" in entry for entry in entries):
                return Parsed(people_of(path, _mmpose(path, entries)))
            if all("image_id" in entry and "keypoints" in entry for entry in entries):
                return Parsed(people_of(path, _alphapose(path, entries)))
        raise UnusableClip(
            f"{path}: neither a file of MMPose (frames with 'instances') nor of AlphaPose (people with 'image_id')"
        )


def _mmpose(path: Path, entries: list[dict]) -> list[list[Found]]:
    """The people of each frame; ``frame_id`` counts from 0 or 1, in steps of 1."""
    first = entries[0].get("frame_id", 0)
    for number, entry in enumerate(entries):
        if entry.get("frame_id", number) != first + number or first not in (0, 1):
            raise UnusableClip(
                f"{path}: frame {number} has frame_id {entry.get('frame_id')}, expected {first + number}; frames are "
                "missing, so find the keypoints again"
            )
    return [[_instance(path, one) for one in entry["instances"]] for entry in entries]


def _instance(path: Path, instance: dict) -> Found:
    points_VD = numbers(path, instance.get("keypoints"))
    if points_VD.ndim == 3:  # some versions add an axis of one person
        points_VD = points_VD[0]
    if points_VD.ndim != 2 or points_VD.shape[1] not in (2, 3):
        raise UnusableClip(f"{path}: 'keypoints' of a person are {points_VD.shape}, expected (points, 2)")
    shown_VC = with_confidence(points_VD)
    if (scores := instance.get("keypoint_scores")) is not None:
        scores_V = numbers(path, scores).ravel()
        if len(scores_V) != len(shown_VC):
            raise UnusableClip(f"{path}: {len(scores_V)} keypoint_scores for {len(shown_VC)} keypoints")
        shown_VC[:, -1] *= scores_V
    return Found(_text(instance.get("track_id")), shown_VC)


def _alphapose(path: Path, entries: list[dict]) -> list[list[Found]]:
    """The people of each frame; an ``image_id`` ends in the number of its frame, and empty frames are absent."""
    frames: dict[int, list[Found]] = {}
    for entry in entries:
        digits = re.search(r"(\d+)(?:\.\w+)?$", str(entry["image_id"]))
        if digits is None:
            raise UnusableClip(f"{path}: image_id {entry['image_id']!r} has no number of a frame")
        values = numbers(path, entry["keypoints"])
        if values.ndim != 1 or not values.size or values.size % 3:
            raise UnusableClip(f"{path}: {values.size} numbers in 'keypoints', expected x, y, score of each point")
        frames.setdefault(int(digits[1]), []).append(Found(_text(entry.get("idx")), values.reshape(-1, 3)))
    if max(frames) > 1_000_000:
        raise UnusableClip(f"{path}: image_id {max(frames)} is no number of a frame; number the frames from 0")
    return [frames.get(number, []) for number in range(max(frames) + 1)]


def _text(own: Any) -> str:
    while isinstance(own, list) and own:
        own = own[0]
    if own in (None, [], -1):
        return ""
    return f"{own:g}" if isinstance(own, float) else str(own)
