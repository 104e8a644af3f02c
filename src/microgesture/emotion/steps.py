"""What the command line hands to the stages of emotion."""

from typing import Literal

from pydantic import Field

from ..config import AblationRow
from ..settings import Settings
from .settings import EmotionRecipe, FaceTokenSettings, InterFusionSettings, Source


class VideosStep(Settings):
    """The videos of a corpus to list."""

    root: str = Field(description="folder of the corpus")
    labels: tuple[str, ...] = Field((), description="files of labels; none: found below root")
    split: Literal["corpus", "published"] = "corpus"


class EmotionStep(Settings):
    """A row of sources to train on, or to predict with."""

    row: str
    sources: tuple[Source, ...] = Field(min_length=1)
    face: FaceTokenSettings | None = None
    context: str | None = Field(None, description="the stream that the context tokens are of")
    gestures: str | None = Field(None, description="the stream that the tokens of gestures are of")
    network: InterFusionSettings = InterFusionSettings()
    recipe: EmotionRecipe = EmotionRecipe()
    folds: int = Field(5, ge=2)
    members: int = Field(1, ge=1)
    seed: int = 0


class EmotionTableStep(Settings):
    """Rows to measure, on videos held out or, with ``truth``, on test videos."""

    rows: tuple[AblationRow, ...] = Field(min_length=1)
    truth: str | None = None


class EmotionSubmissionStep(Settings):
    """What is handed in."""

    sample: str | None = None
    targets: tuple[str, str] = ("0", "1")
