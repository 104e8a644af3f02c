"""Settings of emotion recognition; light, so that the configuration can be read without torch."""

from typing import ClassVar, Literal

from pydantic import Field, model_validator

from .base import Name, Settings
from .measures import AblationRow
from .networks import SwinFaceSettings

Source = Literal["face", "context", "gestures"]
SOURCES: tuple[Source, ...] = ("face", "context", "gestures")


class FaceTokenSettings(Settings):
    """How the faces of a clip become its face token."""

    network: SwinFaceSettings = Field(description="the encoder of a face, trained along with the rest")
    frames: int = Field(4, ge=1, description="faces of a clip, evenly among the frames in which one is visible")
    size: int = Field(112, ge=16, description="side of the faces that the encoder is shown in pixels; 112 as stored")
    weights: str | None = Field(
        None, description="published weights of the encoder, a file; it then stays as it is. null: trained here"
    )


class InterFusionSettings(Settings):
    """The network that joins the tokens of a video."""

    width: int = Field(64, ge=4, description="channels of a token")
    layers: int = Field(1, ge=0, description="blocks of cross-attention between two sources")
    heads: int = Field(4, ge=1, description="of attention; they divide the width")
    dropout: float = Field(0.3, ge=0, lt=1, description="share of channels dropped in training")

    @model_validator(mode="after")
    def _heads_divide_width(self) -> "InterFusionSettings":
        if self.width % self.heads:
            raise ValueError(f"width {self.width} cannot be dealt to {self.heads} heads; choose a multiple")
        return self


class EmotionRecipe(Settings):
    """How the network is trained; the number of epochs is fixed, so that no video is needed to choose one."""

    renamed: ClassVar[dict[str, str]] = {"batch": "batch_size"}

    epochs: int = Field(40, ge=1, description="rounds over all videos")
    batch_size: int = Field(8, ge=1, description="videos of a step")
    learning_rate: float = Field(1e-3, gt=0, description="highest of all steps; AdamW")
    weight_decay: float = Field(0.05, ge=0, description="of all but norms and biases")
    clips: int = Field(32, ge=1, description="clips of a video that a step shows at most, drawn anew each time")
    token_dropout: float = Field(0.2, ge=0, lt=1, description="share of each source's tokens hidden in training")
    flip: bool = Field(True, description="mirror the faces of half of the clips in training")


class EmotionSettings(Settings):
    """Emotion from behaviour: one label, win or lose, for each recording of a corpus."""

    renamed: ClassVar[dict[str, str]] = {"truth": "ground_truth"}

    corpus: Name = Field(description="a key of corpora")
    labels: tuple[str, ...] = Field(
        (),
        description="CSV files with columns video_id and label or win_or_lose; none: those in the corpus's folder, by "
        "their names (labels*.csv, train_label.csv, validation_label.csv)",
    )
    split: Literal["corpus", "published"] = Field(
        "corpus",
        description="corpus: recordings are tested on as in the corpus; published: iMiGUE's 102 and 100 videos",
    )
    face: FaceTokenSettings | None = Field(None, description="face tokens; null: none")
    context: Name | None = Field(None, description="the stream whose features are the context tokens; null: none")
    gestures: Name | None = Field(
        None, description="the stream whose probabilities are the tokens of micro-gestures; null: none"
    )
    network: InterFusionSettings = InterFusionSettings()
    recipe: EmotionRecipe = EmotionRecipe()
    folds: int = Field(
        5, ge=2, description="parts that the people with a label are dealt into; each network learns without one part"
    )
    members: int = Field(1, ge=1, description="networks for each fold, whose probabilities are averaged")
    ground_truth: str | None = Field(
        None, description="CSV with labels of test videos, for results/emotion/cross_subject.csv alone; null: none"
    )
    sample: str | None = Field(None, description="the challenge's sample submission; its ids and order are followed")
    targets: tuple[str, str] = Field(("0", "1"), description="how the submission writes lose and win")

    @property
    def sources(self) -> tuple[Source, ...]:
        """The sources of tokens that there are."""
        return tuple(source for source in SOURCES if getattr(self, source) is not None)

    @property
    def streams(self) -> tuple[str, ...]:
        """The streams that tokens come from, each once."""
        return tuple(dict.fromkeys(name for name in (self.context, self.gestures) if name is not None))

    @property
    def rows(self) -> dict[str, tuple[Source, ...]]:
        """The rows of the ablation table: each source alone, face and context together, and all of them.

        Where there is one source only, it is the only row.
        """
        rows: dict[str, tuple[Source, ...]] = {source: (source,) for source in self.sources}
        if len(self.sources) > 2:
            rows["face_context"] = ("face", "context")
        if len(self.sources) > 1:
            rows["all"] = self.sources
        return rows

    @property
    def submitted(self) -> str:
        """The row that is handed in: that of all sources."""
        return list(self.rows)[-1]

    @property
    def versus(self) -> dict[str, str | None]:
        """The row that each row is compared with: all sources with those of the published system, if there are more."""
        return {row: "face_context" if row == "all" and len(self.sources) > 2 else None for row in self.rows}

    @model_validator(mode="after")
    def _has_a_source(self) -> "EmotionSettings":
        if not self.sources:
            raise ValueError("emotion needs a source of tokens: face, context or gestures")
        if self.targets[0] == self.targets[1]:
            raise ValueError(f"targets write lose and win alike, '{self.targets[0]}'")
        return self


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
    """Rows to measure, on videos held out or, with ``ground_truth``, on test videos."""

    rows: tuple[AblationRow, ...] = Field(min_length=1)
    ground_truth: str | None = None


class EmotionSubmissionStep(Settings):
    """What is handed in."""

    sample: str | None = None
    targets: tuple[str, str] = ("0", "1")
