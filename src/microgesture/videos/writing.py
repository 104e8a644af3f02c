"""Write videos of any length picture by picture; equal pictures give equal bytes."""

from collections.abc import Iterable
from fractions import Fraction
from itertools import chain
from pathlib import Path

import av
import numpy as np

from ..storage.files import replacing

TICKS = 90_000  # a second, as usual for H.264


def write_video(
    path: Path, pictures: Iterable[np.ndarray], fps: float, quick: bool = False, times: np.ndarray | None = None
) -> None:
    """Write RGB pictures, uint8 (H, W, 3) of one size, as H.264 in an mp4 that a browser can play while loading it.

    Only one picture is held in memory, besides those that the encoder keeps. The last line of pixels is repeated along
    an odd side, because yuv420p needs even sides. ``quick`` takes less time but gives a larger file with its index at
    the end, which is enough for videos that only programs read. With ``times``, (T,) in seconds from the start of the
    video, each picture is shown at its time, and the first one from the start; ``fps`` is then their mean rate. Raises
    ``ValueError`` if there are no pictures.
    """
    evened = map(_even, pictures)
    first_HWC = next(evened, None)
    if first_HWC is None:
        raise ValueError(f"{path}: a video needs at least one picture")
    preset, crf = ("ultrafast", "26") if quick else ("veryfast", "23")
    options = {"fflags": "+bitexact"} if quick else {"fflags": "+bitexact", "movflags": "+faststart"}
    with replacing(path) as temporary, av.open(str(temporary), "w", format="mp4", options=options) as file:
        # For equal bytes: one thread, and no mbtree, which reads uninitialised memory.
        coding = {"preset": preset, "crf": crf, "threads": "1", "x264-params": "mbtree=0"}
        stream = file.add_stream("libx264", rate=Fraction(fps).limit_denominator(1001), options=coding)
        stream.height, stream.width = first_HWC.shape[:2]
        stream.pix_fmt = "yuv420p"
        if times is not None:
            stream.codec_context.time_base = Fraction(1, TICKS)
        tick = -1
        for number, picture_HWC in enumerate(chain([first_HWC], evened)):
            frame = av.VideoFrame.from_ndarray(picture_HWC, format="rgb24")
            if times is not None:
                tick = max(round(times[number] * TICKS), tick + 1) if number else 0
                frame.pts, frame.time_base = tick, Fraction(1, TICKS)
            file.mux(stream.encode(frame))
        file.mux(stream.encode())


def _even(picture_HWC: np.ndarray) -> np.ndarray:
    height, width = picture_HWC.shape[:2]
    return np.pad(picture_HWC, ((0, height % 2), (0, width % 2), (0, 0)), "edge")
