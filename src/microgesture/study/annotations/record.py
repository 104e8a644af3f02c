"""What every reader of annotations returns: the stretches of recordings that a coder has labelled."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import NamedTuple

from ...storage.names import composed

NO_PERSON = "no focal subject"  # BORIS writes this in place of a person

_TEXTS = ("label", "subject", "tier", "coder")

_COUNTED = re.compile(r"(?<!\{)\{\} ?(?P<noun>\w*)(?: (?P<verb>have|are|name|repeat|begin|keep|run|differ|count)\b)?")
_VERBS = {"have": "has", "are": "is"}

Line = tuple[int, list[str]]  # the number of a row in its file, from 1, and its cells
Find = Callable[[str], int | None]  # the number of the clip that a text names


@dataclass(frozen=True)
class Annotation:
    """One labelled stretch of a recording.

    ``media`` names the recording as the source does; empty if it does not, and then the recording has the name of the
    source. ``start`` and ``end`` are texts in ``unit``: frames (from 0, the end included), seconds or milliseconds (the
    end not included), or a unit of ``timecode``. ``guessed`` tells that nothing in the source names the unit. ``coder``
    is who has annotated, or the observation of BORIS. ``length`` is how long the recording was for the coder, in
    seconds, if the source tells it. ``row`` is where the annotation stands in its source, for messages.
    """

    media: str
    start: str
    end: str
    unit: str
    row: str
    label: str = ""
    subject: str = ""
    split: str = ""
    tier: str = ""
    coder: str = ""
    guessed: bool = False
    length: Decimal | None = None

    def cleaned(self) -> "Annotation":
        """The annotation with texts in Unicode's composed form, without characters that cannot be printed."""
        return replace(self, **{key: _clean(getattr(self, key)) for key in _TEXTS})


class Note(NamedTuple):
    """What was assumed about a source, or could not be used of it.

    ``text`` has ``{}`` for each of ``counts``, so that notes with the same text become one sentence about all sources;
    ``example`` stands at its end.
    """

    text: str
    counts: tuple[int, ...] = ()
    example: str = ""

    def sentence(self) -> str:
        """The text with its counts; a noun after a 1, and its verb, are in the singular."""
        counts = iter(self.counts)

        def agreed(found: re.Match[str]) -> str:
            noun, verb = found["noun"], found["verb"]
            if next(counts) != 1:
                return found[0]
            ending = f" {_VERBS.get(verb, f'{verb}s')}" if verb else ""
            return f"{{}} {noun.removesuffix('s')}{ending}"

        text = _COUNTED.sub(agreed, self.text).format(*self.counts)
        return text.replace(", and are ", ", and is ") if self.counts == (1,) else text


class Found(NamedTuple):
    """The annotations of a source, and notes about it."""

    annotations: Sequence[Annotation]
    notes: Sequence[Note] = ()


def _clean(text: str) -> str:
    if text.isascii() and text.isprintable():
        return text.strip()
    return "".join(char for char in composed(text) if char.isprintable()).strip()


def person(text: str) -> str:
    """The name of a person; empty if the text means that there is none."""
    return "" if text.strip().lower() == NO_PERSON else text.strip()


def decimal_text(value: Decimal) -> str:
    """A number without an exponent."""
    return f"{value:f}"


def literal(text: str) -> str:
    """A text as a part of the text of a note."""
    return text.replace("{", "{{").replace("}", "}}")


def counted(reasons: Sequence[str], what: str) -> list[Note]:
    """A note for each reason why annotations are not used."""
    return [
        Note(f"{{}} {what} {reason}, and are not used", (reasons.count(reason),)) for reason in dict.fromkeys(reasons)
    ]
