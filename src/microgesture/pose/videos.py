"""Keypoints of whole videos, found in a separate process, so that a bad file does not affect the others."""

import logging
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path

import numpy as np

from ..errors import UnusableClip
from ..skeletons.file_format import People
from ..skeletons.tracks import Followed, follow
from ..videos.isolation import Isolated, ProcessEnded
from ..videos.reading import DECODER_MEMORY, decoding_seconds
from .methods import Pose, Spans, finder, require

log = logging.getLogger(__name__)

MEMORY = DECODER_MEMORY + (2 << 30)  # limit in bytes for a process; MediaPipe needs a sixth of its 2 GiB

Found = np.ndarray | Followed | UnusableClip


def keypoints_of_videos(spans: Mapping[Path, Spans], pose: Pose) -> Iterator[tuple[Path, Found]]:
    """Yield each video with its keypoints, float32 (T, 137, 3) in OpenPose's order, up to the end of its spans.

    A method that finds several people yields ``Followed``. ``spans`` are the frames to process: ``[(0, 99)]`` are all
    frames of a video of 100. In frames between the spans, and in those without a person, all points are (0, 0, 0). A
    video that is damaged, or that takes more than the seconds of the method for each frame or more than 6 GiB, has
    keypoints up to the last span that is complete. If there is no such span, or no person in any frame, the reason is
    yielded instead. The result depends on the video and its spans only. Raises ``InputError`` if the method's packages
    are missing.
    """
    require(pose)
    with Isolated(partial(finder, pose), MEMORY) as isolated:
        for video, of_video in spans.items():
            try:
                yield video, _keypoints(isolated, video, of_video, pose)
            except UnusableClip as reason:
                yield video, reason


def _keypoints(isolated: Isolated, video: Path, spans: Spans, pose: Pose) -> np.ndarray | Followed:
    length, there = 1 + max(last for _, last in spans), 0
    frames: dict[int, np.ndarray] = {}
    try:
        seconds = decoding_seconds(length) + pose.method.seconds * length
        for index, found in isolated.each(video, spans, seconds=seconds):
            frames[index], there = found, index + 1
    except UnusableClip as trouble:
        reason = UnusableClip(f"{video}: {trouble}") if isinstance(trouble, ProcessEnded) else trouble
        whole = [last for _, last in spans if last < there]
        if not whole:
            raise reason from None
        log.warning("%s; the %d of its %d spans that end before that are kept", reason, len(whole), len(spans))
        length = 1 + max(whole)
    if not any(found.any() for found in frames.values()):
        raise UnusableClip(
            f"{video}: {pose.method.title} found no person; check that a person is visible, upright and not too small"
        )
    return _together(frames, length)


def _together(frames: Mapping[int, np.ndarray], length: int) -> np.ndarray | Followed:
    """Return the frames up to ``length`` as one array; several people are followed."""
    first = next(iter(frames.values()))
    people = max(map(len, frames.values())) if first.ndim == 3 else 1
    keypoints_TPVC = np.zeros((length, people, *first.shape[-2:]), np.float32)
    for index, found in frames.items():
        if index < length:
            keypoints_TPVC[index, : len(found) if found.ndim == 3 else 1] = found
    return follow(People(keypoints_TPVC)) if first.ndim == 3 else keypoints_TPVC[:, 0]
