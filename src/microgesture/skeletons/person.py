"""The choice of the person of a clip among several people in its recording."""

from bisect import bisect_left
from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from ..config.corpus_format import LARGEST, LONGEST, MOST_CENTRAL, MOST_MOVING, PERSON_RULES
from ..errors import UnusableClip
from ..storage.shards import Noted, Shard
from .keypoints import in_picture, present
from .layouts import Layout, Skeleton, note_of, stored_layout
from .tracks import Followed, Track, boxes

CLOSE = 0.8  # a choice is close if the score of the second is at least this fraction of the first
SHOWN = 5  # ids that a message names

Size = tuple[int, int] | None  # width and height of the picture in pixels


class Choice(NamedTuple):
    """The person of a clip: its track, how many people are in the clip, and whether another is nearly as good."""

    track: Track
    people: int
    close: bool

    @property
    def note(self) -> dict[str, Any]:
        """The choice as the note of a clip."""
        return {"person": self.track.names[0], "people": self.people, "close": self.close}


class Crowd(NamedTuple):
    """A recording with several people, and the layout that names their points; see ``Skeleton``."""

    followed: Followed
    layout: Layout
    projected: bool = False

    @property
    def length(self) -> int:
        """The number of frames."""
        return len(self.followed.keypoints_TPVC)

    def converted(self, convert: Callable[[np.ndarray], np.ndarray]) -> "Crowd":
        """Return it with other keypoints."""
        changed = self.followed._replace(keypoints_TPVC=convert(self.followed.keypoints_TPVC))
        return self._replace(followed=changed)


Recording = Skeleton | Crowd


def noted(recording: Recording) -> Noted:
    """Return a recording as it is stored in a shard of skeletons: with a note of its layout.

    Several people are (T, P, V, C), and the note has their tracks.
    """
    note = note_of(recording.layout)
    if isinstance(recording, Skeleton):
        return Noted(recording.keypoints_TVC, note)
    followed = recording.followed
    tracks = {"tracks": [list(track) for track in followed.tracks], "mended": list(followed.mended)}
    return Noted(followed.keypoints_TPVC, note | tracks)


def tracks_of(note: dict[str, Any]) -> list[Track]:
    """Return the tracks in the note of a recording; empty for a recording of one person."""
    return [Track(tuple(names), *rest) for names, *rest in note.get("tracks", ())]


def only(keypoints_TPVC: np.ndarray, track: Track) -> np.ndarray:
    """Return the keypoints (T, V, C) of one person, all zero before and after its track."""
    alone_TVC = np.zeros_like(keypoints_TPVC[:, 0])
    frames = slice(track.first, track.last + 1)
    alone_TVC[frames] = keypoints_TPVC[frames, track.place]
    return alone_TVC


def choose(keypoints_TPVC: np.ndarray, tracks: Sequence[Track], rows_T: Sequence[int], rule: str, size: Size) -> Choice:
    """Choose the person of a clip, whose frames are ``rows_T``, by one of ``PERSON_RULES``.

    Each rule is a mean over the frames of the clip, in which a person that is not found has 0:

    * ``largest``: the diagonal of the box in pixels;
    * ``longest``: 1, so that it is the share of frames in which the person is found;
    * ``most_central``: 1 in the middle of the picture, and 0 at its corners; without a picture of known ``size``, in
      the box around everybody in the clip;
    * ``most_moving``: the mean distance that a joint moves to the next frame, in diagonals of the person's box.

    If scores are equal, the largest person is chosen. Raises ``UnusableClip`` if the clip shows no person.
    """
    here, frames = _in_clip(keypoints_TPVC, tracks, rows_T)
    if not here:
        raise UnusableClip("these frames show no person")
    people = [_Seen(person_TVC, boxes(person_TVC[..., :2], present(person_TVC))) for _, person_TVC in here]
    largest_N = np.array([np.nansum(seen.size) for seen in people]) / frames
    if rule == LARGEST:
        scores_N = largest_N
    elif rule == LONGEST:
        scores_N = np.array([np.isfinite(seen.size).sum() for seen in people]) / frames
    elif rule == MOST_CENTRAL:
        scores_N = _centrality([seen.boxes_T4 for seen in people], size) / frames
    elif rule == MOST_MOVING:
        scores_N = np.array([_motion(seen) for seen in people]) / frames
    else:
        raise ValueError(f"{rule} is none of {', '.join(PERSON_RULES)}")
    order = np.lexsort((-largest_N, -scores_N))
    close = len(order) > 1 and scores_N[order[1]] >= CLOSE * scores_N[order[0]]
    return Choice(here[order[0]][0], len(here), bool(close))


def named(keypoints_TPVC: np.ndarray, tracks: Sequence[Track], rows_T: Sequence[int], name: str) -> Choice:
    """Return the person with an id in the frames of a clip; if several have it, the one in the most frames.

    Raises ``UnusableClip`` that names the ids in the clip if none of them is this one.
    """
    here, _ = _in_clip(keypoints_TPVC, tracks, rows_T)
    mine = {track: present(person_TVC).any(1).sum() for track, person_TVC in here if name in track.names}
    if not mine:
        ids = list(dict.fromkeys(known for track, _ in here for known in track.names))
        told = ", ".join(ids[:SHOWN]) + (f" and {len(ids) - SHOWN} more" if len(ids) > SHOWN else "")
        raise UnusableClip(f"no person in these frames has the id {name!r}; the ids there are {told or 'none'}")
    return Choice(max(mine, key=mine.__getitem__), len(here), False)


class _Seen(NamedTuple):
    """Someone in the frames of a clip between the first and the last with that person, and the boxes there."""

    keypoints_TVC: np.ndarray
    boxes_T4: np.ndarray

    @property
    def size(self) -> np.ndarray:
        """The diagonals (T) of the boxes in pixels, NaN in frames in which the person is not found."""
        return np.linalg.norm(self.boxes_T4[:, 2:] - self.boxes_T4[:, :2], axis=-1)


