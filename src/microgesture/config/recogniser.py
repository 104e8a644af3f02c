"""The manifest of an exported recogniser: streams, classes and how inputs are made. Does not import torch."""

from collections import Counter
from collections.abc import Callable, Iterable
from itertools import pairwise
from typing import Annotated, Any, Literal

from pydantic import Field, create_model, model_validator

from .base import FilePath, Settings, fault_of_class
from .corpus_format import LARGEST, PERSON_RULES, KeypointFiles, Normalized, RowTolerance
from .declarations import ModalitySettings
from .modalities import HEATMAPS, MODALITIES, SKELETONS, store, with_sources
from .pose import PoseName
from .recipes import Testing
from .streams import Stream, TrainStep

MANIFEST, SUMS, CARD = "recogniser.json", "SHA256SUMS", "README.md"
# 3: heatmaps as in pyskl, and RGBPoseConv3D does not halve time; 4: how gestures are found; 5: units of keypoints
FORMAT = 5
LARGEST_INPUT = 1 << 28  # pixels of a sample, 3 GiB as float32 in colour; published networks see 0.3 to 8 million


class Member(Settings):
    """A stream of the ensemble, as it was trained."""

    step: TrainStep
    file: str = Field(pattern=r"^[\w.-]+\.safetensors$", description="file of its weights, in the same folder")

    @model_validator(mode="after")
    def _is_a_stream(self) -> "Member":
        """Check what a configuration would have refused: inputs that the networks do not accept, or wrong sizes."""
        step = self.step
        if (step.branches is None) != (step.network.name != "token_fusion"):
            raise ValueError("branches are for the network token_fusion, and for no other")
        if step.branches is not None and not len(step.branches) == len(step.inputs) == 2:
            raise ValueError("a fused stream has two branches and an input for each")
        if (step.selection is not None) != any(name in (*HEATMAPS, *SKELETONS) for name in step.inputs):
            raise ValueError("selection is for streams with keypoints, and for no others")
        if (step.encoder is None) == step.network.has_encoder:
            raise ValueError(f"network {step.network.name} needs encoder, and no other network has one")
        if step.encoder is not None and (
            step.encoder.stored or (step.encoder.frames, step.encoder.size) != (step.recipe.frames, step.recipe.size)
        ):
            raise ValueError("the encoder of a recogniser sees videos with the frames and the size of the recipe")
        parts = step.parts or (step,)
        for part in parts:
            Stream(corpus="any", input=part.inputs, network=part.network, recipe="any")
            part.network.check_recipe(part.recipe, part.inputs, step.stream)
            recipe = part.recipe.in_testing()
            frames, side = max(recipe.frames, recipe.heatmap_frames or 0), max(recipe.size, recipe.heatmap_size or 0)
            if frames * side**2 > LARGEST_INPUT:
                raise ValueError(f"{frames} frames of {side} pixels are too large for an input; reduce frames or size")
        return self


class Lengths(Settings):
    """Lengths of the gestures on which the streams were trained."""

    frames: tuple[Annotated[int, Field(ge=1, lt=2**31)], ...] = Field(
        min_length=1, max_length=10, description="lengths of windows in frames, in increasing order"
    )
    fps: float = Field(ge=0.001, le=1e6, description="frames per second of the recordings")

    @model_validator(mode="after")
    def _in_order(self) -> "Lengths":
        if any(one >= other for one, other in pairwise(self.frames)):
            raise ValueError(f"frames {list(self.frames)} are not in increasing order")
        return self


class Finding(Settings):
    """How gestures are found in recordings by default."""

    threshold: float = Field(ge=0, le=1, description="probability that a gesture must exceed")
    clips: int = Field(ge=0, description="held-out clips on which the threshold was fitted; 0: it is the usual one")
    overlap: bool = Field(description="whether gestures of different classes overlap each other in the training data")


class _RecogniserStep(Settings):
    """An ensemble to export, without the settings of the modalities."""

    ensemble: str
    corpus: str
    testing: dict[str, Testing] = Field({}, description="settings of testing, by stream; none: those of its recipe")
    pose: PoseName | None = Field(
        None, description="method that found the keypoints; null: the corpus has files of keypoints"
    )
    keypoint_files: KeypointFiles = Field(KeypointFiles(), description="how files of keypoints are read")
    normalized: Normalized = False
    row_tolerance: RowTolerance = 0.01
    pose_weights: FilePath | None = Field(
        None,
        exclude_if=lambda folder: folder is None,
        description="folder with the networks of the method; null: the published ones",
    )
    person: Literal[PERSON_RULES] = Field(
        LARGEST,
        exclude_if=lambda person: person == LARGEST,
        description="rule that chooses the person in a recording with several people",
    )
    fps: float | None = Field(
        None, ge=1, le=1000, description="frames per second to which clips were resampled; null: they kept their frames"
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
    classes: tuple[str, ...] = Field(min_length=1, max_length=10_000)
    members: tuple[Member, ...] = Field(min_length=1, max_length=100)
    fusion: dict[str, Any] = Field(description="how the streams are fused, as in fusion.json of the ensemble")
    lengths: Lengths
    finding: Finding

    @property
    def inputs(self) -> frozenset[str]:
        """The inputs of the streams."""
        return frozenset(modality for member in self.members for modality in member.step.inputs)

    @model_validator(mode="after")
    def _is_complete(self) -> "Recogniser":
        for name in self.classes:
            if fault := fault_of_class(name):
                raise ValueError(f"classes: {name[:40]!r} {fault}")
        names = [member.step.stream for member in self.members]
        for what, given in (("classes", self.classes), ("members", names)):
            if repeated := [name for name, times in Counter(given).items() if times > 1]:
                raise ValueError(f"{what}: {repeated[0]!r} is there twice")
        for member in self.members:
            if member.step.selection not in (None, self.keypoints.selection):
                raise ValueError(
                    f"stream {member.step.stream!r} was trained with selection {member.step.selection} of keypoints, "
                    f"but keypoints.selection is {self.keypoints.selection}; train it again"
                )
        if found := unportable(self.inputs, lambda name: getattr(self, name)):
            raise ValueError(f"{found[0]} {found[1]}, which nothing in the folder contains; ask for another export")
        return self


def unportable(inputs: Iterable[str], settings_of: Callable[[str], ModalitySettings]) -> tuple[str, str] | None:
    """Return a modality that the inputs need and no other machine can make, and why; None if there is none.

    It is made by a network, or from files, that an exported folder does not contain.
    """
    kinds = with_sources(map(store, inputs), lambda name: settings_of(name).made_from)
    for name in kinds:
        own = settings_of(name)
        if own.portable_backend:
            return name, f"is made with {name}.backend: {own.backend}"
        if files := [key for key, path in own.files.items() if path]:
            return name, f"is made with the file in {name}.{files[0]}"
    return None
