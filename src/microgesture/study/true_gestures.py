"""Gestures that people have annotated, on the time axis of the recordings in which others were found."""

from collections.abc import Collection, Mapping
from pathlib import Path, PurePosixPath

from ..errors import InputError
from ..measures.detection import Gesture
from ..videos.timestamps import FrameTimes
from .annotations.record import Annotation
from .annotations.timecode import timecode_seconds
from .clips import FoundClip
from .tables import clip_names, read_tables

SECONDS = {"seconds": 1.0, "milliseconds": 0.001}


def read_true_gestures(
    path: Path, times: Mapping[str, FrameTimes], classes: Collection[str]
) -> tuple[list[Gesture], dict[str, str], list[str]]:
    """The gestures in a file of ELAN or BORIS, or in a table, of the recordings with these ``times``.

    The class of an annotation is its label, or its tier if only that is one of the ``classes``. Also returns the person
    in each recording, as far as the file tells, and sentences about what is not used. Raises ``InputError`` if the file
    has no gesture of any of the recordings.
    """
    recordings = list(times)
    names = clip_names([FoundClip((), name, PurePosixPath(f"{name}.mp4")) for name in recordings])
    gestures, people, sentences = [], {}, []
    for table in read_tables(path.parent, PurePosixPath(path.name), names):
        if table.unused:
            sentences.append(f"{table.name}: {table.unused}")
        sentences += [f"{table.name}: {note.text.format(*note.counts)}" for note in table.notes]
        placed = [(recordings[clip], entry) for clip, entry in table.placed() if entry.unit]
        if left := len(table.annotations) - len(placed):
            where = "of other recordings, or of whole ones, and are not used"
            sentences.append(f"{table.name}: {left} annotations are {where}")
        for name, entry in placed:
            label = entry.tier if entry.label not in classes and entry.tier in classes else entry.label
            gestures.append(Gesture(name, label, *_seconds(entry, times[name], path)))
            if entry.subject:
                people[name] = entry.subject
    if not gestures:
        raise InputError(
            f"{path} has no annotation of {', '.join(recordings[:3])}, with a start and an end"
            + "".join(f"; {sentence}" for sentence in sentences)
        )
    if unknown := sorted({one.label for one in gestures} - set(classes)):
        sentences.append(f"{path.name}: the recogniser has no class {', '.join(map(repr, unknown[:5]))}")
    return gestures, people, sentences


def _seconds(entry: Annotation, times: FrameTimes, path: Path) -> tuple[float, float]:
    if entry.unit == "frames":
        first, last = (int(float(text)) for text in (entry.start, entry.end))
        if not 0 <= first <= last < len(times):
            raise InputError(
                f"{path}, {entry.row}: frames {entry.start} to {entry.end} are not in the recording, which has "
                f"{len(times)} frames; correct them"
            )
        return times.seconds(first, last)
    if entry.unit in SECONDS:
        return float(entry.start) * SECONDS[entry.unit], float(entry.end) * SECONDS[entry.unit]
    borders = [timecode_seconds(text, entry.unit, times.rate) for text in (entry.start, entry.end)]
    if None in borders:
        raise InputError(f"{path}, {entry.row}: {entry.start} to {entry.end} are no timecodes; correct them")
    return float(borders[0]), float(borders[1])
