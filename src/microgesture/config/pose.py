"""The methods that find keypoints in videos."""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class PoseMethod:
    """A method that finds keypoints in videos, with the points of a ``layout`` of the package.

    If the network finds other points, ``converted`` is the layout of these. ``module`` has a function
    ``finder(weights)`` that returns a ``pose.methods.Finder``; it is not imported here. The ``packages`` are installed
    by the extra ``extra`` of this project. A frame may take ``seconds``, besides its decoding. ``has_weights`` is true
    if ``pose_weights`` of a corpus may name a folder with the networks, ``in_space`` if points also have x, y and z in
    metres, and ``several`` if it finds everybody in a frame and not one person.
    """

    name: str
    title: str
    module: str
    packages: tuple[str, ...]
    extra: str
    seconds: float
    layout: str = "openpose_137"
    converted: str | None = None
    has_weights: bool = False
    in_space: bool = False
    several: bool = False

    @property
    def layouts(self) -> tuple[str, ...]:
        """The layouts of the package on which its points depend."""
        return (self.layout, self.converted) if self.converted else (self.layout,)


POSE_METHODS = {
    method.name: method
    for method in (
        # One core needs 0.06 s at 256 x 256.
        PoseMethod(
            "mediapipe",
            "MediaPipe",
            "microgesture.pose.holistic",
            ("mediapipe",),
            "pose",
            seconds=2,
            converted="mediapipe_holistic",
        ),
        PoseMethod(
            "mediapipe_world",
            "MediaPipe",
            "microgesture.pose.world",
            ("mediapipe",),
            "pose",
            seconds=2,
            layout="mediapipe_pose",
            in_space=True,
        ),
        PoseMethod(
            "rtmw",
            "RTMW",
            "microgesture.pose.rtmw",
            ("rtmlib", "onnxruntime"),
            "rtmw",
            seconds=30,
            converted="coco_wholebody",
            has_weights=True,
            several=True,
        ),
    )
}
PoseName = Literal[*POSE_METHODS]
