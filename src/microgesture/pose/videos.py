"""Keypoints of whole videos, each found in another process, so that a bad file costs nothing but itself."""

import logging
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np

from ..errors import UnusableClip
from ..videos.isolation import Isolated, ProcessEnded
from ..videos.reading import DECODER_MEMORY, decoding_seconds
from .holistic import Spans, finder, require_mediapipe
from .mapping import NAMES

log = logging.getLogger(__name__)

MEMORY = DECODER_MEMORY + (2 << 30)  # bytes that a process may take; MediaPipe takes a sixth of its part
SECONDS = 2  # the longest for a frame, over its decoding; it is 0.06 s on one core at 256 x 256


def keypoints_of_videos(spans: Mapping[Path, Spans]) -> Iterator[tuple[Path, np.ndarray | UnusableClip]]:
    """Each video with its keypoints, float32 (T, 137, 3) as ``in_openpose_order`` says, up to the end of its last span.

    ``spans`` are the frames to look at: of a video of 100 frames, ``[(0, 99)]`` are all. In frames between them, and
    where nobody is found, all points are (0, 0, 0). A video that is damaged, or that takes more than two seconds a
    frame or 6 GiB, has keypoints up to the end of the last span before that. If there is none, or if nobody is found in
    any frame, it has the reason instead. What is found depends on the video and its spans alone. Raises ``InputError``
    without MediaPipe.
    """
    require_mediapipe()
    with Isolated(finder, MEMORY) as isolated:
        for video, of_video in spans.items():
            try:
                yield video, _keypoints(isolated, video, of_video)
            except UnusableClip as reason:
                yield video, reason


def _keypoints(isolated: Isolated, video: Path, spans: Spans) -> np.ndarray:
    length = 1 + max(last for _, last in spans)
    keypoints_TVC, there = np.zeros((length, len(NAMES), 3), np.float32), 0
    try:
        for index, found_VC in isolated.each(video, spans, seconds=decoding_seconds(length) + SECONDS * length):
            keypoints_TVC[index], there = found_VC, index + 1
    except UnusableClip as trouble:
        reason = UnusableClip(f"{video}: {trouble}") if isinstance(trouble, ProcessEnded) else trouble
        whole = [last for _, last in spans if last < there]
        if not whole:
            raise reason from None
        log.warning("%s; the %d of its %d spans that end before are kept", reason, len(whole), len(spans))
        keypoints_TVC = keypoints_TVC[: 1 + max(whole)]
    if not keypoints_TVC.any():
        raise UnusableClip(
            f"{video}: MediaPipe found nobody in it; see whether a person is in the picture, upright and not too small"
        )
    return keypoints_TVC
