"""The files of a BORIS observation: those of one player run on after each other, on one time axis."""

from collections.abc import Sequence
from decimal import ROUND_FLOOR, Decimal
from typing import NamedTuple

MILLISECOND = Decimal("0.001")
SEVERAL = "are in one of several files of a player, whose lengths are not told"


class Unplaced(Exception):
    """The file of an event is not known; the message is the reason, after "n events"."""


class Place(NamedTuple):
    """The file of an event, its start and end in that file, and the length of the file if it is known, in seconds."""

    media: str
    start: Decimal
    end: Decimal
    length: Decimal | None


def place(media: Sequence[str], lengths: Sequence[Decimal | None], start: Decimal, end: Decimal) -> Place:
    """Find the file of an event in the time of its observation; raises ``Unplaced``.

    ``lengths`` are the lengths of the ``media`` in seconds; they are not needed for one file.
    BORIS cuts lengths to milliseconds (event2media_file_name in its observation_operations.py).
    """
    if not any(media):
        raise Unplaced("have no media file")
    if start < 0:
        raise Unplaced("begin before their file")
    if len(media) == 1:
        return Place(media[0], start, end, lengths[0] if lengths else None)
    if len(lengths) != len(media) or None in lengths:
        raise Unplaced(SEVERAL)
    begin = Decimal(0)
    for name, length in zip(media, lengths, strict=True):
        following = begin + length.quantize(MILLISECOND, ROUND_FLOOR)
        if start < following:
            if end > following:
                raise Unplaced("run on into the next file of their player")
            return Place(name, start - begin, end - begin, length)
        begin = following
    raise Unplaced("begin after the last file of their player")
