"""Run MediaPipe Pose (arXiv 2006.10204) on the frames of videos: 33 points of the body, in pixels and in metres."""

from typing import Any

import numpy as np

from ..skeletons.layouts import layout_named
from ..videos.reading import decode_spans
from .holistic import VISIBLE, each_frame, mediapipe_without_warnings
from .methods import Finder

LAYOUT = layout_named("mediapipe_pose")


def finder(weights: None = None) -> Finder:
    """Return a function that finds a person in a video, each frame as float32 (V, 6); see ``points_in_space``.

    Call it in a separate process, as it discards standard error. The ``weights`` are those in the package.
    """
    pose = mediapipe_without_warnings().solutions.pose
    return lambda video, spans: each_frame(
        decode_spans(video, spans), lambda: pose.Pose(model_complexity=1), points_in_space
    )


def points_in_space(answer: Any, width: int, height: int) -> np.ndarray:
    """Convert MediaPipe's result for a frame to (V, 6): x, y in pixels, confidence, and x, y, z in metres.

    The origin of the metres is the middle of the hips; x points to the right of the picture, y down, and z away from
    the camera. Neck and mid hip are means. A point with a visibility below 0.5 or outside the picture is all zero.
    """
    points_VC = np.zeros((LAYOUT.points, 6), np.float32)
    if answer.pose_landmarks and answer.pose_world_landmarks:
        pairs = zip(answer.pose_landmarks.landmark, answer.pose_world_landmarks.landmark, strict=True)
        for point_C, (seen, placed) in zip(points_VC, pairs, strict=True):
            if seen.visibility >= VISIBLE and 0 <= seen.x < 1 and 0 <= seen.y < 1:
                pixels = seen.x * width, seen.y * height, min(seen.visibility, 1.0)
                point_C[:] = *pixels, placed.x, placed.y, placed.z
    return LAYOUT.named(points_VC[None])[0]
