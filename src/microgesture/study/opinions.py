"""What tables tell of clips: which tiers count, and who is believed where two tell different things."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from ..errors import InputError, UnusableClip
from .annotations.columns import VALUES
from .annotations.record import Annotation
from .annotations.timecode import RATES, timecode_seconds
from .clips import FoundClip
from .doubts import settled_unit, told_lengths, video_of
from .names import listed
from .parts import Ruler
from .tables import Table


class _Part(NamedTuple):
    """A part of a clip, and the annotation that tells of it."""

    frames: tuple[int, int]
    annotation: Annotation

    @property
    def facts(self) -> tuple:
        """What two coders can agree about."""
        return self.frames, self.annotation.label, self.annotation.subject

    def __str__(self) -> str:
        label, (first, last) = self.annotation.label or "no label", self.frames
        return f"{self.annotation.row} ({label}, frames {first} to {last})"


class _Opinion(NamedTuple):
    """Whose annotations these are: a table, and in it a coder or an observation; both may be all there is."""

    table: str
    coder: str

    def __str__(self) -> str:
        return f"{self.table} ({self.coder})" if self.coder else self.table


def apply_tables(
    folder: Path, clips: Sequence[FoundClip], tables: Sequence[Table], tiers: Sequence[str] = ()
) -> tuple[list[FoundClip], list[str], set[str]]:
    """The clips with what tables tell of them, messages, and the kinds of values that tables tell.

    Of several tables that annotate the same recording, or several coders in one table, only the first is used. Raises
    ``InputError`` if a table has several tiers and ``tiers`` does not choose, or if no table has a chosen tier.
    """
    clips = list(clips)
    placed = {table.name: table.placed() for table in tables}
    placed, notes = _chosen_tiers(placed, tiers)
    rulers = {number: Ruler(folder / clip.video if clip.video else None) for number, clip in enumerate(clips)}
    sources: dict[tuple[int, str], tuple[str, str]] = {}  # of each value of a clip: its table, and its row there
    opinions: dict[int, dict[_Opinion, list[_Part]]] = {}
    for table in tables:
        entries = placed[table.name]
        whole = [(clip, entry) for clip, entry in entries if not entry.unit]
        parts = [(clip, entry) for clip, entry in entries if entry.unit]
        told: list[str] = []
        if whole:
            told += _take_values(table.name, whole, clips, sources)
        if parts:
            told += _read_parts(folder, table.name, parts, clips, rulers, opinions)
        told += [f"{table.name}: {note}." for note in table.notes]
        if entries and (missing := len(table.annotations) - len(table.placed())):
            told.append(f"{missing} rows of {table.name} name no existing clip.")
        notes += told
    notes += _take_first(clips, opinions)
    notes += _unused(tables)
    keys = {key for clip in clips for part in (clip, *clip.parts) for key in VALUES if getattr(part, key)}
    return clips, notes, keys


def _chosen_tiers(
    placed: dict[str, list[tuple[int, Annotation]]], tiers: Sequence[str]
) -> tuple[dict[str, list[tuple[int, Annotation]]], list[str]]:
    """The annotations of the chosen tiers, or of the only one, and messages about the others."""
    there = {name: Counter(entry.tier for _, entry in entries if entry.tier) for name, entries in placed.items()}
    if lacking := [tier for tier in tiers if not any(tier in counts for counts in there.values())]:
        known = sorted({tier for counts in there.values() for tier in counts})
        raise InputError(f"no table has the tier {lacking[0]!r}; there are {listed(known) if known else 'no tiers'}")
    chosen, notes = {}, []
    for name, entries in placed.items():
        counts = there[name]
        if len(counts) > 1 and not tiers:
            raise InputError(
                f"{name} has several tiers: {_counted(counts.items())}. Choose those with your classes: "
                f"init --tier {next(iter(counts))!r}, and --tier once more for another one"
            )
        chosen[name] = [item for item in entries if not counts or not tiers or item[1].tier in tiers]
        if others := [(tier, count) for tier, count in counts.items() if tiers and tier not in tiers]:
            notes.append(f"Not used of {name}: other tiers, {_counted(others)}.")
    return chosen, notes


def _counted(tiers: Iterable[tuple[str, int]]) -> str:
    return listed([f"{tier} ({count} annotations)" for tier, count in tiers])


def _take_values(
    name: str,
    entries: Sequence[tuple[int, Annotation]],
    clips: list[FoundClip],
    sources: dict[tuple[int, str], tuple[str, str]],
) -> list[str]:
    """Give clips the values of whole recordings, unless an earlier table or coder has told another one."""
    taken, differing = Counter(), []
    for clip, entry in entries:
        for key in VALUES:
            value = getattr(entry, key)
            if not value:
                continue
            source = f"{name}, {entry.row}" + (f" ({entry.coder})" if entry.coder else "")
            if (first := sources.setdefault((clip, key), (source, value))) != (source, value):
                if first[1] != value:
                    differing.append(
                        f"{clips[clip].name} has the {key} {value} in {source}, but {first[1]} in {first[0]}"
                    )
                continue
            clips[clip] = replace(clips[clip], **{key: value})
            taken[key] += 1
    notes = [f"{name} has {', '.join(f'the {key} of {count} clips' for key, count in taken.items())}."] if taken else []
    if differing:
        notes.append(f"Two tables or coders disagree {len(differing)} times; the first one is used. {differing[0]}.")
    if not taken and not differing:
        notes.append(f"{name} is not used: it has nothing new.")
    return notes


def _read_parts(
    folder: Path,
    name: str,
    entries: Sequence[tuple[int, Annotation]],
    clips: Sequence[FoundClip],
    rulers: dict[int, Ruler],
    opinions: dict[int, dict[_Opinion, list[_Part]]],
) -> list[str]:
    """Add the parts of a table to the opinions about its clips, in frames."""
    unit, notes = settled_unit(folder, name, entries, clips)
    troubles: dict[int, str] = {}
    used, unread, repeated = [], [], 0
    for clip, entry in entries:
        if clip in troubles:
            continue
        try:
            frames = _frames(folder, entry, unit or entry.unit, clips[clip], rulers[clip])
        except UnusableClip as error:
            troubles[clip] = f"{name}, {clips[clip].name}: {error}."
            continue
        if frames is None:
            unread.append(entry.row)
            continue
        part = _Part(frames, entry)
        parts = opinions.setdefault(clip, {}).setdefault(_Opinion(name, entry.coder), [])
        if part.facts in (other.facts for other in parts):
            repeated += 1
        else:
            parts.append(part)
            used.append(clip)
    notes = [*troubles.values(), *notes, *told_lengths(folder, name, entries, clips)]
    if used:
        told = unit or entries[0][1].unit
        counted = "in frames from 0, including the last" if told == "frames" else f"in {told} of their videos"
        counted = f"as timecodes ({told})" if told in RATES else counted
        notes.insert(0, f"{name} has {len(used)} parts of {len(set(used))} files, {counted}.")
    if unread:
        notes.append(
            f"{len(unread)} rows of {name} have no valid start and end, and are ignored; the first is {unread[0]}."
        )
    if repeated:
        notes.append(f"{repeated} rows of {name} repeat another row, and count once.")
    return notes


def _frames(folder: Path, entry: Annotation, unit: str, clip: FoundClip, ruler: Ruler) -> tuple[int, int] | None:
    if unit not in RATES:
        return ruler.frames(entry.start, entry.end, unit)
    video = video_of(folder, clip)
    if RATES[unit] is None and not (video and video.fps):
        raise UnusableClip("timecodes cannot be used without the frame rate of a video; give frames")
    times = [timecode_seconds(text, unit, video and video.fps) for text in (entry.start, entry.end)]
    return None if None in times else ruler.frames(*times, "seconds")


def _take_first(clips: list[FoundClip], opinions: dict[int, dict[_Opinion, list[_Part]]]) -> list[str]:
    """Give each clip the parts of its first opinion, and tell of those that are not used."""
    pairs: dict[tuple[_Opinion, _Opinion], list[tuple[int, str]]] = {}
    for number, told in opinions.items():
        # Stretches without labels, such as those of a detector, are no opinion about classes.
        (first, parts), *others = sorted(told.items(), key=lambda item: not any(p.annotation.label for p in item[1]))
        clip = clips[number]
        clips[number] = replace(
            clip,
            parts=tuple(
                replace(clip, frames=part.frames, **{key: getattr(part.annotation, key) or None for key in VALUES})
                for part in parts
            ),
        )
        for other, theirs in others:
            pairs.setdefault((first, other), []).append((number, _difference(first, parts, other, theirs)))
    notes = []
    for (first, other), found in pairs.items():
        differing = [(number, told) for number, told in found if told]
        if not differing:
            notes.append(f"{other} has the same annotations of {len(found)} files as {first}, so they count once.")
            continue
        number, told = differing[0]
        notes.append(
            f"{first} and {other} annotate the same {len(found)} files. These are two opinions; only {first} is used. "
            f"They disagree about {len(differing)} files, first about {clips[number].name}: {told}."
        )
    return notes


def _difference(first: _Opinion, parts: Sequence[_Part], other: _Opinion, theirs: Sequence[_Part]) -> str:
    """The first part that only one of two opinions has, beside the nearest of the other; empty if they agree."""
    ours = {part.facts for part in parts}
    same = ours & {part.facts for part in theirs}
    for mine, yours, my_name, your_name in ((theirs, parts, other, first), (parts, theirs, first, other)):
        for part in mine:
            if part.facts not in same:
                nearest = min(yours, key=lambda one: abs(one.frames[0] - part.frames[0]))
                return f"{my_name}, {part}; {your_name}, {nearest}"
    return ""


def _unused(tables: Sequence[Table]) -> list[str]:
    """One sentence for each reason why tables are not used, with their names."""
    reasons: dict[str, list[str]] = {}
    for table in tables:
        reason = table.unused
        if not reason and not table.annotations:
            reason = "none of its rows can be used"
        elif not reason and not table.placed():
            reason = "it names no clip"
        if reason:
            reasons.setdefault(reason, []).append(table.name)
    return [f"Not used, because {reason}: {listed(names)}." for reason, names in reasons.items()]
