"""Exports of BORIS as tables: aggregated events, one a row, and tabular events, with a row for START and one for STOP.

The columns are those that export_observation.py of BORIS (https://github.com/olivierfriard/BORIS) writes since version
6; tabular events had a preamble until version 7. A table whose columns were renamed still counts if it has the time
offset, because that has to be subtracted.
"""

import re
from collections.abc import Callable, Sequence
from decimal import Decimal

from .boris_media import SEVERAL, Unplaced, place
from .columns import told_columns
from .record import Annotation, Find, Found, Line, counted, decimal_text, person
from .timecode import clock_seconds

PREAMBLE = 60  # rows within which the heading stands
_OFFSET = "time offset (s)"
_BORDERS = {"start (s)", "stop (s)"}
_KINDS = ("behavior type", "status")  # START, STOP, POINT or STATE
_SOURCES = ("source", "media file(s)", "media file", "media file path", "media file name")
_PLAYER = re.compile(r"[|\s]*player #(\d+):\s*", re.IGNORECASE)
_UNPAIRED = "are a START or STOP without the other"
_POINT = "have no duration"


def read(lines: Sequence[Line], find: Find) -> Found | None:
    """The events of a table that BORIS has exported; None if it is another table."""
    for number, (_, cells) in enumerate(lines[:PREAMBLE]):
        names = {cell.lower() for cell in cells}
        if not names & {"behavior", "behaviour", _OFFSET}:
            continue
        events = None
        if names >= _BORDERS:
            events = _aggregated
        elif "time" in names and names.intersection(_KINDS):
            events = _tabular
        if events:
            preamble = {cells[0].lower(): cells[1] for _, cells in lines[:number] if len(cells) > 1}
            return _found(_Export(cells, preamble, lines[number + 1 :], find), events)
    return None


class _Export:
    """The rows of an export by the names of columns; what stands before the heading holds for all rows."""

    def __init__(self, header: Sequence[str], preamble: dict[str, str], lines: Sequence[Line], find: Find) -> None:
        self.lines = lines
        self._columns = {cell.lower(): column for column, cell in reversed(list(enumerate(header)))}
        self._preamble = preamble
        self._told = told_columns(header)
        self._media_column = next((self._columns[name] for name in _SOURCES if name in self._columns), None)
        if self._media_column is None:
            counts = [
                sum(find(self._at(cells, column)) is not None for _, cells in lines) for column in range(len(header))
            ]
            self._media_column = counts.index(max(counts)) if any(counts) else None
        files: dict[str, set[str]] = {}
        for _, cells in lines:
            files.setdefault(self.cell(cells, "observation id"), set()).add(self._at(cells, self._media_column))
        # Observations whose rows name different files of events, without a list of them.
        self._several = {name for name, sources in files.items() if name and len(sources - {""}) > 1}

    @staticmethod
    def _at(cells: Sequence[str], column: int | None) -> str:
        return cells[column] if column is not None and column < len(cells) else ""

    def cell(self, cells: Sequence[str], *names: str) -> str:
        """The value of the first of these columns that exists, else that of the preamble."""
        for name in names:
            if name in self._columns:
                return self._at(cells, self._columns[name])
        return next((self._preamble[name] for name in names if name in self._preamble), "")

    def state(self, cells: Sequence[str]) -> tuple[str, ...]:
        """What a START has in common with its STOP: observation, subject, behaviour and modifiers."""
        modifiers = (self._at(cells, column) for name, column in self._columns.items() if "modifier" in name)
        values = (self._at(cells, self._told.get(kind)) for kind in ("subject", "label"))
        return self.cell(cells, "observation id"), *values, *modifiers

    def annotation(self, row: int, cells: Sequence[str], start: str, end: str) -> Annotation:
        """The annotation of an event; raises ``Unplaced`` if its file or its time is not known."""
        observation = self.cell(cells, "observation id")
        offset, *borders = map(_signed, (self.cell(cells, _OFFSET) or "0", start, end))
        if offset is None or None in borders:
            raise Unplaced("have no valid time")
        source = self._at(cells, self._media_column)
        if observation in self._several and not _PLAYER.match(source):
            raise Unplaced(SEVERAL)
        media, lengths = self._media(cells, source)
        placed = place(media, lengths, borders[0] - offset, borders[1] - offset)
        return Annotation(
            media=placed.media,
            start=decimal_text(placed.start),
            end=decimal_text(placed.end),
            length=placed.length,
            unit="seconds",
            row=f"row {row}",
            label=self._at(cells, self._told.get("label")),
            subject=person(self._at(cells, self._told.get("subject"))),
            coder=observation,
        )

    def _media(self, cells: Sequence[str], source: str) -> tuple[list[str], list[Decimal | None]]:
        """The files of the first player and their lengths. Other players show the same time from another side."""
        parts = _PLAYER.split(source)
        if len(parts) == 1:
            return [source], [clock_seconds(self.cell(cells, "total length"))]
        lengths = self.cell(cells, "media duration (s)").split("|")[0]
        media = [name.strip() for name in parts[2].split(";") if name.strip()]
        return media, [clock_seconds(length) for length in lengths.split(";")]


def _signed(text: str) -> Decimal | None:
    """Seconds, which are negative where the time offset is."""
    seconds = clock_seconds(text.removeprefix("-"))
    return -seconds if text.startswith("-") and seconds is not None else seconds


def _found(export: _Export, events: Callable[[_Export], tuple[list[Annotation], list[str]]]) -> Found:
    annotations, reasons = events(export)
    return Found(annotations, counted(reasons, "events"))


def _aggregated(export: _Export) -> tuple[list[Annotation], list[str]]:
    annotations, reasons = [], []
    for row, cells in export.lines:
        if export.cell(cells, *_KINDS).upper() == "POINT":
            reasons.append(_POINT)
            continue
        try:
            start, stop = export.cell(cells, "start (s)"), export.cell(cells, "stop (s)")
            annotations.append(export.annotation(row, cells, start, stop))
        except Unplaced as reason:
            reasons.append(str(reason))
    return annotations, reasons


def _tabular(export: _Export) -> tuple[list[Annotation], list[str]]:
    annotations, reasons = [], []
    begun: dict[tuple[str, ...], Line] = {}
    for row, cells in export.lines:
        state, kind = export.state(cells), export.cell(cells, *_KINDS).upper()
        if kind == "START" and state not in begun:
            begun[state] = row, cells
        elif kind == "STOP" and state in begun:
            first, started = begun.pop(state)
            try:
                annotations.append(
                    export.annotation(first, started, export.cell(started, "time"), export.cell(cells, "time"))
                )
            except Unplaced as reason:
                reasons.append(str(reason))
        else:
            reasons.append(_POINT if kind == "POINT" else _UNPAIRED)
    return annotations, reasons + [_UNPAIRED] * len(begun)
