"""What the command line hands to each stage: the contract between the plan and the commands behind the rules."""

from typing import Any, Literal

from pydantic import Field, ValidationError

from ..config import AblationRow, Ensemble, PseudoLabelSettings, Truth, listed_problems
from ..corpus import DemoSettings
from ..errors import InputError
from ..modalities.settings import DepthSettings, FaceSettings, KeypointSettings, RgbSettings
from ..settings import Settings


class DemoStep(DemoSettings):
    """A corpus to draw."""

    layout: Literal["miga", "ma52", "smg"] = Field(description="the release whose files to imitate")


class ClipsStep(Settings):
    """A corpus to list."""

    corpus: str
    format: Literal["miga", "ma52", "smg", "manifest"]
    root: str = Field(description="folder of the corpus")
    shards: int = Field(ge=1)
    max_quarantined: float = Field(ge=0, le=1)
    options: dict[str, Any] = Field({}, description="the reader's own settings")


class SkeletonStep(Settings):
    """Skeleton files to read, or videos to find keypoints in."""

    root: str = Field(description="folder of the corpus")


class RgbStep(RgbSettings):
    """Clips to cut out of the videos of a corpus."""

    root: str = Field(description="folder of the corpus")


class FaceStep(FaceSettings):
    """Faces to align in the videos of a corpus."""

    root: str = Field(description="folder of the corpus")


class DepthStep(DepthSettings, RgbSettings, KeypointSettings):
    """Depth to make in the same frames as rgb."""


class EnsembleStep(Ensemble):
    """Streams to join."""

    folds: int = Field(0, ge=0, description="parts of the people on whose scores everything is fitted; 0: on val")
    learns_from_val: bool = Field(False, description="the streams have learnt from val, which is held out no more")


class PseudoLabelStep(PseudoLabelSettings):
    """Test clips to label."""

    streams: tuple[str, ...] = Field(min_length=1, description="of the ensemble, in its order")


class AblationStep(Settings):
    """Rows of the ablation table."""

    rows: tuple[AblationRow, ...] = Field(min_length=1)
    folds: int = Field(0, ge=0, description="parts of the people that the rows are measured on; 0: on val")


class CrossSubjectStep(Truth):
    """Rows of the ablation table to measure on the test split."""

    rows: tuple[AblationRow, ...] = Field(min_length=1)


def parse_step(step: type[Settings], text: str) -> Any:
    """Read a step's settings from JSON; raises ``InputError`` that names each wrong key."""
    try:
        return step.model_validate_json(text)
    except ValidationError as error:
        raise InputError(f"--settings cannot be used:\n{listed_problems(error)}") from None
