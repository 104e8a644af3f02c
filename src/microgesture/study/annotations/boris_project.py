"""Projects of BORIS (.boris, and .boris.gz), which are JSON.

An event is ``[time, subject, behaviour, modifier, comment, frame]``, and a state event is two of them. Times include
the time offset of the observation (write_event.py of https://github.com/olivierfriard/BORIS).
"""

import gzip
import zlib
from decimal import Decimal
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, Field, JsonValue, ValidationError

from ...errors import InputError
from .boris_media import Place, Unplaced, place
from .record import Annotation, Found, counted, decimal_text, person
from .timecode import LATEST

LARGEST = 2**26  # bytes


class _Behaviour(BaseModel):
    code: str
    type: str = ""


_Seconds = Annotated[Decimal, Field(gt=-LATEST, lt=LATEST)]


class _MediaInfo(BaseModel):
    length: dict[str, _Seconds] = {}
    media_creation_time: dict[str, _Seconds] = {}


class _Observation(BaseModel):
    type: str = "MEDIA"
    file: dict[str, list[str]] | list[str] = {}
    events: list[list[JsonValue]] = []
    time_offset: _Seconds | None = Field(None, alias="time offset")
    media_creation_date_as_offset: bool = False
    media_info: _MediaInfo = _MediaInfo()

    @property
    def media(self) -> list[str]:
        """The files of the first player; projects before version 1 list the files of all players."""
        return self.file[:1] if isinstance(self.file, list) else self.file.get("1", [])


class _Project(BaseModel):
    behaviors_conf: dict[str, _Behaviour]
    observations: dict[str, _Observation]


def read(path: Path) -> Found:
    """The state events of all observations of a project; raises ``InputError`` if it is damaged or too large."""
    try:
        project = _Project.model_validate_json(_text(path))
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        place_in_file = ".".join(map(str, first["loc"]))
        raise InputError(
            f"{path}: not a project of BORIS ({place_in_file} {first['msg']})".replace("( ", "(")
        ) from None
    states = {entry.code for entry in project.behaviors_conf.values() if entry.type.lower().startswith("state")}
    annotations, reasons = [], []
    for name, observation in project.observations.items():
        if observation.type != "MEDIA":
            reasons += ["are of an observation without media files"] * len(observation.events)
            continue
        found, refused = _events(name, observation, states)
        annotations += found
        reasons += refused
    return Found(annotations, counted(reasons, "events"))


def _text(path: Path) -> bytes:
    try:
        with (gzip.open if path.suffix == ".gz" else open)(path, "rb") as file:
            text = file.read(LARGEST + 1)
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise InputError(f"{path}: not a readable gzip file ({error})") from None
    if len(text) > LARGEST:
        raise InputError(f"{path}: larger than the limit of {LARGEST} bytes for a project of BORIS")
    return text


def _events(name: str, observation: _Observation, states: set[str]) -> tuple[list[Annotation], list[str]]:
    annotations, reasons, events = [], [], []
    for number, event in enumerate(observation.events, 1):
        try:
            time, (subject, behaviour, modifier) = Decimal(str(event[0])), map(str, event[1:4])
        except (ArithmeticError, LookupError, ValueError):
            time = Decimal("nan")
        if time.is_finite() and abs(time) < LATEST:
            events.append((time, subject, behaviour, modifier, number))
        else:
            reasons.append("have no valid time, subject, behaviour and modifier")
    begun: dict[tuple[str, str, str], tuple[Decimal, int]] = {}
    for time, subject, behaviour, modifier, number in sorted(events):
        state = (subject, behaviour, modifier)
        if behaviour not in states:
            reasons.append("have no duration")
        elif state not in begun:
            begun[state] = time, number
        else:
            start, first = begun.pop(state)
            try:
                placed = _placed(observation, start, time)
            except Unplaced as reason:
                reasons.append(str(reason))
                continue
            annotations.append(
                Annotation(
                    media=placed.media,
                    start=decimal_text(placed.start),
                    end=decimal_text(placed.end),
                    length=placed.length,
                    unit="seconds",
                    row=f"event {first} of {name}",
                    label=behaviour,
                    subject=person(subject),
                    coder=name,
                )
            )
    return annotations, reasons + ["have a start and no stop"] * len(begun)


def _placed(observation: _Observation, start: Decimal, end: Decimal) -> Place:
    offset = observation.time_offset or Decimal(0)
    start, end, info = start - offset, end - offset, observation.media_info
    if not observation.media_creation_date_as_offset:
        return place(observation.media, [info.length.get(name) for name in observation.media], start, end)
    for name, created in info.media_creation_time.items():  # each file has a time axis of its own, from its creation
        if created <= start <= end <= created + info.length.get(name, Decimal(0)):
            return Place(name, start - created, end - created, info.length[name])
    raise Unplaced("are not within the time of a file")
