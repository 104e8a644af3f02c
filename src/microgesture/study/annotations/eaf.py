"""Files of ELAN (.eaf), which are XML: the annotations of all tiers, in milliseconds of the linked media."""

from collections.abc import Sequence
from pathlib import Path
from urllib.parse import unquote
from xml.parsers import expat

from pympi import Eaf

from ...errors import InputError
from ...videos import VIDEOS
from .record import Annotation, Found, Note, counted

LARGEST = 2**26  # bytes
DEEPEST = 32  # elements within each other; the schema of ELAN has 5


def read(path: Path) -> Found:
    """The annotations of all tiers; raises ``InputError`` if the file is damaged, too large or no file of ELAN.

    A time in the linked media is the annotation's time plus TIME_ORIGIN of that media. Annotations that refer to others
    have their times.
    """
    _check(path)
    try:
        eaf = Eaf(str(path), suppress_version_warning=True)
        times = _times(eaf)
        spans = {name: (a[0], a[1]) for aligned, *_ in eaf.tiers.values() for name, a in aligned.items()}
        parents = {name: a[0] for _, referring, *_ in eaf.tiers.values() for name, a in referring.items()}
        (media, origin), *others = _linked(eaf.media_descriptors)
        notes = [Note("several videos are linked, and only the first is cut")] if others else []
        annotations, reasons = [], []
        for tier, (aligned, referring, attributes, _) in eaf.tiers.items():
            texts = {name: a[2] for name, a in aligned.items()} | {name: a[1] for name, a in referring.items()}
            for name, text in texts.items():
                span = [times.get(slot) for slot in spans.get(_root(name, parents), ())]
                if len(span) != 2 or None in span:
                    reasons.append("have no time")
                    continue
                annotations.append(
                    Annotation(
                        media=media,
                        start=str(span[0] + origin),
                        end=str(span[1] + origin),
                        unit="milliseconds",
                        row=f"{name} of {tier}",
                        label=" ".join(text.split()),
                        subject=attributes.get("PARTICIPANT", "").strip(),
                        tier=tier,
                    )
                )
    except Exception as error:  # the library raises KeyError, ValueError and others, and Exception itself
        raise InputError(f"{path}: not a file of ELAN ({type(error).__name__}: {error})") from None
    return Found(annotations, [*notes, *counted(reasons, "annotations")])


def _check(path: Path) -> None:
    """Refuse what ELAN does not write: large files, document types (entities), deep nesting, and fractions of times."""
    if path.stat().st_size > LARGEST:
        raise InputError(f"{path}: larger than the limit of {LARGEST} bytes for a file of ELAN")
    depth = 0

    def begin(element: str, attributes: dict[str, str]) -> None:
        nonlocal depth
        time = attributes.get("TIME_VALUE", "0")
        if element == "TIME_SLOT" and not time.removeprefix("-").isdecimal():
            raise InputError(f"{path}: TIME_VALUE is {time!r}, not a whole number of milliseconds; round all of them")
        depth += 1
        if depth > DEEPEST:
            raise InputError(f"{path}: more than {DEEPEST} elements within each other, so it is not a file of ELAN")

    def end(*_: object) -> None:
        nonlocal depth
        depth -= 1

    def refuse(*_: object) -> None:
        raise InputError(f"{path}: declares a document type, which files of ELAN do not; save it again in ELAN")

    parser = expat.ParserCreate()
    parser.StartElementHandler, parser.EndElementHandler, parser.StartDoctypeDeclHandler = begin, end, refuse
    try:
        parser.Parse(path.read_bytes(), True)
    except (expat.ExpatError, LookupError, ValueError) as error:  # the last two for unknown encodings
        raise InputError(f"{path}: not readable as XML ({error})") from None


def _times(eaf: Eaf) -> dict[str, int]:
    """The time of each slot. Slots without one share the time between the aligned ones of their chain equally.

    A chain is what ELAN makes of a subdivision: each annotation begins in the slot where the one before it ends.
    """
    times = {slot: time for slot, time in eaf.timeslots.items() if time is not None}
    for aligned, *_ in eaf.tiers.values():
        following = {begin: end for begin, end, *_ in aligned.values()}
        for first in [slot for slot in following if slot in times]:
            chain = [first]
            while len(chain) <= len(following) and chain[-1] in following:
                chain.append(following[chain[-1]])
                if chain[-1] in times:
                    break
            if chain[-1] in times:
                start, end = times[first], times[chain[-1]]
                for number, slot in enumerate(chain):
                    times.setdefault(slot, round(start + (end - start) * number / (len(chain) - 1)))
    return times


def _root(name: str, parents: dict[str, str]) -> str:
    """The annotation with times that this one refers to, directly or not."""
    seen = set()
    while name in parents and name not in seen:
        seen.add(name)
        name = parents[name]
    return name


def _linked(descriptors: Sequence[dict[str, str]]) -> list[tuple[str, int]]:
    """The linked videos with their TIME_ORIGIN, or else the first linked file."""
    linked = [
        (unquote(entry.get("RELATIVE_MEDIA_URL") or entry.get("MEDIA_URL", "")), int(entry.get("TIME_ORIGIN") or 0))
        for entry in descriptors
    ]
    return [entry for entry in linked if entry[0].lower().endswith(VIDEOS)] or linked[:1] or [("", 0)]
