"""Parts of recordings: the frames between a start and an end, in frames or in time."""

from pathlib import Path

from ..corpora.listing import whole
from ..errors import UnusableClip
from ..videos.reading import probe
from ..videos.timestamps import FrameTimes
from .annotations.timecode import clock_seconds


class Ruler:
    """Converts the borders of a part of a video into frames; ``video`` is opened only for times."""

    def __init__(self, video: Path | None) -> None:
        self._video = video
        self.times: FrameTimes | None = None  # of the video, once a time was given

    def frames(self, start: str, end: str, unit: str) -> tuple[int, int] | None:
        """The first and the last frame (from 0, the last included), or None if the texts are not valid.

        The end of a time range is not included; for times see ``FrameTimes.frames``. Raises ``UnusableClip`` for times
        if there is no video or if it cannot be read.
        """
        if unit == "frames":
            borders = whole(start.strip()), whole(end.strip())
        else:
            borders = _seconds(start, unit), _seconds(end, unit)
        if None in borders:
            return None
        if unit != "frames":
            return self._read_times().frames(*borders)
        first, last = borders
        return (first, last) if 0 <= first <= last else None

    def _read_times(self) -> FrameTimes:
        if self._video is None:
            raise UnusableClip("keypoints have no frame rate, so times cannot be used; give frames")
        if self.times is None:
            self.times = probe(self._video, count=True).times
        if self.times is None:
            raise UnusableClip(f"{self._video}: the video has no times of frames; give frames")
        return self.times


def _seconds(text: str, unit: str) -> float | None:
    seconds = clock_seconds(text)
    return None if seconds is None else float(seconds / 1000 if unit == "milliseconds" else seconds)
