"""A long video in stretches, each a video of its own: so it is decoded once, whatever its length."""

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path

import av
import numpy as np

from ..videos.isolation import Isolated
from ..videos.reading import DECODER_MEMORY, decode, decoding_seconds

Span = tuple[int, int]  # first and last frame, from 0, the last included
# Every pixel is kept (H.264 in RGB, without quantisation), so that it does not matter which of the two is read.
LOSSLESS = {"preset": "ultrafast", "qp": "0", "threads": "1"}


def each_stretch(video: Path, spans: Sequence[Span], folder: Path) -> Iterator[Path]:
    """The frames of each span of a video, in order of the spans, as a video that holds nothing else.

    Spans are sorted and may overlap. A stretch is made when it is asked for, so that whoever deletes the one before has
    no more on disk than those that overlap. The video is decoded in a process of its own. Raises ``UnusableClip`` where
    it cannot be decoded.
    """
    with Isolated(partial(_cutter, video, tuple(spans), folder), 2 * DECODER_MEMORY) as isolated:
        for first, last in spans:
            yield isolated.do(seconds=2 * decoding_seconds(last - first + 1))


def _cutter(video: Path, spans: Sequence[Span], folder: Path) -> Callable[[], Path]:
    return partial(next, _stretches(video, spans, folder))


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
