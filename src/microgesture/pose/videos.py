"""Keypoints of whole videos, each found in another process, so that a bad file costs nothing but itself."""

from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np

from ..errors import UnusableClip
from ..isolation import Isolated, ProcessEnded
from ..video import DECODER_MEMORY, decoding_seconds
from .holistic import Spans, finder, require_mediapipe

MEMORY = DECODER_MEMORY + (2 << 30)  # bytes that a process may take; MediaPipe takes a sixth of its part
SECONDS = 2  # the longest for a frame, over its decoding; it is 0.05 s on one core at 256 x 256


def keypoints_of_videos(spans: Mapping[Path, Spans]) -> Iterator[tuple[Path, np.ndarray | UnusableClip]]:
    """Each video with its keypoints, float32 (T, 137, 3) as ``in_openpose_order`` says, up to the end of its last span.

    ``spans`` are the frames to look at: of a video of 100 frames, ``[(0, 99)]`` are all. In frames between them, and
    where nobody is found, all points are (0, 0, 0). A video that cannot be decoded, in which nobody is found at all, or
    that takes more than two seconds a frame or 6 GiB gives the reason instead. What is found depends on the video and
    its spans alone. Raises ``InputError`` without MediaPipe.
    """
    require_mediapipe()
    with Isolated(finder, MEMORY) as isolated:
        for video, of_video in spans.items():
            length = 1 + max(last for _, last in of_video)
            seconds = decoding_seconds(length) + SECONDS * length
            try:
                keypoints_TVC = isolated.do(video, of_video, seconds=seconds)
            except ProcessEnded as ending:
                yield video, UnusableClip(f"{video}: {ending}")
            except UnusableClip as reason:
                yield video, reason
            else:
                yield video, keypoints_TVC if keypoints_TVC.any() else _nobody(video, of_video)


def _nobody(video: Path, spans: Spans) -> UnusableClip:
    frames = len({frame for first, last in spans for frame in range(first, last + 1)})
    return UnusableClip(
        f"{video}: MediaPipe found nobody in the {frames} frames that it was shown; see whether a person is in the "
        "picture, upright and not too small"
    )
