"""People in the frames of a recording, followed from frame to frame, so that each has a track."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np

from .file_format import People
from .keypoints import in_picture, present

LOST = 50  # frames after which someone who was not found again is a new person, unless the file has the same id
AHEAD = 25  # frames for which someone who is not found is expected to move on as before
LEAST = 0.01  # likeness below which two poses are of different people; 0.7 sizes apart without an overlap
SPREAD = 0.1  # distance of joints, in sizes of the person, at which their likeness is a half
SMALLEST = 0.05  # size of a person with few joints, as a fraction of the size of the scene
RENAMED = 0.3  # the same for two poses with different ids
EXCHANGED = 0.5  # by how much two people must be more alike with exchanged ids, summed over both
MOMENTUM = 0.5  # share of the velocity before in the velocity after a frame


class Track(NamedTuple):
    """One person from frame ``first`` to frame ``last``, at the place ``place`` of an array of people (T, P, V, C).

    ``names`` are the ids in the file, or one number from 1 if the file has none.
    """

    names: tuple[str, ...]
    place: int
    first: int
    last: int


class Followed(NamedTuple):
    """People (T, P, V, C), each always at the same place, with all zero in frames in which it was not found.

    People who are in different parts of the recording may share a place. ``mended`` are the frames at which ids of the
    file were exchanged or new although the people were not.
    """

    keypoints_TPVC: np.ndarray
    tracks: tuple[Track, ...]
    mended: tuple[int, ...] = ()


@dataclass(frozen=True)
class _Pose:
    """Someone in one frame: the place in the file, the id or "", and the joints, with those that were found."""

    place: int
    own: str
    joints_V2: np.ndarray
    found_V: np.ndarray


class _Person:
    """Someone who is followed: frames and places so far, the present id, and where the joints are and move."""

    def __init__(self, t: int, pose: _Pose) -> None:
        self.own = pose.own
        self.names = [pose.own] if pose.own else []
        self.frames, self.places = [t], [pose.place]
        self._velocity_2 = np.zeros(2)
        self._last = pose

    def add(self, t: int, pose: _Pose) -> None:
        """Go on with a pose in a later frame."""
        both_V = pose.found_V & self._last.found_V
        if both_V.any():
            moved_2 = np.median(pose.joints_V2[both_V] - self._last.joints_V2[both_V], axis=0)
            before = MOMENTUM if len(self.frames) > 1 else 0
            self._velocity_2 = before * self._velocity_2 + (1 - before) * moved_2 / (t - self.frames[-1])
        if pose.own and pose.own != self.own:
            self.own = pose.own
            self.names.append(pose.own)
        self.frames.append(t)
        self.places.append(pose.place)
        self._last = pose

    def expected(self, t: int) -> _Pose:
        """The pose in a later frame if the person moves on as before."""
        moved_2 = min(t - self.frames[-1], AHEAD) * self._velocity_2
        return replace(self._last, joints_V2=self._last.joints_V2 + moved_2)


def follow(people: People) -> Followed:
    """Follow each person through the frames, by the ids of the file, and by the likeness of poses where it has none.

    Without ids, the people of a frame are assigned to those before so that the sum of their likeness is greatest (the
    Hungarian method; Kuhn, 1955). Likeness is the mean of the overlap of boxes (intersection over union) and of the
    nearness of joints in sizes of the person, similar to COCO's object keypoint similarity; both compare with where a
    person would be at the same velocity, as in SORT (arXiv 1602.00763). If two people exchange their ids from one frame
    to the next, or if one gets a new id, their poses tell so, and they are followed nevertheless.
    """
    everyone: list[_Person] = []
    recent: list[_Person] = []
    by_id: dict[str, _Person] = {}
    mended, smallest = [], SMALLEST * _extent(people.keypoints_TPVC)
    for t, frame_PVC in enumerate(people.keypoints_TPVC):
        poses = _poses(frame_PVC, None if people.ids_TP is None else people.ids_TP[t])
        known = [(by_id[pose.own], pose) for pose in poses if pose.own in by_id]
        known, exchanged = _put_right(known, t, smallest)
        there = {id(person) for person, _ in known}
        recent = [person for person in recent if t - person.frames[-1] <= LOST]
        lost = [person for person in recent if id(person) not in there]
        unknown = [pose for pose in poses if pose.own not in by_id]
        found = _assigned(lost, unknown, t, smallest)
        renamed = [person for person, pose in found if person.own and pose.own]
        for person in renamed:
            del by_id[person.own]
        for person, pose in (*known, *found):
            person.add(t, pose)
        taken = {pose.place for _, pose in (*known, *found)}
        new = [_Person(t, pose) for pose in poses if pose.place not in taken]
        everyone += new
        recent = [*recent, *new, *(person for person, _ in known if t - person.frames[-2] > LOST)]
        by_id.update((person.own, person) for person in (*new, *(one for one, _ in (*known, *found))) if person.own)
        mended += [t] if exchanged or renamed else []
    return _arranged(people.keypoints_TPVC, everyone, tuple(mended))


def _poses(frame_PVC: np.ndarray, ids_P: np.ndarray | None) -> list[_Pose]:
    """Return everyone in a frame; of several with the same id, only the first has it."""
    joints_PV2, found_PV = in_picture(frame_PVC)[..., :2].astype(np.float64), present(frame_PVC)
    joints_PV2 = np.where(found_PV[..., None], joints_PV2, 0)
    poses, ids = [], set()
    for place in np.flatnonzero(found_PV.any(1)):
        own = "" if ids_P is None or _text(ids_P[place]) in ids else _text(ids_P[place])
        ids.add(own)
        poses.append(_Pose(int(place), own, joints_PV2[place], found_PV[place]))
    return poses


def _text(own: object) -> str:
    """Return an id as a text, "" if there is none; the number 2.0 is 2."""
    if own is None or own != own:
        return ""
    return str(int(own)) if isinstance(own, float) and own.is_integer() else str(own)


def _extent(keypoints_TPVC: np.ndarray) -> float:
    """Return the diagonal of the scene in pixels: of nearly all joints of all people in all frames."""
    places_N2 = in_picture(keypoints_TPVC)[present(keypoints_TPVC)][:, :2]
    return float(np.linalg.norm(np.diff(np.quantile(places_N2, (0.01, 0.99), axis=0), axis=0))) if len(places_N2) else 0


def _put_right(known: list[tuple[_Person, _Pose]], t: int, smallest: float) -> tuple[list[tuple[_Person, _Pose]], bool]:
    """Exchange the poses of two people whose ids were exchanged; return the pairs and whether there were any."""
    if len(known) < 2:
        return known, False
    recent = [t - person.frames[-1] <= AHEAD for person, _ in known]
    like_PP = likeness([person.expected(t) for person, _ in known], [pose for _, pose in known], smallest)
    own_P = np.diag(like_PP)
    gain_PP = np.triu(like_PP + like_PP.T - own_P - own_P[:, None], 1) * np.outer(recent, recent)
    poses, changed = [pose for _, pose in known], set()
    for one, other in np.argwhere(gain_PP > EXCHANGED)[np.argsort(-gain_PP[gain_PP > EXCHANGED])]:
        if not {one, other} & changed:
            changed |= {one, other}
            poses[one], poses[other] = poses[other], poses[one]
            known[one][0].own, known[other][0].own = known[other][0].own, known[one][0].own
    return [(person, pose) for (person, _), pose in zip(known, poses, strict=True)], bool(changed)


def _assigned(
    people: Sequence[_Person], poses: Sequence[_Pose], t: int, smallest: float
) -> list[tuple[_Person, _Pose]]:
    """Return the pairs of the assignment with the greatest sum of likeness, without those that are not alike."""
    if not people or not poses:
        return []
    from scipy.optimize import linear_sum_assignment  # not needed for files of one person, and slow to import

    like_NP = likeness([person.expected(t) for person in people], poses, smallest)
    least_NP = [[RENAMED if person.own and pose.own else LEAST for pose in poses] for person in people]
    like_NP[like_NP < least_NP] = 0
    pairs = zip(*linear_sum_assignment(like_NP, maximize=True), strict=True)
    return [(people[n], poses[p]) for n, p in pairs if like_NP[n, p] > 0]


def likeness(expected: Sequence[_Pose], poses: Sequence[_Pose], smallest: float) -> np.ndarray:
    """Return how alike poses are to the expected ones, (N, P), from 0 to 1; see ``follow``.

    A person is at least ``smallest`` pixels large.
    """
    joints_NV2, joints_PV2 = (np.stack([pose.joints_V2 for pose in of]) for of in (expected, poses))
    found_NV, found_PV = (np.stack([pose.found_V for pose in of]) for of in (expected, poses))
    boxes_N4, boxes_P4 = boxes(joints_NV2, found_NV), boxes(joints_PV2, found_PV)
    size_NP = np.maximum(_diagonal(boxes_N4)[:, None], _diagonal(boxes_P4)).clip(max(smallest, 1))
    apart_NPV = np.linalg.norm(joints_NV2[:, None] - joints_PV2, axis=-1) / size_NP[..., None]
    both_NPV = found_NV[:, None] & found_PV
    near_NPV = np.where(both_NPV, 1 / (1 + (apart_NPV / SPREAD) ** 2), 0)
    overlap_NP = _overlap(boxes_N4, boxes_P4)
    count_NP = both_NPV.sum(-1)
    return (overlap_NP + np.where(count_NP, near_NPV.sum(-1) / np.maximum(count_NP, 1), overlap_NP)) / 2


def boxes(joints_NV2: np.ndarray, found_NV: np.ndarray) -> np.ndarray:
    """Return left, top, right and bottom of the joints that were found, (N, 4); NaN where there are none."""
    low = np.where(found_NV[..., None], joints_NV2, np.inf).min(-2)
    high = np.where(found_NV[..., None], joints_NV2, -np.inf).max(-2)
    boxes_N4 = np.concatenate((low, high), -1)
    return np.where(np.isfinite(boxes_N4), boxes_N4, np.nan)


def _diagonal(boxes_N4: np.ndarray) -> np.ndarray:
    return np.linalg.norm(boxes_N4[..., 2:] - boxes_N4[..., :2], axis=-1)


def _overlap(boxes_N4: np.ndarray, boxes_P4: np.ndarray) -> np.ndarray:
    """Return the intersection over union of boxes, (N, P); a box without an area is a pixel wide."""
    low_NP2 = np.maximum(boxes_N4[:, None, :2], boxes_P4[:, :2])
    high_NP2 = np.minimum(boxes_N4[:, None, 2:], boxes_P4[:, 2:])
    common_NP = (high_NP2 - low_NP2 + 1).clip(0).prod(-1)
    area_N, area_P = ((of[:, 2:] - of[:, :2] + 1).prod(-1) for of in (boxes_N4, boxes_P4))
    return common_NP / (area_N[:, None] + area_P - common_NP)


def _arranged(keypoints_TPVC: np.ndarray, everyone: Sequence[_Person], mended: tuple[int, ...]) -> Followed:
    """Give each person one place, the first that is free from its first frame to its last."""
    ends: list[int] = []  # the last frame of each place so far
    tracks = []
    for number, person in enumerate(everyone, 1):
        first, last = person.frames[0], person.frames[-1]
        place = next((place for place, end in enumerate(ends) if end < first), len(ends))
        ends[place : place + 1] = [last]
        tracks.append(Track(tuple(dict.fromkeys(person.names)) or (str(number),), place, first, last))
    arranged_TPVC = np.zeros((len(keypoints_TPVC), len(ends), *keypoints_TPVC.shape[2:]), np.float32)
    for person, track in zip(everyone, tracks, strict=True):
        arranged_TPVC[person.frames, track.place] = keypoints_TPVC[person.frames, person.places]
    return Followed(arranged_TPVC, tuple(tracks), mended)
