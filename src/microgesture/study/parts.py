"""Parts of recordings: the frames between a start and an end, in frames or in time."""

import math
import re
from functools import cached_property
from pathlib import Path

from ..corpora.listing import whole
from ..errors import UnusableClip
from ..videos.reading import VideoInfo, probe

_CLOCK = re.compile(r"(?:(?:(\d+):)?(\d+):)?(\d+(?:[.,]\d+)?)")


class Ruler:
    """Converts the borders of a part of a video into frames; ``video`` is opened only for times."""

    def __init__(self, video: Path | None) -> None:
        self._video = video

    def frames(self, start: str, end: str, unit: str) -> tuple[int, int] | None:
        """The first and the last frame (from 0, the last included), or None if the texts are not valid.

        The end of a time range is not included, and the frame rate is the mean of the video. Raises ``UnusableClip``
        for times if there is no video or if it cannot be read.
        """
        if unit == "frames":
            borders = whole(start.strip()), whole(end.strip())
        else:
            borders = _seconds(start, unit), _seconds(end, unit)
        if None in borders:
            return None
        first, last = borders if unit == "frames" else self._at(*borders)
        return (first, last) if 0 <= first <= last else None

    def _at(self, start: float, end: float) -> tuple[int, int]:
        fps, n_frames = self._info.fps, self._info.n_frames
        first, last = round(start * fps), math.ceil(end * fps - 1e-6) - 1
        return first, min(last, n_frames - 1) if n_frames else last

    @cached_property
    def _info(self) -> VideoInfo:
        if self._video is None:
            raise UnusableClip("keypoints have no frame rate, so times cannot be used; give frames")
        info = probe(self._video)
        if not info.fps:
            raise UnusableClip(f"{self._video}: the video has no frame rate, so times cannot be used; give frames")
        return info


def _seconds(text: str, unit: str) -> float | None:
    found = _CLOCK.fullmatch(text.strip())
    if not found:
        return None
    hours, minutes, seconds = (float((part or "0").replace(",", ".")) for part in found.groups())
    return (3600 * hours + 60 * minutes + seconds) / (1000 if unit == "milliseconds" else 1)
