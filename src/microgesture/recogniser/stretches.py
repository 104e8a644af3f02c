"""Split a long video into stretches, each stored as a video, so that it is decoded only once."""

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path

import av
import numpy as np

from ..storage.disk import disk_room
from ..videos.isolation import Isolated
from ..videos.reading import DECODER_MEMORY, decode, decoding_seconds

Span = tuple[int, int]  # first and last frame, from 0, the last included
# Lossless (H.264 in RGB, without quantisation), so that a stretch gives the same frames as the video.
LOSSLESS = {"preset": "ultrafast", "qp": "0", "threads": "1"}


def each_stretch(video: Path, spans: Sequence[Span], folder: Path) -> Iterator[Path]:
    """Yield one video for each span of a video, with the frames of the span only, in the order of the spans.

    Spans are sorted and may overlap. Each stretch is written when it is requested, so that a caller who deletes the
    previous one keeps only those that overlap on disk. The video is decoded in a separate process. Raises
    ``UnusableClip`` at the first frame that cannot be decoded.
    """
    with Isolated(partial(_cutter, video, tuple(spans), folder), 2 * DECODER_MEMORY) as isolated:
        for first, last in spans:
            yield isolated.do(seconds=2 * decoding_seconds(last - first + 1))


def _cutter(video: Path, spans: Sequence[Span], folder: Path) -> Callable[[], Path]:
    stretches = _stretches(video, spans, folder)

    def cut() -> Path:
        with disk_room(folder):
            return next(stretches)

    return cut


def _stretches(video: Path, spans: Sequence[Span], folder: Path) -> Iterator[Path]:
    frames = enumerate(decode(video, 0, max(last for _, last in spans)))
    writers: dict[int, _Writer] = {}
    number = -1
    for place, (_, last) in enumerate(spans):
        while number < last:
            number, frame_HWC = next(frames)
            for other in range(place, len(spans)):
                if spans[other][0] > number:
                    break
                if number <= spans[other][1]:
                    if other not in writers:
                        writers[other] = _Writer(folder / f"{other:06d}.mkv", frame_HWC.shape)
                    writers[other].write(frame_HWC)
        yield writers.pop(place).close()


class _Writer:
    def __init__(self, path: Path, shape: Sequence[int]) -> None:
        self._path = path
        self._file = av.open(str(path), "w", format="matroska")
        self._stream = self._file.add_stream("libx264rgb", rate=25, options=LOSSLESS)
        self._stream.height, self._stream.width = shape[:2]
        self._stream.pix_fmt = "rgb24"

    def write(self, frame_HWC: np.ndarray) -> None:
        self._file.mux(self._stream.encode(av.VideoFrame.from_ndarray(frame_HWC, format="rgb24")))

    def close(self) -> Path:
        self._file.mux(self._stream.encode())
        self._file.close()
        return self._path
