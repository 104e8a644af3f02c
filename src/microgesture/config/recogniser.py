"""What a folder that is handed over says of itself: streams, classes and how inputs are made. Light: no torch."""

from typing import Any, Literal

from pydantic import Field, create_model

from .base import Settings
from .modalities import MODALITIES
from .recipes import Testing
from .streams import TrainStep

MANIFEST, SUMS, CARD = "recogniser.json", "SHA256SUMS", "README.md"
FORMAT = 2


class Member(Settings):
    """A stream of the ensemble, as it was trained."""

    step: TrainStep
    file: str = Field(pattern=r"^[\w.-]+\.safetensors$", description="of its weights, in the same folder")


class Lengths(Settings):
    """How long the gestures are that the streams were trained on."""

    frames: tuple[int, ...] = Field(min_length=1, description="lengths of windows, the shortest first")
    fps: float = Field(gt=0, description="frames a second of the recordings")


class _RecogniserStep(Settings):
    """An ensemble to export; the settings of the modalities follow."""

    ensemble: str
    corpus: str
    testing: dict[str, Testing] = Field({}, description="how each stream is tested; none: as its recipe says")
    pose: Literal["mediapipe"] | None = Field(None, description="what found the keypoints; null: they came with files")


RecogniserStep = create_model(
    "RecogniserStep",
    __base__=_RecogniserStep,
    __doc__="An ensemble to export, and how the inputs of its streams are made.",
    **{name: (modality.settings, modality.settings()) for name, modality in MODALITIES.items()},
)


class Recogniser(RecogniserStep):
    """An ensemble, ready for other videos."""

    format: Literal[FORMAT]
    classes: tuple[str, ...] = Field(min_length=1)
    members: tuple[Member, ...] = Field(min_length=1)
    fusion: dict[str, Any] = Field(description="how the streams are joined, as in the ensemble's fusion.json")
    lengths: Lengths

    @property
    def inputs(self) -> frozenset[str]:
        """What the streams see."""
        return frozenset(modality for member in self.members for modality in member.step.inputs)
