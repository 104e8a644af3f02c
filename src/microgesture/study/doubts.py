"""Doubts about times of annotations: whole numbers without a unit, and videos of another length than coders saw."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import median

from ..corpora.listing import whole
from ..errors import UnusableClip
from ..videos.reading import VideoInfo, probe
from ..videos.timestamps import FrameTimes
from .annotations.record import Annotation, Note
from .annotations.timecode import clock_seconds
from .clips import FoundClip

MOST_VIDEOS = 5  # that are counted to judge a table
SHORTEST = 200  # milliseconds of a plausible gesture
SLACK, SLACK_SHARE = 1, 0.01  # seconds, and share of the length, by which programs differ about the length of a video
_HINT = "To be certain, name the columns start_frame and end_frame, start_s and end_s, or start_ms and end_ms"

Placed = Sequence[tuple[int, Annotation]]  # the numbers of clips, and annotations of them


def video_of(folder: Path, clip: FoundClip) -> VideoInfo | None:
    """Rate, length and times of a clip's video; None if it has none, or if it is not readable."""
    try:
        return probe(folder / clip.video, count=True) if clip.video else None
    except UnusableClip:
        return None


def told_lengths(entries: Placed, clips: Sequence[FoundClip], times: Mapping[int, FrameTimes]) -> list[Note]:
    """A doubt if videos do not have the length in a table: they were cut or joined after the annotation."""
    lengths = {clip: float(entry.length) for clip, entry in entries if entry.length is not None}
    differing = []
    for clip, length in lengths.items():
        seconds = times[clip].end if clip in times else length
        if abs(seconds - length) > max(SLACK, SLACK_SHARE * length):
            differing.append(f"{clips[clip].name} lasts {seconds:.1f} s, but lasted {length:.1f} s for the coder")
    if not differing:
        return []
    text = "{} videos have another length than when they were annotated, so times may be wrong"
    return [Note(text, (len(differing),), differing[0])]


def told_ends(
    entries: Placed, clips: Sequence[FoundClip], times: Mapping[int, FrameTimes], unit: str | None
) -> list[Note]:
    """A doubt if annotations end after their video, and no length explains it. ``unit`` is that of all, if not None."""
    latest: dict[int, float] = {}
    for clip, entry in entries:
        scale = {"seconds": 1, "milliseconds": 1000}.get(unit or entry.unit)
        if clip in times and scale and entry.length is None and (end := clock_seconds(entry.end)) is not None:
            latest[clip] = max(float(end) / scale, latest.get(clip, 0))
    late = {clip: end for clip, end in latest.items() if end > times[clip].end + SLACK}
    if not late:
        return []
    clip, end = next(iter(late.items()))
    example = f"{clips[clip].name} lasts {times[clip].end:.1f} s, but an annotation ends at {end:.1f} s"
    return [Note("{} files have annotations that end after them, so times may be wrong", (len(late),), example)]


def settled_unit(folder: Path, entries: Placed, clips: Sequence[FoundClip]) -> tuple[str | None, list[Note]]:
    """The unit of annotations whose unit is a guess (None: as they say), and a doubt about it.

    They are frames, unless they go beyond the frames of their videos and are milliseconds within them.
    """
    guessed = [(clip, whole(entry.start), whole(entry.end)) for clip, entry in entries if entry.guessed]
    guessed = [(clip, start, end) for clip, start, end in guessed if start is not None and end is not None]
    ends: dict[int, int] = {}
    for clip, _, end in guessed:
        ends[clip] = max(end, ends.get(clip, 0))
    lengths = {}
    for clip in sorted(ends, key=ends.__getitem__, reverse=True)[:MOST_VIDEOS]:
        video = video_of(folder, clips[clip])
        if video and video.times:
            lengths[clip] = video.n_frames, video.times.end
    if not lengths:
        return None, []
    beyond = next((clip for clip, (frames, _) in lengths.items() if ends[clip] >= frames), None)
    if beyond is not None:
        example = f"the first is {ends[beyond]} in {clips[beyond].name}, which has {lengths[beyond][0]} frames"
        within = all(ends[clip] <= 1000 * seconds for clip, (_, seconds) in lengths.items())
        unit = "milliseconds" if within else "frames"
        text = f"start and end have no unit, and are beyond the frames of videos; they are taken as {unit}. {_HINT}"
        return unit, [Note(text, (), example)]
    plausible = []
    if all(ends[clip] <= seconds for clip, (_, seconds) in lengths.items()):
        plausible.append("seconds")
    if median(end - start for _, start, end in guessed) >= SHORTEST:
        plausible.append("milliseconds")
    if not plausible:
        return None, []
    could = " or ".join(plausible)
    return None, [Note(f"start and end have no unit. They are taken as frames, but could as well be {could}. {_HINT}")]
