"""Run MediaPipe Holistic (arXiv 2006.10204: body, 1907.06724: face, 2006.10214: hands) on the frames of videos."""

import os
import warnings
from collections.abc import Callable, Iterable, Iterator
from types import ModuleType
from typing import Any

import numpy as np

from ..errors import InputError
from ..machine.extras import install_hint
from ..videos.reading import decode_spans
from .mapping import SIZES, in_openpose_order
from .methods import Finder

VISIBLE = 0.5  # least visibility of a point of the body; MediaPipe's own drawings omit points below it
_FIELDS = {f"{part.replace(' ', '_')}_landmarks": part for part in SIZES}


def finder(weights: None = None) -> Finder:
    """Return a function that finds keypoints in a video; call it in a separate process, as it discards standard error.

    The function takes a video and spans of frames, and yields each frame of the spans, once and in order, as (index,
    float32 (137, 3)), see ``in_openpose_order``. It raises ``UnusableClip`` at a frame that cannot be decoded. The
    ``weights`` are those in the package.
    """
    mediapipe = mediapipe_without_warnings()
    return lambda video, spans: holistic_points(mediapipe, decode_spans(video, spans))


def mediapipe_without_warnings() -> ModuleType:
    """Return MediaPipe, after discarding standard error; raises ``InputError`` if it has no weights."""
    mediapipe = imported_mediapipe()
    with open(os.devnull, "wb") as nowhere:
        # MediaPipe writes warnings there at each start of a graph, with no setting to stop it. For errors see Isolated.
        os.dup2(nowhere.fileno(), 2)
    return mediapipe


def imported_mediapipe() -> ModuleType:
    """Return MediaPipe; raises ``InputError`` if it has no weights."""
    warnings.filterwarnings("ignore", "SymbolDatabase.GetPrototype", UserWarning)  # from MediaPipe's use of protobuf
    import mediapipe

    if not hasattr(mediapipe, "solutions"):  # as in later versions, which contain no weights
        raise InputError(f"this version of MediaPipe lacks Holistic and its weights: {install_hint('pose')}")
    return mediapipe


Frames = Iterable[tuple[int, np.ndarray]]  # RGB frames uint8 (H, W, 3) with their numbers


def holistic_points(mediapipe: ModuleType, frames: Frames) -> Iterator[tuple[int, np.ndarray]]:
    """Yield the keypoints (137, 3) of frames, with their numbers."""

    def start() -> Any:
        # The wheel has no weights for the more accurate model_complexity 2.
        return mediapipe.solutions.holistic.Holistic(model_complexity=1, refine_face_landmarks=True)

    return each_frame(frames, start, lambda answer, *size: in_openpose_order(_parts(answer, *size))[0])


def each_frame(
    frames: Frames, start: Callable[[], Any], points: Callable[[Any, int, int], np.ndarray]
) -> Iterator[tuple[int, np.ndarray]]:
    """Yield the number of each frame, and the points of the answer of one of MediaPipe's graphs.

    A graph tracks a person from frame to frame; after a gap in the numbers it detects the person again. ``start``
    returns a graph, and ``points`` takes its answer, and the width and height of the frame.
    """
    graph, expected = None, 0
    try:
        for index, frame_HWC in frames:
            if graph is None or index != expected:
                if graph is not None:
                    graph.close()
                # A graph keeps the person it tracked; only a new graph gives results that do not depend on the past.
                graph = start()
            expected = index + 1
            yield index, points(graph.process(frame_HWC), *frame_HWC.shape[1::-1])
    finally:
        if graph is not None:
            graph.close()


def _parts(answer: Any, width: int, height: int) -> dict[str, np.ndarray]:
    """Convert MediaPipe's result for one frame to parts (1, V, 3) in pixels; hidden points and those outside are 0.

    Face and hands are found or not found as a whole, and their points have no separate confidence, so it is 1.
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
