"""The configuration: every key of ``config.yaml``, its unit, its default and the reason for it."""

import json
from typing import Any, ClassVar, Literal

from pydantic import Field, ValidationError, create_model, field_validator, model_validator

from ..errors import InputError
from .base import Name, Settings, listed_problems
from .corpora import Corpus
from .declarations import ModalitySettings
from .emotion import EmotionSettings
from .ensembles import Ensemble, Submission
from .measures import AblationRow, GroundTruth
from .modalities import MODALITIES
from .predictions import PredictionSettings
from .recipes import Recipe
from .report import ReportSettings
from .streams import Stream, completed
from .view import ViewSettings


class _Config(Settings):
    """All but the settings of the modalities."""

    renamed: ClassVar[dict[str, str]] = {"truth": "ground_truth"}

    seed: int = Field(0, description="of every random choice in training")
    device: Literal["auto", "cpu", "cuda"] = Field("auto", description="auto: a GPU where there is one")
    devices: int = Field(1, ge=1, description="devices that one training runs on")
    threads: int = Field(1, ge=1, description="CPU threads of one training job, on each device")
    compile: bool = Field(False, description="compile the networks (torch.compile): minutes at the start, faster after")
    workers: int = Field(0, ge=0, description="processes that read clips beside one training")
    memory: float = Field(
        1.0, ge=0, description="GiB; without workers, a stream's clips are kept in memory if they are smaller together"
    )
    shards: int = Field(4, ge=1, description="files a corpus is split into; 64 suits iMiGUE and MA-52, 4 the demo")
    max_quarantined: float = Field(0.02, ge=0, le=1, description="share of unusable clips above which a run fails")
    folds: int = Field(
        0,
        ge=0,
        description="parts that the subjects of train and val are dealt into; every stream of an ensemble is trained "
        "once more without each part, and temperatures and weights are fitted on what it says of the people it has not "
        "seen. 0: fitted on val, as published, with no more training",
    )
    corpora: dict[Name, Corpus] = Field(min_length=1, description="where the clips are")
    recipes: dict[Name, Recipe] = Field(min_length=1, description="how streams are trained and tested")
    streams: dict[Name, Stream] = Field(min_length=1, description="the networks, and what each sees")
    ensembles: dict[Name, Ensemble] = Field(min_length=1, description="streams that are averaged")
    ablation: tuple[AblationRow, ...] = Field(
        (), description="rows of results/ablation.csv; none: every stream of an ensemble, then every ensemble"
    )
    ground_truth: GroundTruth | None = Field(
        None, description="labels of test clips, for results/cross_subject/ablation.csv with the same rows; null: none"
    )
    submission: Submission
    emotion: EmotionSettings | None = Field(
        None, description="win or lose for each recording, in results/emotion/submission.csv; null: none"
    )
    view: ViewSettings = ViewSettings()
    report: ReportSettings = ReportSettings()
    predictions: PredictionSettings | None = Field(
        None, description="gestures in videos of one's own, in results/predictions; null: none"
    )

    @field_validator("streams")
    @classmethod
    def _complete_streams(cls, streams: dict[str, Stream]) -> dict[str, Stream]:
        return completed(streams)

    @model_validator(mode="after")
    def _names_exist(self) -> "_Config":
        for name, stream in self.streams.items():
            _require(stream.corpus, self.corpora, f"streams.{name}.corpus")
            _require(stream.recipe, self.recipes, f"streams.{name}.recipe")
            for parent in stream.parents:
                _require(parent, self.streams, f"streams.{name}.init")
            self._check_recipe(name, stream)
            self._check_pseudo_labels(name, stream)
        if both := sorted(set(self.streams) & set(self.ensembles)):
            raise ValueError(f"'{both[0]}' names a stream and an ensemble; the ablation table needs two names")
        for name, ensemble in self.ensembles.items():
            for stream in ensemble.streams:
                _require(stream, self.streams, f"ensembles.{name}.streams")
            corpora = {self.streams[stream].corpus for stream in ensemble.streams}
            if len(corpora) > 1:
                raise ValueError(f"ensembles.{name} mixes the corpora {', '.join(sorted(corpora))}")
            if ensemble.calibration_from is not None:
                _require(ensemble.calibration_from, self.ensembles, f"ensembles.{name}.calibration_from")
        for name in (*self.streams, *self.ensembles):
            self._refuse_circle(name, ())
        for name, ensemble in self.ensembles.items():
            self._check_fitting(name, ensemble)
        _require(self.submission.ensemble, self.ensembles, "submission.ensemble")
        self._check_ablation()
        self._check_emotion()
        if self.folds == 1:
            raise ValueError("folds are at least 2, or 0 for none")
        return self

    def _check_recipe(self, name: str, stream: Stream) -> None:
        recipe = self.recipes[stream.recipe]
        one_path = [term.name for term in recipe.loss_terms if term.one_path]
        if one_path and len(stream.inputs) > 1:
            raise ValueError(
                f"streams.{name}: the loss {one_path[0]} is for networks of one classifier, not for "
                f"two paths; let recipes.{stream.recipe} have none"
            )
        try:
            stream.network.check_recipe(recipe, stream.inputs, stream.recipe)
        except ValueError as error:
            raise ValueError(f"streams.{name}: {error}") from None

    def _check_pseudo_labels(self, name: str, stream: Stream) -> None:
        if stream.pseudo_labels is None:
            return
        where = f"streams.{name}.pseudo_labels"
        _require(stream.pseudo_labels, self.ensembles, where)
        labelled = {self.streams[other].corpus for other in self.streams_of(stream.pseudo_labels)}
        if labelled != {stream.corpus}:
            raise ValueError(f"{where} names '{stream.pseudo_labels}', which labels another corpus than its own")
        if self.folds:
            raise ValueError(
                f"{where}: the ensemble that labels has seen the people of every fold, so that nobody would be new to "
                "the streams that learn from it; set folds: 0"
            )

    def learns_from_val(self, ensemble: str) -> bool:
        """Whether a stream of the ensemble has learnt from the validation clips, which are then new to it no more."""
        return any(self._has_seen_val(stream) for stream in self.ensembles[ensemble].streams)

    def _has_seen_val(self, name: str) -> bool:
        stream = self.streams[name]
        taught = [parent for parent in stream.parents if self.streams[parent].corpus == stream.corpus]
        return stream.pseudo_labels is not None or any(map(self._has_seen_val, taught))

    def _check_fitting(self, name: str, ensemble: Ensemble) -> None:
        if ensemble.calibration_from is not None:
            if len(self.ensembles[ensemble.calibration_from].streams) != len(ensemble.streams):
                raise ValueError(
                    f"ensembles.{name}: calibration_from names '{ensemble.calibration_from}', which has another "
                    "number of streams"
                )
        elif self.learns_from_val(name) and (ensemble.rule.fitted or ensemble.calibrate is True):
            raise ValueError(
                f"ensembles.{name}: its streams have learnt from val too, so that nothing can be fitted there; name "
                "the ensemble whose temperatures and weights it takes (calibration_from), or give weights and a "
                "temperature"
            )

    def _check_ablation(self) -> None:
        scored = {stream for ensemble in self.ensembles.values() for stream in ensemble.streams}
        above: list[str] = []
        for row in self.ablation:
            if row.name not in scored and row.name not in self.ensembles:
                raise ValueError(f"ablation: '{row.name}' is no ensemble, nor a stream of one")
            if row.versus is not None and row.versus not in above:
                raise ValueError(f"ablation: '{row.name}' is compared with '{row.versus}', which is no row above it")
            if row.name in above:
                raise ValueError(f"ablation: '{row.name}' stands there twice")
            above.append(row.name)
        corpora = {self.streams[stream].corpus for row in self.ablation for stream in self.streams_of(row.name)}
        if len(corpora) > 1:
            raise ValueError(f"ablation mixes the corpora {', '.join(sorted(corpora))}")

    def _check_emotion(self) -> None:
        if self.emotion is None:
            return
        _require(self.emotion.corpus, self.corpora, "emotion.corpus")
        for source in ("context", "gestures"):
            if (stream := getattr(self.emotion, source)) is not None:
                _require(stream, self.streams, f"emotion.{source}")
                if self.streams[stream].corpus != self.emotion.corpus:
                    raise ValueError(f"emotion.{source} names '{stream}', which is on another corpus than its own")

    def modality(self, name: str) -> ModalitySettings:
        """The settings of a modality."""
        return getattr(self, name)

    def streams_of(self, name: str) -> tuple[str, ...]:
        """The streams of an ensemble, or the stream itself."""
        return self.ensembles[name].streams if name in self.ensembles else (name,)

    def _refuse_circle(self, name: str, below: tuple[str, ...]) -> None:
        if name in below:
            raise ValueError(f"these need each other in a circle: {' -> '.join([*below, name])}")
        for above in self.above(name):
            self._refuse_circle(above, (*below, name))

    def above(self, name: str) -> list[str]:
        """The streams and ensembles that a stream or an ensemble needs first."""
        if name in self.streams:
            stream = self.streams[name]
            return [*stream.parents, *([stream.pseudo_labels] if stream.pseudo_labels else [])]
        ensemble = self.ensembles[name]
        return [*ensemble.streams, *([ensemble.calibration_from] if ensemble.calibration_from else [])]


Config = create_model(
    "Config",
    __base__=_Config,
    __doc__="The whole configuration.",
    **{name: (modality.settings, modality.settings()) for name, modality in MODALITIES.items()},
)


def _require(key: str, there: dict[str, Any], where: str) -> None:
    if key not in there:
        raise ValueError(f"{where} names '{key}', but there are only {', '.join(there)}")


def load_config(raw: dict[str, Any]) -> Config:
    """Validate a configuration as read from YAML; raises ``InputError`` that names each wrong key and what to do."""
    try:
        return Config.model_validate(raw)
    except ValidationError as error:
        raise InputError(f"the configuration cannot be used:\n{listed_problems(error)}") from None


def schema_json() -> str:
    """The JSON schema of the configuration, for editors and for ``workflow/schemas``."""
    return json.dumps(Config.model_json_schema(), indent=2) + "\n"
