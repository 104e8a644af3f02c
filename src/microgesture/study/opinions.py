"""What tables say about clips: which tiers count, and which table is used if two disagree."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import NamedTuple

from ..errors import InputError, UnusableClip
from ..storage.names import composed
from ..videos.timestamps import told_uneven
from .annotations.columns import VALUES
from .annotations.record import Annotation, Note, literal
from .annotations.timecode import RATES, timecode_seconds
from .clips import FoundClip
from .doubts import Placed, settled_unit, told_ends, told_lengths, video_of
from .names import MOST_LISTED, listed
from .parts import Ruler
from .tables import Table

_HOW = {"frames": "in frames from 0, including the last"} | {unit: f"as timecodes ({unit})" for unit in RATES}


class _Part(NamedTuple):
    """A part of a clip, and its annotation."""

    frames: tuple[int, int]
    annotation: Annotation

    @property
    def facts(self) -> tuple:
        """The values on which two coders can agree."""
        return self.frames, self.annotation.label, self.annotation.subject

    def __str__(self) -> str:
        label, (first, last) = self.annotation.label or "no label", self.frames
        return f"{self.annotation.row} ({label}, frames {first} to {last})"


class _Opinion(NamedTuple):
    """Whose annotations these are: a table, and in it a coder or an observation, if it names them."""

    table: str
    coder: str

    def __str__(self) -> str:
        return f"{self.table} ({self.coder})" if self.coder else self.table


@dataclass
class _Told:
    """What is known from the tables read so far: the clips, the source of each value, opinions about their parts, and
    notes.

    ``sources`` has the place and the value for each clip and kind of value. Each video is opened once.
    """

    folder: Path
    clips: list[FoundClip]
    sources: dict[tuple[int, str], tuple[str, str]] = field(default_factory=dict)
    opinions: dict[int, dict[_Opinion, list[_Part]]] = field(default_factory=dict)
    notes: list[tuple[str, Note]] = field(default_factory=list)
    rulers: dict[int, Ruler] = field(default_factory=dict)
    rates: dict[int, float] = field(default_factory=dict)

    def say(self, table: object, text: str, *counts: int, example: str = "") -> None:
        """Keep a note about a table."""
        self.notes.append((str(table), Note(text, counts, example)))


def apply_tables(
    folder: Path, clips: Sequence[FoundClip], tables: Sequence[Table], tiers: Sequence[str] = ()
) -> tuple[list[FoundClip], list[str], set[str]]:
    """The clips with the values from tables, messages, and the kinds of values that the tables contain.

    Of several tables that annotate the same recording, or several coders in one table, only the first is used. Raises
    ``InputError`` if a table has several tiers and ``tiers`` does not choose, or if no table has a chosen tier.
    """
    told, tiers = _Told(folder, list(clips)), [composed(tier) for tier in tiers]
    placed = {table.name: table.placed() for table in tables}
    chosen = _chosen_tiers(told, placed, tiers)
    for table in tables:
        entries = chosen[table.name]
        if whole := [(clip, entry) for clip, entry in entries if not entry.unit]:
            _take_values(told, table.name, whole)
        if parts := [(clip, entry) for clip, entry in entries if entry.unit]:
            _read_parts(told, table.name, parts)
        told.notes += [(table.name, note) for note in table.notes]
        if entries and (missing := len(table.annotations) - len(placed[table.name])):
            told.say(table.name, "{} rows name no existing clip, or several of the same name", missing)
        if table.renamed:
            text = "the recording that it names is not there, so it is taken for the one with its own name"
            told.say(table.name, text, example=f"the first is {table.renamed}")
    _take_first(told)
    unused = [(table.name, reason) for table in tables if (reason := _unused(table, placed[table.name]))]
    unused = [(name, Note(f"not used, because {literal(reason)}")) for name, reason in unused]
    keys = {key for clip in told.clips for part in (clip, *clip.parts) for key in VALUES if getattr(part, key)}
    times = {told.clips[clip].name: ruler.times for clip, ruler in told.rulers.items() if ruler.times is not None}
    uneven = [f"{text[0].upper()}{text[1:]}." for text in told_uneven(times)]
    return told.clips, [*sentences(told.notes), *uneven, *sentences(unused, most=len(unused))], keys


def sentences(notes: Iterable[tuple[str, Note]], most: int = MOST_LISTED) -> list[str]:
    """One sentence for all tables with the same note, with the sum of their counts and the example of the first.

    At most ``most`` names of tables are listed.
    """
    groups: dict[str, list[tuple[str, Note]]] = {}
    for name, note in notes:
        groups.setdefault(note.text, []).append((name, note))
    return [
        f"{listed(list(dict.fromkeys(name for name, _ in group)), most)}: "
        + Note(text, tuple(map(sum, zip(*(note.counts for _, note in group), strict=True)))).sentence()
        + (f"; {example}." if (example := group[0][1].example) else ".")
        for text, group in groups.items()
    ]


def _unused(table: Table, placed: Placed) -> str:
    """Why a table contains nothing about clips; empty if it does."""
    if table.unused or placed:
        return table.unused
    return "it names no clip" if table.annotations else "none of its rows can be used"


def _chosen_tiers(told: _Told, placed: dict[str, Placed], tiers: Sequence[str]) -> dict[str, Placed]:
    """The annotations of the chosen tiers, or of the only one."""
    there = {name: Counter(entry.tier for _, entry in entries if entry.tier) for name, entries in placed.items()}
    known = sum(there.values(), Counter())
    if lacking := [tier for tier in tiers if tier not in known]:
        raise InputError(f"no table has the tier {lacking[0]!r}; there are {listed(sorted(known)) or 'no tiers'}")
    if not tiers and (several := [name for name, counts in there.items() if len(counts) > 1]):
        counted = listed([f"{tier} ({count} annotations)" for tier, count in known.items()])
        raise InputError(
            f"several tiers in {listed(several)}: {counted}. Choose those with your classes: "
            f"init --tier {next(iter(known))!r}, and repeat --tier to choose more than one"
        )
    chosen = {}
    for name, entries in placed.items():
        others = [tier for tier in there[name] if tiers and tier not in tiers]
        chosen[name] = [item for item in entries if not others or item[1].tier in tiers]
        if others:
            left_out = len(entries) - len(chosen[name])
            told.say(name, f"{{}} annotations of other tiers, not used ({literal(listed(others))})", left_out)
    return chosen


def _take_values(told: _Told, name: str, entries: Placed) -> None:
    """Give clips the values of whole recordings, unless an earlier table or coder has given another one."""
    taken, differing = Counter(), []
    for clip, entry in entries:
        for key in VALUES:
            if not (value := getattr(entry, key)):
                continue
            place = f"{_Opinion(name, entry.coder)}, {entry.row}"
            first = told.sources.setdefault((clip, key), (place, value))
            if first == (place, value):
                told.clips[clip] = replace(told.clips[clip], **{key: value})
                taken[key] += 1
            elif first[1] != value:
                differing.append(_disagreement(told.clips[clip], key, (place, value), first))
    if taken:
        told.say(name, ", ".join(f"the {key} of {{}} clips" for key in taken), *taken.values())
    if differing:
        text = "{} values differ from an earlier table or coder, and are not used"
        told.say(name, text, len(differing), example=differing[0])
    if not taken and not differing:
        told.say(name, "not used, because it has nothing new")


def _disagreement(clip: FoundClip, key: str, this: tuple[str, str], other: tuple[str, str]) -> str:
    return f"{clip.name} has the {key} {this[1]} in {this[0]}, but {other[1]} in {other[0]}"


def _read_parts(told: _Told, name: str, entries: Placed) -> None:
    """Add the parts of a table to the opinions about its clips, in frames."""
    unit, doubts = settled_unit(told.folder, entries, told.clips)
    troubles: dict[int, str] = {}
    seen: set[tuple] = set()
    used, unread, repeated = [], [], 0
    for clip, entry in entries:
        if clip in troubles:
            continue
        try:
            frames = _frames(told, clip, entry, unit or entry.unit)
        except UnusableClip as error:
            troubles[clip] = str(error)
            continue
        if frames is None:
            unread.append(entry.row)
            continue
        part = _Part(frames, entry)
        if (clip, entry.coder, part.facts) in seen:
            repeated += 1
            continue
        seen.add((clip, entry.coder, part.facts))
        told.opinions.setdefault(clip, {}).setdefault(_Opinion(name, entry.coder), []).append(part)
        used.append(clip)
    if used:
        how = _HOW.get(unit or entries[0][1].unit, f"in {unit or entries[0][1].unit} of their videos")
        told.say(name, f"{{}} parts of {{}} files, {how}", len(used), len(set(used)))
    for clip, error in troubles.items():
        told.say(
            name, f"{{}} files cannot be cut: {literal(error)}", 1, example=f"the first is {told.clips[clip].name}"
        )
    times = {clip: ruler.times for clip, ruler in told.rulers.items() if ruler.times}
    doubts += [*told_lengths(entries, told.clips, times), *told_ends(entries, told.clips, times, unit)]
    told.notes += [(name, note) for note in doubts]
    if unread:
        text = "{} rows have no valid start and end, and are ignored"
        told.say(name, text, len(unread), example=f"the first is {unread[0]}")
    if repeated:
        told.say(name, "{} rows repeat another row, and count once", repeated)


def _frames(told: _Told, clip: int, entry: Annotation, unit: str) -> tuple[int, int] | None:
    video = told.clips[clip].video
    ruler = told.rulers.setdefault(clip, Ruler(told.folder / video if video else None))
    if unit not in RATES:
        return ruler.frames(entry.start, entry.end, unit)
    fps = None
    if RATES[unit] is None:
        fps = told.rates[clip] if clip in told.rates else told.rates.setdefault(clip, _rate(told, clip))
    times = [timecode_seconds(text, unit, fps) for text in (entry.start, entry.end)]
    return None if None in times else ruler.frames(*times, "seconds")


def _rate(told: _Told, clip: int) -> float:
    video = video_of(told.folder, told.clips[clip])
    if not video or not video.fps:
        raise UnusableClip("timecodes cannot be used without the frame rate of a video; give frames")
    return video.fps


def _take_first(told: _Told) -> None:
    """Give each clip the parts of its first opinion, and add notes about those that are not used."""
    for number, opinions in told.opinions.items():
        # Stretches without labels, such as those of a detector, are no opinion about classes.
        (first, parts), *others = sorted(
            opinions.items(), key=lambda item: not any(p.annotation.label for p in item[1])
        )
        clip = told.clips[number]
        for part in parts:
            for key in VALUES:
                value, source = getattr(part.annotation, key), told.sources.get((number, key))
                if value and source and source[1] != value:
                    place = f"{first}, {part.annotation.row}"
                    text = "{} parts have other values than their files, and keep them"
                    told.say(first.table, text, 1, example=_disagreement(clip, key, (place, value), source))
        told.clips[number] = replace(
            clip,
            parts=tuple(
                replace(clip, frames=part.frames, **{key: getattr(part.annotation, key) or None for key in VALUES})
                for part in parts
            ),
        )
        for other, theirs in others:
            pair = f"{first} and {other}"
            if difference := _difference(first, parts, other, theirs):
                text = "two opinions about {} files, of which only the first is used, because they disagree"
                told.say(pair, text, 1, example=f"{clip.name}: {difference}")
            else:
                told.say(pair, "the same annotations of {} files, which count once", 1)


def _difference(first: _Opinion, parts: Sequence[_Part], other: _Opinion, theirs: Sequence[_Part]) -> str:
    """The first part that only one of two opinions has, beside the nearest of the other; empty if they agree."""
    same = {part.facts for part in parts} & {part.facts for part in theirs}
    for mine, yours, my_name, your_name in ((theirs, parts, other, first), (parts, theirs, first, other)):
        for part in mine:
            if part.facts not in same:
                nearest = min(yours, key=lambda one: abs(one.frames[0] - part.frames[0]))
                return f"{my_name}, {part}, but {your_name}, {nearest}"
    return ""