def _in_clip(
    keypoints_TPVC: np.ndarray, tracks: Sequence[Track], rows_T: Sequence[int]
) -> tuple[list[tuple[Track, np.ndarray]], int]:
    """Return everyone who is found in the frames of a clip, with the keypoints there, and the number of frames.

    The keypoints (T, V, 3) are of the frames of the clip within the track. Each frame counts once.
    """
    rows_T = np.unique(np.array(rows_T[: bisect_left(rows_T, len(keypoints_TPVC))], int))  # the end may be any number
    found = []
    for track in tracks:
        first, last = np.searchsorted(rows_T, (track.first, track.last + 1))
        if first < last:
            person_TVC = in_picture(keypoints_TPVC[rows_T[first:last], track.place])
            found += [(track, person_TVC)] if present(person_TVC).any() else []
    return found, len(rows_T)


def each_person(
    rows_NPVC: np.ndarray, tracks: Sequence[Track], rows_N: np.ndarray
) -> Iterator[tuple[Track, np.ndarray]]:
    """Yield everyone who is found in the rows ``rows_N`` of a recording, each alone as (N, V, C)."""
    for track in tracks:
        with_N = (track.first <= rows_N) & (rows_N <= track.last)
        if with_N.any():
            alone_NVC = np.where(with_N[:, None, None], rows_NPVC[:, track.place], 0)
            if present(alone_NVC).any():
                yield track, alone_NVC


class InFile(NamedTuple):
    """What is known of a clip about the person in its skeleton file: the path, the id, and the size of the picture."""

    skeleton: str | None
    person: str | None
    size: Size

    @classmethod
    def of(cls, row: Any) -> "InFile":
        """Take it from a row of the clips table."""
        skeleton, person = (value if isinstance(value, str) else None for value in (row.skeleton, row.person))
        sizes = None if pd.isna(row.width) or pd.isna(row.height) else (int(row.width), int(row.height))
        return cls(skeleton, person, sizes)


def meant(
    keypoints: np.ndarray, tracks: Sequence[Track], clip: InFile, rows_T: Sequence[int], rule: str
) -> Choice | None:
    """Return the person of a clip in the rows ``rows_T`` of its file; None if the file can have only one person.

    Raises ``UnusableClip`` if these rows show no person, or not the one with the clip's id.
    """
    by_rule = rule in PERSON_RULES
    if not tracks and (by_rule or clip.person is None):
        return None
    try:
        if by_rule:
            return choose(keypoints, tracks, rows_T, rule, clip.size)
        if clip.person is None:
            raise UnusableClip(f"column {rule} has no id of a person")
        if not tracks:
            raise UnusableClip(f"the file has no ids, but column {rule} has the id {clip.person!r}")
        return named(keypoints, tracks, rows_T, clip.person)
    except UnusableClip as reason:
        raise UnusableClip(f"{clip.skeleton}, rows {rows_T[0]} to {rows_T[-1]}: {reason}") from None


class Recordings:
    """The recordings of a shard of skeletons, each with only the chosen person of a clip.

    ``rule`` is one of ``PERSON_RULES``, or else the column ``person`` of the clips table has the id in the file.
    """

    def __init__(self, skeletons: Shard, rule: str) -> None:
        self._shard, self._rule = skeletons, rule
        self._read = lru_cache(maxsize=1)(skeletons.read)  # the clips of a recording are consecutive
        self.alone = lru_cache(maxsize=1)(self._alone)

    def choice(self, clip: InFile, rows_T: Sequence[int]) -> Choice | None:
        """Return the person of a clip; see ``meant``."""
        tracks = tracks_of(self._shard.note(clip.skeleton))
        return meant(self._read(clip.skeleton), tracks, clip, rows_T, self._rule)

    def _alone(self, file: str, track: Track | None) -> Skeleton:
        """Return a recording with one person; None is the only one."""
        keypoints, layout = self._read(file), stored_layout(self._shard.note(file))
        return Skeleton(keypoints if track is None else only(keypoints, track), layout)


def _centrality(boxes_NT4: Sequence[np.ndarray], size: Size) -> np.ndarray:
    """Return for each person the sum over frames of 1 in the middle of the picture to 0 at its corners."""
    every_N4 = np.concatenate(boxes_NT4)
    low_2, high_2 = np.nanmin(every_N4[:, :2], 0), np.nanmax(every_N4[:, 2:], 0)
    if size is not None:
        low_2, high_2 = np.zeros(2), np.array(size, float)
    reach = max(float(np.linalg.norm(high_2 - low_2)) / 2, 1e-6)
    middle_2 = (low_2 + high_2) / 2
    apart_NT = [np.linalg.norm((box_T4[:, :2] + box_T4[:, 2:]) / 2 - middle_2, axis=-1) for box_T4 in boxes_NT4]
    return np.array([np.nansum((1 - apart_T / reach).clip(0)) for apart_T in apart_NT])


def _motion(seen: _Seen) -> float:
    """Return the sum over frames of the mean distance of joints to the next frame, in diagonals of the box."""
    found_TV = present(seen.keypoints_TVC)
    both_TV = found_TV[1:] & found_TV[:-1]
    moved_TV = np.where(both_TV, np.linalg.norm(np.diff(seen.keypoints_TVC[..., :2], axis=0), axis=-1), 0)
    count_T = both_TV.sum(1)
    steps_T = np.divide(moved_TV.sum(1), count_T, out=np.zeros(len(count_T)), where=count_T > 0)
    return float((steps_T / np.maximum(np.nan_to_num(seen.size[1:]), 1)).sum())
