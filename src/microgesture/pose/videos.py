"""Keypoints of whole videos, found in a separate process, so that a bad file does not affect the others."""

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

MEMORY = DECODER_MEMORY + (2 << 30)  # limit in bytes for a process; MediaPipe needs a sixth of its 2 GiB
SECONDS = 2  # limit for a frame, besides its decoding; one core needs 0.06 s at 256 x 256


def keypoints_of_videos(spans: Mapping[Path, Spans]) -> Iterator[tuple[Path, np.ndarray | UnusableClip]]:
    """Yield each video with its keypoints, float32 (T, 137, 3), see ``in_openpose_order``, up to the end of its spans.

    ``spans`` are the frames to process: ``[(0, 99)]`` are all frames of a video of 100. In frames between the spans,
    and in those without a person, all points are (0, 0, 0). A video that is damaged, or that takes more than two
    seconds for each frame or more than 6 GiB, has keypoints up to the last span that is complete. If there is no such
    span, or no person in any frame, the reason is yielded instead. The result depends on the video and its spans only.
    Raises ``InputError`` without MediaPipe.
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
        log.warning("%s; the %d of its %d spans that end before that are kept", reason, len(whole), len(spans))
        keypoints_TVC = keypoints_TVC[: 1 + max(whole)]
    if not keypoints_TVC.any():
        raise UnusableClip(
            f"{video}: MediaPipe found no person; check that a person is visible, upright and not too small"
        )
    return keypoints_TVC
