"""The video of a recording as H.264 for browsers, beside its page."""

from collections.abc import Callable
from functools import partial
from pathlib import Path

import cv2

from ..errors import UnusableClip
from ..progress import progress
from ..videos.reading import DECODER_MEMORY, decode, decoding_seconds
from ..videos.writing import write_video
from .windows import Recording, isolated

LARGEST_SIDE = 1280  # pixels; larger pictures are shrunk


def write_film(recording: Recording, output: Path) -> None:
    """Write a recording's video as H.264 that a browser can play while loading it, with the times of its frames.

    It is decoded and encoded frame by frame in a separate process. Raises ``UnusableClip`` if it cannot be decoded.
    """
    if recording.video is None:
        raise UnusableClip(f"{recording.name} has no video to show")
    # Encoding gets as much time again as decoding.
    seconds = 2 * decoding_seconds(recording.n_frames)
    isolated(recording.video, partial(_writer, recording, output), seconds, 2 * DECODER_MEMORY)


def picture_size(width: int, height: int) -> tuple[int, int]:
    """Return the width and height of the picture: even, for yuv420p, and not larger than needed."""
    scale = min(LARGEST_SIDE / max(width, height), 1.0)
    return max(round(width * scale / 2) * 2, 2), max(round(height * scale / 2) * 2, 2)


def _writer(recording: Recording, output: Path) -> Callable[[str], int]:
    """Return a function that writes the film of a path and returns its number of frames."""

    def written(path: str) -> int:
        size = picture_size(recording.width, recording.height)
        decoded = decode(path, 0, recording.n_frames - 1)
        frames = progress(decoded, f"film of {recording.name}", recording.n_frames, "frame", part=True)
        pictures = (cv2.resize(frame_HWC, size, interpolation=cv2.INTER_AREA) for frame_HWC in frames)
        times = recording.times
        is_regular = times.is_constant and times.starts_T[0] == 0
        write_video(output, pictures, times.rate, times=None if is_regular else times.starts_T)
        return recording.n_frames

    return written
