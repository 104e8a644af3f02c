"""Who sits when in a demo corpus, which gestures a recording holds, and when each happens.

Nothing about a clip's class can be read off its length, its place in the recording, or the person: lengths and order
are drawn without looking at the class, and every person shows every class about equally often (or, in a corpus with
emotions, as often as the emotion and a habit of the person's own make it).
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
    """How a person is who has won or lost.

    ``valence`` is what the face shows: about 1 for joy, -1 for sorrow, without bounds. ``frames`` is how long the
    recording should be, whatever the mood.
    """

    won: bool
    valence: float
    frames: int


@dataclass(frozen=True)
class Sitting:
    """One recording to be made: whose, the person's which, and the classes (indices into ``GESTURES``) in order.

    ``number`` is the id of the video (miga) or of the sample (smg), or how many clips of the split come before (ma52).
    ``mood`` is only known in a corpus with emotions.
    """

    split: str
    subject: int
    session: int
    number: int
    gestures: tuple[int, ...]
    mood: Mood | None = None


def random_for(seed: int, *names: str | int) -> np.random.Generator:
    """A generator of its own for everything that has a name."""
    return np.random.default_rng([seed, zlib.crc32("/".join(map(str, names)).encode())])


def refuse_crowd(split: str, subjects: int, clips: int, recordings: int, ids: Sequence[int] | None = None) -> None:
    """Raise ``InputError`` if there is no clip for each recording, or, where a release has ``ids``, no id."""
    if clips < recordings:
        raise InputError(f"demo: {clips} {split} clips are too few for {recordings} recordings")
    if ids is not None and recordings > len(ids):
        raise InputError(
            f"demo: {subjects} {split} subjects make {recordings} recordings, and there are ids for {len(ids)}; "
            f"lower subjects.{split}"
        )


def once_or_twice(split: str, subjects: int) -> list[tuple[int, int]]:
    """The subject and the session of each recording of a split where every second subject sits twice."""
    first = SPLIT_FIRST[split]
    return [(first + person, session) for person in range(subjects) for session in range(1 + person % 2)]


def deal(
    rng: np.random.Generator, clips: int, recordings: int, gestures: Sequence[int] = range(len(GESTURES))
) -> list[tuple[int, ...]]:
    """The classes of each recording in order, of those that ``gestures`` (indices into ``GESTURES``) allows.

    The clips of each class are dealt to the recordings in turn, so that all have the same mixture up to one clip.
    """
    deck = np.repeat(gestures, class_counts(clips, gestures))
    dealt = [deck[place::recordings] for place in range(recordings)]
    hands = [dealt[place] for place in rng.permutation(recordings)]
    return [tuple(int(gesture) for gesture in rng.permutation(hand)) for hand in hands]


def class_counts(clips: int, gestures: Sequence[int] = range(len(GESTURES))) -> list[int]:
    """How many of ``clips`` clips each class gets: its share among ``gestures``, rounded so that the sum is right."""
    shares = np.array([GESTURES[gesture].share for gesture in gestures])
    return apportion(clips, shares if len(gestures) == len(GESTURES) else shares / shares.sum())


def apportion(clips: int, shares: np.ndarray) -> list[int]:
    """``clips`` divided into parts as ``shares`` (which sum to 1) say, by largest remainders."""
    wanted = clips * shares
    counts = np.floor(wanted).astype(int)
    for place in np.argsort(counts - wanted, kind="stable")[: clips - counts.sum()]:
        counts[place] += 1
    return counts.tolist()


def schedule(rng: np.random.Generator, gestures: Sequence[int], frames: tuple[int, int]) -> list[Performance]:
    """When each gesture of a recording happens; a clip's length in frames lies in the range ``frames``.

    Mostly there is a short rest between two clips; in every fifth case the next begins before the last has ended.
    """
    performances, start = [], int(rng.integers(4, 12))
    for gesture in gestures:
        length = draw_length(rng, frames)
        performances.append(Performance(GESTURES[gesture], start, start + length - 1, vary(rng)))
        start += length + (-int(rng.integers(2, 5)) if rng.random() < 0.2 else int(rng.integers(0, 6)))
    return performances


def spread(rng: np.random.Generator, performances: Sequence[Performance], spare: int) -> list[Performance]:
    """The performances with ``spare`` more frames of rest before, between and after them, wherever chance has it."""
    places = len(performances) + 1
    rests = rng.multinomial(spare, rng.dirichlet(np.ones(places)))
    shifts = np.cumsum(rests)[:-1].tolist()
    return [
        one._replace(start=one.start + shift, end=one.end + shift)
        for one, shift in zip(performances, shifts, strict=True)
    ]


def draw_length(rng: np.random.Generator, frames: tuple[int, int]) -> int:
    """A clip's length: short ones are more frequent than long ones, and the class has no say."""
    shortest, longest = frames
    return shortest + int((longest - shortest + 1) * rng.beta(1.3, 2.2))
