"""The recordings of a demo corpus: their people, their gestures, and the time of each gesture.

The length of a clip, its place in the recording and the person give no information about its class: lengths and order
are random and independent of the class, and every person shows every class about equally often (in a corpus with
emotions, the frequencies depend on the emotion and on a habit of the person).
"""

import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from ..errors import InputError
from .gestures import GESTURES, Gesture, Variation, vary

SPLIT_FIRST = {"train": 3, "val": 103, "test": 203}  # the number of each split's first subject


class Performance(NamedTuple):
    """One gesture in a recording, from frame ``start`` to frame ``end``, both included."""

    gesture: Gesture
    start: int
    end: int
    variation: Variation


@dataclass(frozen=True)
class Mood:
    """The mood of a person who has won or lost.

    ``valence`` is shown by the face: about 1 for joy, -1 for sorrow, without bounds. ``frames`` is the intended length
    of the recording, which does not depend on the mood.
    """

    won: bool
    valence: float
    frames: int


@dataclass(frozen=True)
class Sitting:
    """One recording to generate: its subject, the subject's session, and the classes (indices into ``GESTURES``).

    ``number`` is the id of the video (miga) or of the sample (smg), or the number of earlier clips in the split (ma52).
    ``mood`` is set only in a corpus with emotions.
    """

    split: str
    subject: int
    session: int
    number: int
    gestures: tuple[int, ...]
    mood: Mood | None = None


def random_for(seed: int, *names: str | int) -> np.random.Generator:
    """Return a separate random generator for each combination of names."""
    return np.random.default_rng([seed, zlib.crc32("/".join(map(str, names)).encode())])


def refuse_crowd(split: str, subjects: int, clips: int, recordings: int, ids: Sequence[int] | None = None) -> None:
    """Raise ``InputError`` if there are fewer clips than recordings, or fewer ``ids``, if the release has such."""
    if clips < recordings:
        raise InputError(f"demo: {clips} {split} clips are too few for {recordings} recordings")
    if ids is not None and recordings > len(ids):
        raise InputError(
            f"demo: {subjects} {split} subjects give {recordings} recordings, but there are only {len(ids)} ids; "
            f"lower subjects.{split}"
        )


def once_or_twice(split: str, subjects: int) -> list[tuple[int, int]]:
    """Return the subject and the session of each recording of a split in which every second subject has two."""
    first = SPLIT_FIRST[split]
    return [(first + person, session) for person in range(subjects) for session in range(1 + person % 2)]


def deal(
    rng: np.random.Generator, clips: int, recordings: int, gestures: Sequence[int] = range(len(GESTURES))
) -> list[tuple[int, ...]]:
    """Assign classes to recordings, in random order; ``gestures`` are the possible classes, indices into ``GESTURES``.

    The clips of each class are assigned to the recordings in turn, so that the numbers differ by at most one clip.
    """
    deck = np.repeat(gestures, class_counts(clips, gestures))
    dealt = [deck[place::recordings] for place in range(recordings)]
    hands = [dealt[place] for place in rng.permutation(recordings)]
    return [tuple(int(gesture) for gesture in rng.permutation(hand)) for hand in hands]


def class_counts(clips: int, gestures: Sequence[int] = range(len(GESTURES))) -> list[int]:
    """Return the number of clips of each class by its fraction among ``gestures``; they sum to ``clips``."""
    shares = np.array([GESTURES[gesture].share for gesture in gestures])
    return apportion(clips, shares if len(gestures) == len(GESTURES) else shares / shares.sum())


def apportion(clips: int, shares: np.ndarray) -> list[int]:
    """Divide ``clips`` by the fractions ``shares`` (which sum to 1), rounded by the largest-remainder method."""
    wanted = clips * shares
    counts = np.floor(wanted).astype(int)
    for place in np.argsort(counts - wanted, kind="stable")[: clips - counts.sum()]:
        counts[place] += 1
    return counts.tolist()


def schedule(rng: np.random.Generator, gestures: Sequence[int], frames: tuple[int, int]) -> list[Performance]:
    """Set the time of each gesture of a recording; the length of a clip in frames is in the range ``frames``.

    Usually there is a short rest between two clips; in every fifth case the next starts before the last has ended.
    """
    performances, start = [], int(rng.integers(4, 12))
    for gesture in gestures:
        length = draw_length(rng, frames)
        performances.append(Performance(GESTURES[gesture], start, start + length - 1, vary(rng)))
        start += length + (-int(rng.integers(2, 5)) if rng.random() < 0.2 else int(rng.integers(0, 6)))
    return performances


def spread(rng: np.random.Generator, performances: Sequence[Performance], spare: int) -> list[Performance]:
    """Insert ``spare`` more frames of rest before, between and after the performances, at random places."""
    places = len(performances) + 1
    rests = rng.multinomial(spare, rng.dirichlet(np.ones(places)))
    shifts = np.cumsum(rests)[:-1].tolist()
    return [
        one._replace(start=one.start + shift, end=one.end + shift)
        for one, shift in zip(performances, shifts, strict=True)
    ]


def draw_length(rng: np.random.Generator, frames: tuple[int, int]) -> int:
    """Draw the length of a clip; short clips are more frequent than long ones, in all classes alike."""
    shortest, longest = frames
    return shortest + int((longest - shortest + 1) * rng.beta(1.3, 2.2))
