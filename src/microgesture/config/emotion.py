"""Settings of emotion recognition. Does not import torch."""

from typing import ClassVar, Literal

from pydantic import Field, model_validator

from .base import FilePath, Name, Settings
from .measures import AblationRow
from .networks import SwinFaceSettings

Source = Literal["face", "context", "gestures"]
SOURCES: tuple[Source, ...] = ("face", "context", "gestures")
Row = Literal["face", "context", "gestures", "face_context", "all"]


class FaceTokenSettings(Settings):
    """How the face token of a clip is computed."""

    network: SwinFaceSettings = Field(description="the face encoder, trained together with the fusion network")
    frames: int = Field(
        4, ge=1, description="number of faces per clip, evenly spaced over the frames with a visible face"
    )
    size: int = Field(112, ge=16, description="side of the encoder's input in pixels; 112 as stored")
    weights: FilePath | None = Field(
        None, description="file with published weights of the encoder, which is then not trained; null: train it"
    )


class InterFusionSettings(Settings):
    """The network that fuses the tokens of a video."""

    width: int = Field(64, ge=4, description="channels of a token")
    layers: int = Field(1, ge=0, description="number of blocks of cross-attention between two sources")
    heads: int = Field(4, ge=1, description="number of attention heads; width must be a multiple of it")
    dropout: float = Field(0.3, ge=0, lt=1, description="fraction of channels dropped in training")

    @model_validator(mode="after")
    def _heads_divide_width(self) -> "InterFusionSettings":
        if self.width % self.heads:
            raise ValueError(f"width {self.width} is not a multiple of {self.heads} heads; change one of them")
        return self


class EmotionRecipe(Settings):
    """How the network is trained. The number of epochs is fixed, so that no videos are needed to choose an epoch."""

    renamed: ClassVar[dict[str, str]] = {"batch": "batch_size"}

    epochs: int = Field(40, ge=1, description="passes over all videos")
    batch_size: int = Field(8, ge=1, description="videos per step")
    learning_rate: float = Field(1e-3, gt=0, description="maximum learning rate of AdamW")
    weight_decay: float = Field(0.05, ge=0, description="weight decay, not applied to norms and biases")
    clips: int = Field(32, ge=1, description="maximum number of clips per video in a step, sampled anew each time")
    token_dropout: float = Field(0.2, ge=0, lt=1, description="fraction of each source's tokens hidden in training")
    flip: bool = Field(True, description="mirror the faces of half of the clips in training")


class EmotionSettings(Settings):
    """Emotion recognition from behaviour: win or lose, for each recording of a corpus."""

    renamed: ClassVar[dict[str, str]] = {"truth": "ground_truth"}

    corpus: Name = Field(description="a key of corpora")
    labels: tuple[FilePath, ...] = Field(
        (),
        description="CSV files with the columns video_id and label (or win_or_lose); none: the files labels*.csv, "
        "train_label.csv and validation_label.csv in the folder of the corpus",
    )
    split: Literal["corpus", "published"] = Field(
        "corpus",
        description="corpus: the test split of the corpus; published: iMiGUE's published split of 102 and 100 videos",
    )
    face: FaceTokenSettings | None = Field(None, description="settings of the face tokens; null: no face tokens")
    context: Name | None = Field(None, description="stream whose features are the context tokens; null: none")
    gestures: Name | None = Field(
        None, description="stream whose probabilities are the tokens of micro-gestures; null: none"
    )
    network: InterFusionSettings = InterFusionSettings()
    recipe: EmotionRecipe = EmotionRecipe()
    folds: int = Field(
        5, ge=2, description="folds of the subjects with a label; each network is trained without one fold"
    )
    members: int = Field(1, ge=1, description="networks per fold, whose probabilities are averaged")
    ground_truth: FilePath | None = Field(
        None, description="CSV with labels of test videos, only for results/emotion/cross_subject.csv; null: none"
    )
    sample: FilePath | None = Field(
        None, description="sample submission of the challenge, with the ids and their order"
    )
    targets: tuple[str, str] = Field(("0", "1"), description="values of lose and win in the submission")
    submission: Row | None = Field(
        None, description="the row whose predictions are submitted, of those that the sources allow; null: all sources"
    )

    @property
    def sources(self) -> tuple[Source, ...]:
        """The configured sources of tokens."""
        return tuple(source for source in SOURCES if getattr(self, source) is not None)

    @property
    def streams(self) -> tuple[str, ...]:
        """The streams that tokens come from, without duplicates."""
        return tuple(dict.fromkeys(name for name in (self.context, self.gestures) if name is not None))

    @property
    def rows(self) -> dict[str, tuple[Source, ...]]:
        """The rows of the ablation table: each source alone, face and context together, and all of them.

        With a single source, it is the only row.
        """
        rows: dict[str, tuple[Source, ...]] = {source: (source,) for source in self.sources}
        if len(self.sources) > 2:
            rows["face_context"] = ("face", "context")
        if len(self.sources) > 1:
            rows["all"] = self.sources
        return rows

    @property
    def submitted(self) -> str:
        """The row that is submitted: ``submission``, or all sources."""
        return self.submission or list(self.rows)[-1]

    @property
    def versus(self) -> dict[str, str | None]:
        """The row that each row is compared with: all sources with face and context, if there are three sources."""
        return {row: "face_context" if row == "all" and len(self.sources) > 2 else None for row in self.rows}

    @model_validator(mode="after")
    def _has_a_source(self) -> "EmotionSettings":
        if not self.sources:
            raise ValueError("emotion needs a source of tokens; set face, context or gestures")
        if self.submitted not in self.rows:
            raise ValueError(f"submission is {self.submission}, but the sources allow only {', '.join(self.rows)}")
        if self.targets[0] == self.targets[1]:
            raise ValueError(f"targets are equal for lose and win, '{self.targets[0]}'; give two different values")
        return self


class VideosStep(Settings):
    """A corpus whose videos are listed."""

    root: str = Field(description="folder of the corpus")
    labels: tuple[str, ...] = Field((), description="files with labels; none: those found in root")
    split: Literal["corpus", "published"] = "corpus"


class EmotionStep(Settings):
    """A row of sources to train on or to predict with."""

    row: str
    sources: tuple[Source, ...] = Field(min_length=1)
    face: FaceTokenSettings | None = None
    context: str | None = Field(None, description="stream of the context tokens")
    gestures: str | None = Field(None, description="stream of the gesture tokens")
    network: InterFusionSettings = InterFusionSettings()
    recipe: EmotionRecipe = EmotionRecipe()
    folds: int = Field(5, ge=2)
    members: int = Field(1, ge=1)
    seed: int = 0


class EmotionTableStep(Settings):
    """Rows to measure, on held-out videos or, with ``ground_truth``, on test videos."""

    rows: tuple[AblationRow, ...] = Field(min_length=1)
    ground_truth: str | None = None


class EmotionSubmissionStep(Settings):
    """The submission of emotion recognition."""

    sample: str | None = None
    targets: tuple[str, str] = ("0", "1")
