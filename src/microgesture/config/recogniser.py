"""The manifest of an exported recogniser: streams, classes and how inputs are made. Does not import torch."""

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
    file: str = Field(pattern=r"^[\w.-]+\.safetensors$", description="file of its weights, in the same folder")


class Lengths(Settings):
    """Lengths of the gestures on which the streams were trained."""

    frames: tuple[int, ...] = Field(min_length=1, description="lengths of windows in frames, in increasing order")
    fps: float = Field(gt=0, description="frames per second of the recordings")


class _RecogniserStep(Settings):
    """An ensemble to export, without the settings of the modalities."""

    ensemble: str
    corpus: str
    testing: dict[str, Testing] = Field({}, description="settings of testing, by stream; none: those of its recipe")
    pose: Literal["mediapipe"] | None = Field(
        None, description="method that found the keypoints; null: the corpus has files of keypoints"
    )
    fps: float | None = Field(
        None, gt=0, description="frames per second to which clips were resampled; null: they kept their frames"
    )


RecogniserStep = create_model(
    "RecogniserStep",
    __base__=_RecogniserStep,
    __doc__="An ensemble to export, and how the inputs of its streams are made.",
    **{name: (modality.settings, modality.settings()) for name, modality in MODALITIES.items()},
)


class Recogniser(RecogniserStep):
    """An exported ensemble, for new videos."""

    format: Literal[FORMAT]
    classes: tuple[str, ...] = Field(min_length=1)
    members: tuple[Member, ...] = Field(min_length=1)
    fusion: dict[str, Any] = Field(description="how the streams are fused, as in fusion.json of the ensemble")
    lengths: Lengths

    @property
    def inputs(self) -> frozenset[str]:
        """The inputs of the streams."""
        return frozenset(modality for member in self.members for modality in member.step.inputs)
