"""MediaPipe Holistic (arXiv 2006.10204 for its body, 1907.06724 for its face, 2006.10214 for its hands) on frames."""

import importlib.util
import os
import warnings
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from ..errors import InputError
from ..machine.extras import install_hint
from ..videos.reading import decode_spans
from .mapping import SIZES, in_openpose_order

VISIBLE = 0.5  # least visibility of a point of the body; below, MediaPipe's own drawings leave it out
_FIELDS = {f"{part.replace(' ', '_')}_landmarks": part for part in SIZES}

Spans = list[tuple[int, int]]  # first and last frames, from 0, the last included
Finder = Callable[[Path, Spans], Iterator[tuple[int, np.ndarray]]]


def require_mediapipe() -> None:
    """Raise ``InputError`` if MediaPipe is not installed."""
    if importlib.util.find_spec("mediapipe") is None:
        raise InputError(f"keypoints from video need packages that are not installed: {install_hint('pose')}")


def finder() -> Finder:
    """What finds keypoints in a video, for a process of its own, which has no standard error from then on.

    It takes a video and spans of frames, and gives each of their frames, once and in order, as (index, float32
    (137, 3)), see ``in_openpose_order``. Raises ``UnusableClip`` at a frame that cannot be decoded, and ``InputError``
    without MediaPipe.
    """
    mediapipe = _mediapipe()
    with open(os.devnull, "wb") as nowhere:
        # It warns there at every start of a graph and cannot be told not to; errors go another way, see Isolated.
        os.dup2(nowhere.fileno(), 2)
    return lambda video, spans: _in_order(mediapipe, decode_spans(video, spans))


def _mediapipe() -> ModuleType:
    require_mediapipe()
    warnings.filterwarnings("ignore", "SymbolDatabase.GetPrototype", UserWarning)  # its own use of protobuf
    import mediapipe

    if not hasattr(mediapipe, "solutions"):  # as in later versions, which come without weights
        raise InputError(f"this version of MediaPipe has no Holistic with its weights: {install_hint('pose')}")
    return mediapipe


def _in_order(mediapipe: ModuleType, frames: Iterable[tuple[int, np.ndarray]]) -> Iterator[tuple[int, np.ndarray]]:
    """The keypoints (137, 3) of numbered RGB frames uint8 (H, W, 3), with their numbers.

    A person is followed from frame to frame, and looked for anew where the numbers have a gap.
    """
    # What is more exact (model_complexity 2) has no weights in the wheel.
    graph, expected = None, 0
    try:
        for index, frame_HWC in frames:
            if graph is None or index != expected:
                if graph is not None:
                    graph.close()
                # A graph remembers whom it followed: only a new one finds the same whatever came before.
                graph = mediapipe.solutions.holistic.Holistic(model_complexity=1, refine_face_landmarks=True)
            expected = index + 1
            yield index, in_openpose_order(_parts(graph.process(frame_HWC), *frame_HWC.shape[1::-1]))[0]
    finally:
        if graph is not None:
            graph.close()


def _parts(answer: Any, width: int, height: int) -> dict[str, np.ndarray]:
    """MediaPipe's answer for one frame as parts (1, V, 3) in pixels, without what is hidden or outside the frame.

    Face and hands are found or not found as a whole, and their points have no confidence of their own: it is 1.
    """
    parts = {}
    for field, part in _FIELDS.items():
        points_VC = np.zeros((SIZES[part], 3), np.float32)
        if landmarks := getattr(answer, field):
            for point_C, landmark in zip(points_VC, landmarks.landmark, strict=True):
                confidence = landmark.visibility if part == "pose" else 1.0
                if confidence >= VISIBLE and 0 <= landmark.x < 1 and 0 <= landmark.y < 1:
                    point_C[:] = landmark.x * width, landmark.y * height, min(confidence, 1.0)
        parts[part] = points_VC[None]
    return parts
