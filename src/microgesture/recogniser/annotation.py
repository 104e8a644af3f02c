"""Annotated videos: a band above the picture shows the gesture found at each frame."""

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import cv2
import numpy as np
from PIL import Image, ImageDraw

from ..errors import UnusableClip
from ..progress import progress
from ..videos.lettering import can_write, shortened, width_of, write
from ..videos.reading import DECODER_MEMORY, decode, decoding_seconds
from ..videos.timestamps import FrameTimes
from ..videos.writing import write_video
from .segments import ROUNDING, Segment
from .windows import Recording, isolated

COLOURS = ("#e6194b", "#3cb44b", "#4363d8", "#f58231", "#911eb4", "#008080", "#9a6324", "#808000", "#e377c2", "#17a2c4")
LARGEST_SIDE = 1280  # pixels of the annotated picture; larger ones are shrunk
SIZE = 14  # pixels of the band's letters
NARROWEST = 320  # pixels; on a narrower picture the band would not be readable


def colour_of(label: int) -> str:
    """Return the colour of a class as #rrggbb; it is the same in the video and on the page."""
    return COLOURS[label % len(COLOURS)]


def annotate(recording: Recording, segments: Sequence[Segment], classes: Sequence[str], output: Path) -> None:
    """Write a recording's video with the segments found in it, as H.264 that a browser can play while loading it.

    It is decoded and annotated frame by frame in a separate process. Raises ``UnusableClip`` if it cannot be decoded.
    """
    if recording.video is None:
        raise UnusableClip(f"{recording.name} has no video to annotate")
    start = partial(_annotator, recording, tuple(segments), tuple(classes), output)
    # Drawing and encoding get as much time again as decoding.
    isolated(recording.video, start, 2 * decoding_seconds(recording.n_frames), 2 * DECODER_MEMORY)


def picture_size(width: int, height: int) -> tuple[int, int]:
    """Return the width and height of the annotated picture without its band: even, for yuv420p, and readable."""
    scale = min(LARGEST_SIDE / max(width, height), 1.0)
    scale = max(scale, NARROWEST / width)
    return max(round(width * scale / 2) * 2, 2), max(round(height * scale / 2) * 2, 2)


def bands(
    segments: Sequence[Segment], classes: Sequence[str], times: FrameTimes, width: int
) -> Callable[[int], np.ndarray]:
    """Return a function that draws the band of a frame, uint8 (h, width, 3) RGB, with an even h.

    The band has the class and the probability of the segment at that frame, above a strip of all segments, from the
    start to the end of the file, with a mark at the frame.
    """
    text, strip = 22, 12
    base = Image.new("RGB", (width, text + strip), "#1b1b1b")
    draw = ImageDraw.Draw(base)

    def across(second: float) -> int:
        return min(int(second * width / times.end + ROUNDING), width - 1)

    for segment in segments:
        start, end = times.seconds(segment.start, segment.end)
        corners = (across(start), text + 2, across(end), text + strip - 3)
        draw.rectangle(corners, fill=colour_of(segment.label))
    # A class name that the font cannot write is replaced by the number of the class.
    names = [name if can_write(name) else f"class {label}" for label, name in enumerate(classes)]

    def band(frame: int) -> np.ndarray:
        own = base.copy()
        draw = ImageDraw.Draw(own)
        for segment in segments:
            if segment.start <= frame <= segment.end:
                probability = f"  {segment.probability:.2f}"
                name = shortened(names[segment.label], SIZE, width - 12 - width_of(probability, SIZE))
                write(draw, 6, 3, name + probability, SIZE, "white")
        at = across(times.starts_T[frame])
        draw.line((at, text, at, text + strip), fill="white")
        return np.array(own)

    return band


def _annotator(
    recording: Recording, segments: Sequence[Segment], classes: Sequence[str], output: Path
) -> Callable[[str], int]:
    """Return a function that writes the annotated video of a path and returns its number of frames."""

    def annotated(path: str) -> int:
        size = picture_size(recording.width, recording.height)
        band = bands(segments, classes, recording.times, size[0])
        # The band is above the picture because a player shows its buttons over the lower edge.
        decoded = decode(path, 0, recording.n_frames - 1)
        frames = progress(decoded, f"draw {recording.name}", recording.n_frames, "frame", part=True)
        pictures = (
            np.concatenate((band(number), cv2.resize(frame_HWC, size, interpolation=cv2.INTER_AREA)))
            for number, frame_HWC in enumerate(frames)
        )
        times = recording.times
        is_regular = times.is_constant and times.starts_T[0] == 0
        write_video(output, pictures, times.rate, times=None if is_regular else times.starts_T)
        return recording.n_frames

    return annotated
