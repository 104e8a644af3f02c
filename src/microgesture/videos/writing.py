"""Writing a video picture by picture, so that it may be of any length and equal pictures give equal bytes."""

from collections.abc import Iterable
from fractions import Fraction
from itertools import chain
from pathlib import Path

import av
import numpy as np

from ..storage.files import replacing


def write_video(path: Path, pictures: Iterable[np.ndarray], fps: float, quick: bool = False) -> None:
    """Write RGB pictures, uint8 (H, W, 3) of one size, as H.264 in an mp4 that a browser plays while it loads it.

    Only one picture is held at a time, besides those that the encoder looks back at. Sides that are odd, which yuv420p
    cannot have, get one more line of pixels, like the last. ``quick`` takes less time for a larger file with its index
    at the end, which does for videos that only programs read. Raises ``ValueError`` if there are no pictures.
    """
    evened = map(_even, pictures)
    first_HWC = next(evened, None)
    if first_HWC is None:
        raise ValueError(f"{path}: a video needs a picture")
    preset, crf = ("ultrafast", "26") if quick else ("veryfast", "23")
    options = {"fflags": "+bitexact"} if quick else {"fflags": "+bitexact", "movflags": "+faststart"}
    with replacing(path) as temporary, av.open(str(temporary), "w", format="mp4", options=options) as file:
        # For equal bytes: one thread, and without mbtree, which reads memory that nobody wrote.
        coding = {"preset": preset, "crf": crf, "threads": "1", "x264-params": "mbtree=0"}
        stream = file.add_stream("libx264", rate=Fraction(fps).limit_denominator(1001), options=coding)
        stream.height, stream.width = first_HWC.shape[:2]
        stream.pix_fmt = "yuv420p"
        for picture_HWC in chain([first_HWC], evened):
            file.mux(stream.encode(av.VideoFrame.from_ndarray(picture_HWC, format="rgb24")))
        file.mux(stream.encode())


def _even(picture_HWC: np.ndarray) -> np.ndarray:
    height, width = picture_HWC.shape[:2]
    return np.pad(picture_HWC, ((0, height % 2), (0, width % 2), (0, 0)), "edge")
