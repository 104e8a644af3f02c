"""When the frames of a video are shown: the times come from its packets, which are read but not decoded."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple, Self

import av
import numpy as np
from av.container import InputContainer
from av.stream import Disposition
from av.video.stream import VideoStream

from ..errors import UnusableClip
from ..terminal import counted

EXACT = 0.001  # seconds; Matroska and others store times in whole milliseconds
EVEN = 0.25  # of a frame; below a half, times and the mean rate give the same frames
RESET = 0.5  # seconds; a later packet that is so much earlier begins a part with a clock of its own
LATEST = 5  # intervals whose median is the duration of the last frame, which few files store


@dataclass(frozen=True, eq=False)
class FrameTimes:
    """When each frame of a recording is shown, in seconds from the start of its file.

    ``starts_T`` are the times, float64 (T,), in order. A frame is shown until the next one, and the last one until
    ``end``.
    """

    starts_T: np.ndarray
    end: float

    @classmethod
    def constant(cls, rate: float, n_frames: int, start: float = 0.0) -> Self:
        """The times of frames at a constant rate, in frames per second, from ``start`` on."""
        return cls(start + np.arange(n_frames) / rate, start + n_frames / rate)

    @classmethod
    def of(cls, starts_T: np.ndarray, rate: float | None) -> Self:
        """The times of frames that start at ``starts_T``; exact if they are the rounded times of ``rate``."""
        if rate and np.abs(starts_T - starts_T[0] - np.arange(len(starts_T)) / rate).max() <= EXACT:
            return cls.constant(rate, len(starts_T), float(starts_T[0]))
        intervals = np.diff(starts_T)
        last = float(np.median(intervals[-LATEST:])) if len(intervals) else 1 / (rate or 1)
        return cls(starts_T, float(starts_T[-1]) + last)

    def __len__(self) -> int:
        return len(self.starts_T)

    @cached_property
    def ends_T(self) -> np.ndarray:  # noqa: N802
        """When each frame ends, float64 (T,)."""
        return np.append(self.starts_T[1:], self.end)

    @cached_property
    def rate(self) -> float:
        """The mean rate in frames per second."""
        return self.rate_of(0, len(self) - 1)

    def rate_of(self, first: int, last: int) -> float:
        """The mean rate of the frames ``first`` to ``last``, included, in frames per second."""
        start, end = self.seconds(first, last)
        return round((last - first + 1) / max(end - start, 1e-6), 6)

    @cached_property
    def is_constant(self) -> bool:
        """Whether all frames are less than a quarter of a frame away from the times of their mean rate."""
        grid_T = self.starts_T[0] + np.arange(len(self)) / self.rate
        return bool(np.abs(self.starts_T - grid_T).max() < EVEN / self.rate)

    def seconds(self, first: int, last: int) -> tuple[float, float]:
        """The start of the frame ``first`` and the end of the frame ``last``, in seconds."""
        return float(self.starts_T[first]), float(self.ends_T[last])

    def frames(self, start: float, end: float) -> tuple[int, int] | None:
        """The first and the last frame shown from ``start`` to ``end``, in seconds; None if no frame is shown then.

        A frame belongs to the times that contain its middle. So the times of a frame, even if rounded to milliseconds,
        give this frame. A range without any middle gives the frame that is shown in the middle of the range.
        """
        middles_T = (self.starts_T + self.ends_T) / 2
        first, after = (int(place) for place in np.searchsorted(middles_T, (start, end)))
        if first < after:
            return first, after - 1
        middle = (start + end) / 2
        if start < end and self.starts_T[0] <= middle < self.end:
            shown = int(np.searchsorted(self.starts_T, middle, side="right")) - 1
            return shown, shown
        return None

    def resampled(self, first: int, last: int, rate: float) -> np.ndarray:
        """The frames from ``first`` to ``last`` that are nearest to the times of a constant rate, int32 (n,).

        The times begin with the frame ``first`` and last as long as the frames do. Of two equally near frames, the
        earlier one is taken.
        """
        start, end = self.seconds(first, last)
        wanted_N = start + np.arange(max(round((end - start) * rate), 1)) / rate
        borders_T = (self.starts_T[first:last] + self.starts_T[first + 1 : last + 1]) / 2
        return (first + np.searchsorted(borders_T, wanted_N - 1e-6)).astype(np.int32)


def told_uneven(times: Mapping[str, FrameTimes]) -> list[str]:
    """One sentence, without a full stop, about the videos, by name, whose rate varies; none if it does not."""
    uneven = {name: of.rate for name, of in times.items() if not of.is_constant}
    if not uneven:
        return []
    first, rate = next(iter(uneven.items()))
    return [
        f"the frame rate of {counted(len(uneven), 'video')} varies (the first is {first}, with {rate:.4g} frames per "
        "second on average), so times are those in the file"
    ]


class _Stamp(NamedTuple):
    """Whether a coded frame is shown, its times in the time base of the stream, and its duration."""

    shown: bool
    pts: int | None
    dts: int | None
    duration: int


def video_streams(container: InputContainer) -> list[VideoStream]:
    """The videos in a file, without cover pictures, which may come before them."""
    return [stream for stream in container.streams.video if not stream.disposition & Disposition.attached_pic]


def indexed_times(container: InputContainer) -> FrameTimes | None:
    """The times in the index of an mp4 or AVI file, which is read without the frames; None if it is not complete.

    They are decoding times: as even or uneven as the presentation times, but not always the same.
    """
    stream = video_streams(container)[0]
    if not container.format.name.startswith(("mov", "avi")) or not stream.frames:
        return None
    times = sorted(entry.timestamp for entry in stream.index_entries if not entry.is_discard)
    return FrameTimes.of(np.array(times) * float(stream.time_base), _header_rate(container)) if times else None


def read_times(
    container: InputContainer, packets: Iterable[av.Packet], first: int | None, path: Path | str
) -> tuple[int, FrameTimes | None]:
    """Return the number of frames that are shown, and their times; None if the file has neither times nor a rate.

    ``first`` is the presentation time of the first decoded frame in the time base of the stream: earlier ones need
    frames that were cut off. Raises ``UnusableClip`` if the header declares more frames: the file has been cut off.
    """
    stream = video_streams(container)[0]
    indexed = len(stream.index_entries)
    # Only their times are kept: all packets together are the file, which may be larger than the memory.
    stamps = [
        _Stamp(packet.size > 0 and not packet.is_discard, packet.pts, packet.dts, packet.duration or 0)
        for packet in packets
        if packet.size > 0 or packet.dts is not None
    ]
    stamps = _continued(stamps, stream.time_base)
    shown = [stamp for stamp in stamps if stamp.shown]
    if _is_cut_off(container, stamps, shown, indexed):
        raise UnusableClip(f"{path}: the file ends after {len(shown)} frames, but its header declares more")
    is_avi = container.format.name == "avi"  # it has no presentation times
    if first is not None and not is_avi:
        shown = [stamp for stamp in shown if stamp.pts is None or stamp.pts >= first]
    rate = _header_rate(container)
    ticks = None if is_avi else _known([stamp.pts for stamp in shown])
    if ticks is None and (ticks := _known([stamp.dts for stamp in shown])) and not is_avi and first is not None:
        ticks = [tick + first - ticks[0] for tick in ticks]
    if ticks is None:
        return len(shown), FrameTimes.constant(rate, len(shown)) if shown and rate else None
    starts_T = np.array(ticks) * float(stream.time_base)
    # Times count from the start of the file, which may be the start of its sound.
    start = (container.start_time or 0) / av.time_base
    return len(shown), FrameTimes.of(starts_T - min(start, starts_T[0]), rate)


def _header_rate(container: InputContainer) -> float | None:
    rate = video_streams(container)[0].average_rate
    return float(rate) if rate else None


def _known(ticks: list[int | None]) -> list[int] | None:
    return None if not ticks or None in ticks else sorted(ticks)


def _continued(stamps: list[_Stamp], time_base: Fraction) -> list[_Stamp]:
    """Let the clock of each part of a joined file continue that of the part before it, as players do."""
    later, before, step, continued = 0, None, 0, []
    for stamp in stamps:
        now = stamp.pts if stamp.dts is None else stamp.dts
        if now is not None:
            if before is not None and (now + later - before) * time_base < -RESET:
                later = before + step - now
            step = step if before is None else now + later - before
            before = now + later
        if later:
            stamp = stamp._replace(pts=_added(stamp.pts, later), dts=_added(stamp.dts, later))
        continued.append(stamp)
    return continued


def _added(tick: int | None, later: int) -> int | None:
    return None if tick is None else tick + later


def _is_cut_off(container: InputContainer, stamps: list[_Stamp], shown: list[_Stamp], indexed: int) -> bool:
    """Whether the header declares more frames than there are; ``indexed`` are the frames in the index of the file."""
    stream, end = video_streams(container)[0], _promised_end(container)
    if container.format.name == "avi":  # its header also counts the places of frames that were left out
        places = max((stamp.dts + 1 for stamp in stamps if stamp.dts is not None), default=0)
        return places < stream.frames and indexed != len(stamps)
    if end is None:
        return len(stamps) < stream.frames
    # In a complete file, an edit list may leave out frames, but the last one still ends at the declared time.
    left = end - _end(shown, stream.time_base)
    return not 0 < stream.frames <= len(shown) and left > 0.5 / (stream.average_rate or 1)


def _promised_end(container: InputContainer) -> Fraction | None:
    """Return the time at which the last frame ends by the header, in seconds; None if the container has none."""
    stream = video_streams(container)[0]
    if container.format.name.startswith("mov") and stream.duration:
        return ((stream.start_time or 0) + stream.duration) * stream.time_base
    written = re.fullmatch(r"(\d+):(\d+):(\d+)(\.\d+)?", stream.metadata.get("DURATION", ""))  # of Matroska
    if written:
        hours, minutes, seconds, fraction = written.groups()
        return int(hours) * 3600 + int(minutes) * 60 + int(seconds) + Fraction(fraction or 0)
    return None


def _end(stamps: list[_Stamp], time_base: Fraction) -> Fraction:
    """Return the time at which the last frame ends, in seconds; an unknown duration counts as the longest of all."""
    known = sorted((stamp.pts, stamp.duration) for stamp in stamps if stamp.pts is not None)
    if not known:
        return Fraction(0)
    longest = max((after[0] - before[0] for before, after in pairwise(known)), default=0)
    time, duration = known[-1]
    return (time + (duration or longest)) * time_base
