"""What a folder that is handed over says of itself: streams, classes and how inputs are made. Light: no torch."""

from typing import Literal

from pydantic import Field

from ..modalities.settings import (
    DepthSettings,
    FaceSettings,
    FlowSettings,
    KeypointSettings,
    RgbSettings,
    TaylorSettings,
)
from ..settings import Settings
from ..stream import TrainStep

MANIFEST, SUMS, CARD = "recogniser.json", "SHA256SUMS", "README.md"
FORMAT = 1


class Member(Settings):
    """A stream of the ensemble, as it was trained."""

    step: TrainStep
    file: str = Field(pattern=r"^[\w.-]+\.safetensors$", description="of its weights, in the same folder")
    temperature: float = Field(gt=0)
    weight: float = Field(ge=0, le=1)


class Lengths(Settings):
    """How long the gestures are that the streams were trained on."""

    frames: tuple[int, ...] = Field(min_length=1, description="lengths of windows, the shortest first")
    fps: float = Field(gt=0, description="frames a second of the recordings")


class Recogniser(Settings):
    """An ensemble, ready for other videos."""

    format: Literal[1]
    ensemble: str
    corpus: str
    classes: tuple[str, ...] = Field(min_length=1)
    members: tuple[Member, ...] = Field(min_length=1)
    lengths: Lengths
    keypoints: KeypointSettings
    rgb: RgbSettings
    face: FaceSettings
    taylor: TaylorSettings
    flow: FlowSettings
    depth: DepthSettings
