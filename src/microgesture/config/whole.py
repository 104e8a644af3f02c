"""The configuration: all keys of ``config.yaml``, with units and defaults."""

import json
from typing import Any, ClassVar, Literal

from pydantic import Field, create_model, field_validator, model_validator

from .base import Name, Seed, Settings, checked
from .corpora import Corpus
from .declarations import ModalitySettings
from .emotion import EmotionSettings
from .ensembles import Ensemble, Submission
from .layouts import JointSelection, LayoutTable
from .measures import AblationRow, GroundTruth
from .modalities import HEATMAPS, MODALITIES, SCENES
from .predictions import PredictionSettings
from .pretraining import Pretraining
from .recipes import Recipe
from .report import ReportSettings
from .streams import Stream, completed
from .view import ViewSettings


class _Config(Settings):
    """All keys but the settings of the modalities."""

    renamed: ClassVar[dict[str, str]] = {"truth": "ground_truth"}

    seed: Seed = Field(0, description="random seed of training")
    device: Literal["auto", "cpu", "cuda"] = Field("auto", description="auto: a GPU if there is one")
    devices: int = Field(1, ge=1, description="number of devices for one training")
    threads: int = Field(1, ge=1, description="CPU threads of one training job, per device")
    compile: bool = Field(False, description="compile the networks (torch.compile): takes minutes, then runs faster")
    workers: int = Field(0, ge=0, description="number of processes that read clips for one training")
    memory: float = Field(
        1.0, ge=0, description="GiB; without workers, the clips of a stream are kept in memory if they need less"
    )
    shards: int = Field(
        4, ge=1, le=10_000, description="number of shards per corpus; 64 suits iMiGUE and MA-52, 4 the demo"
    )
    max_quarantined: float = Field(0.02, ge=0, le=1, description="fraction of unusable clips above which a run fails")
    folds: int = Field(
        0,
        ge=0,
        description="number of folds of the subjects in train and val; every stream of an ensemble is also trained "
        "without each fold, and temperatures and weights are fitted on predictions for the held-out subjects. 0: "
        "fitted on val, as published, without further training",
    )
    corpora: dict[Name, Corpus] = Field(min_length=1, description="the corpora, with the folders of their clips")
    recipes: dict[Name, Recipe] = Field(min_length=1, description="how streams are trained and tested")
    pretraining: dict[Name, Pretraining] = Field({}, description="networks that learn from clips without labels")
    streams: dict[Name, Stream] = Field(min_length=1, description="the networks, and their inputs")
    ensembles: dict[Name, Ensemble] = Field(min_length=1, description="streams whose probabilities are averaged")
    ablation: tuple[AblationRow, ...] = Field(
        (), description="rows of results/ablation.csv; none: every stream of an ensemble, then every ensemble"
    )
    ground_truth: GroundTruth | None = Field(
        None, description="labels of test clips, for results/cross_subject/ablation.csv with the same rows; null: none"
    )
    submission: Submission
    emotion: EmotionSettings | None = Field(
        None, description="emotion (win or lose) of each recording, in results/emotion/submission.csv; null: none"
    )
    view: ViewSettings = ViewSettings()
    report: ReportSettings = ReportSettings()
    predictions: PredictionSettings | None = Field(
        None, description="gestures in your own videos, in results/predictions; null: none"
    )

    @field_validator("streams")
    @classmethod
    def _complete_streams(cls, streams: dict[str, Stream]) -> dict[str, Stream]:
        return completed(streams)

    @model_validator(mode="after")
    def _all_points_are_known(self) -> "_Config":
        """Replace the selection "all" by the points of the layout that the corpora name."""
        if self.keypoints.selection != "all":
            return self
        layouts = [corpus.keypoints.layout for corpus in self.corpora.values()]
        told = {str(layout): layout for layout in layouts if layout is not None}
        if len(told) != 1:
            found = " and ".join(told) or "none"
            raise ValueError(
                f"keypoints.selection: all needs one layout in keypoints.layout of the corpora, which name {found}; "
                "name one, or list the joints"
            )
        (chosen,) = told.values()
        if isinstance(chosen, LayoutTable):
            chosen = JointSelection(joints=chosen.names, limbs=chosen.pairs)
        keypoints = self.keypoints.model_copy(update={"selection": chosen})
        object.__setattr__(self, "keypoints", keypoints)  # the settings are frozen for all others
        return self

    @model_validator(mode="after")
    def _names_exist(self) -> "_Config":
        for name, pretraining in self.pretraining.items():
            for corpus in pretraining.corpora:
                _require(corpus, self.corpora, f"pretraining.{name}.corpora")
            _require(pretraining.recipe, self.recipes, f"pretraining.{name}.recipe")
            if not pretraining.test_clips and self.shards == 1:
                raise ValueError(f"pretraining.{name}: without test_clips, shards must be at least 2")
        for name, stream in self.streams.items():
            _require(stream.corpus, self.corpora, f"streams.{name}.corpus")
            _require(stream.recipe, self.recipes, f"streams.{name}.recipe")
            for parent in stream.parents:
                _require(parent, self.streams, f"streams.{name}.init")
            if stream.pretraining is not None:
                self._check_pretraining(name, stream)
            self._check_recipe(name, stream)
            self._check_pseudo_labels(name, stream)
        if both := sorted(set(self.streams) & set(self.ensembles)):
            raise ValueError(f"'{both[0]}' is the name of a stream and of an ensemble; rename one of them")
        for name, ensemble in self.ensembles.items():
            for stream in ensemble.streams:
                _require(stream, self.streams, f"ensembles.{name}.streams")
            corpora = {self.streams[stream].corpus for stream in ensemble.streams}
            if len(corpora) > 1:
                raise ValueError(
                    f"ensembles.{name} has streams on several corpora ({', '.join(sorted(corpora))}); use one"
                )
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
            raise ValueError("folds must be at least 2, or 0 for none, not 1")
        return self

    def _check_recipe(self, name: str, stream: Stream) -> None:
        recipe = self.recipes[stream.recipe]
        one_path = [term.name for term in recipe.loss_terms if term.one_path]
        if one_path and len(stream.inputs) > 1:
            raise ValueError(
                f"streams.{name}: the loss {one_path[0]} works only for networks with one classifier, not with "
                f"two paths; remove it from recipes.{stream.recipe}"
            )
        if recipe.layer_decay != 1 and not stream.network.has_layers:
            raise ValueError(
                f"streams.{name}: layer_decay of recipes.{stream.recipe} is for skeleton_transformer and "
                f"pretrained_video, not {stream.network.name}; remove it"
            )
        if stream.network.has_encoder:
            self._refuse_other_input(name, stream)
        if recipe.freeze == "backbone" and (stream.fuses or not (stream.init or stream.pretraining or stream.weights)):
            raise ValueError(
                f"streams.{name}: freeze of recipes.{stream.recipe} needs trained weights; set init, pretraining or "
                "weights, and no fuses"
            )
        try:
            stream.network.check_recipe(recipe, stream.inputs, stream.recipe)
        except ValueError as error:
            raise ValueError(f"streams.{name}: {error}") from None

    def _refuse_other_input(self, name: str, stream: Stream) -> None:
        recipe = self.recipes[stream.recipe]
        for key in ("frames", "size", "mean", "std", "test_size"):
            if getattr(recipe, key) != Recipe.model_fields[key].default:
                own = f", or set {key} of its network" if key in type(stream.network).model_fields else ""
                raise ValueError(
                    f"streams.{name}: {key} of recipes.{stream.recipe} is not used by {stream.network.name}, whose "
                    f"model says how its input is prepared; remove it{own}"
                )

    def _check_pretraining(self, name: str, stream: Stream) -> None:
        where = f"streams.{name}.pretraining"
        _require(stream.pretraining, self.pretraining, where)
        start = self.pretraining[stream.pretraining]
        if stream.inputs != (start.input,):
            raise ValueError(
                f"{where} names '{stream.pretraining}', whose input is {start.input}, not "
                f"{' and '.join(stream.inputs)}; make them equal"
            )
        own, other = (one.model_dump(exclude={"drop_path", "dropout"}) for one in (stream.network, start.network))
        if own != other:
            raise ValueError(f"{where} names '{stream.pretraining}', whose network has other sizes; make them equal")

    def _check_pseudo_labels(self, name: str, stream: Stream) -> None:
        if stream.pseudo_labels is None:
            return
        where = f"streams.{name}.pseudo_labels"
        _require(stream.pseudo_labels, self.ensembles, where)
        labelled = {self.streams[other].corpus for other in self.streams_of(stream.pseudo_labels)}
        if labelled != {stream.corpus}:
            raise ValueError(f"{where} names '{stream.pseudo_labels}', which is not on its corpus, '{stream.corpus}'")
        if self.folds:
            raise ValueError(
                f"{where}: the ensemble with the pseudo-labels was trained on the subjects of all folds, so no "
                "subjects would be held out for this stream; set folds: 0"
            )

    def learns_from_val(self, name: str) -> bool:
        """Whether a stream, or one of an ensemble, was trained on the validation clips, which are then not held out."""
        return any(map(self._has_seen_val, self.streams_of(name)))

    def _has_seen_val(self, name: str) -> bool:
        stream = self.streams[name]
        taught = [parent for parent in stream.parents if self.streams[parent].corpus == stream.corpus]
        return stream.pseudo_labels is not None or any(map(self._has_seen_val, taught))

    def _check_fitting(self, name: str, ensemble: Ensemble) -> None:
        if ensemble.calibration_from is not None:
            if len(self.ensembles[ensemble.calibration_from].streams) != len(ensemble.streams):
                raise ValueError(
                    f"ensembles.{name}: calibration_from names '{ensemble.calibration_from}', which has a different "
                    "number of streams"
                )
        elif self.learns_from_val(name) and (ensemble.rule.fitted or ensemble.calibrate is True):
            raise ValueError(
                f"ensembles.{name}: its streams were also trained on val, so nothing can be fitted there; set "
                "calibration_from to an ensemble whose temperatures and weights to use, or give weights and a "
                "temperature"
            )

    def _check_ablation(self) -> None:
        scored = {stream for ensemble in self.ensembles.values() for stream in ensemble.streams}
        above: list[str] = []
        for row in self.ablation:
            if row.name not in scored and row.name not in self.ensembles:
                raise ValueError(f"ablation: '{row.name}' is neither an ensemble nor a stream of one")
            if row.versus is not None and row.versus not in above:
                raise ValueError(f"ablation: '{row.name}' is compared with '{row.versus}', which is not a row above it")
            if row.name in above:
                raise ValueError(f"ablation: '{row.name}' is listed twice; remove one row")
            above.append(row.name)
        if above and all(map(self.learns_from_val, above)):
            raise ValueError(
                "ablation: the streams of all rows were also trained on val; add a row with held-out clips"
            )
        corpora = {self.streams[stream].corpus for row in self.ablation for stream in self.streams_of(row.name)}
        if len(corpora) > 1:
            raise ValueError(f"ablation has rows on several corpora ({', '.join(sorted(corpora))}); use one")

    def _check_emotion(self) -> None:
        if self.emotion is None:
            return
        _require(self.emotion.corpus, self.corpora, "emotion.corpus")
        for source in ("context", "gestures"):
            if (stream := getattr(self.emotion, source)) is not None:
                _require(stream, self.streams, f"emotion.{source}")
                if self.streams[stream].corpus != self.emotion.corpus:
                    raise ValueError(f"emotion.{source} names '{stream}', which is not on emotion.corpus")
                if self.streams[stream].network.has_encoder:
                    network = self.streams[stream].network.name
                    raise ValueError(f"emotion.{source} names '{stream}', whose network {network} it cannot use")

    def modality(self, name: str) -> ModalitySettings:
        """The settings of a modality."""
        return getattr(self, name)

    def margin_beside(self, stream: Stream) -> float | None:
        """The margin around the person in a video that a stream sees beside heatmaps; None: full frames, or neither."""
        video = next((MODALITIES[modality].framed_as for modality in stream.inputs if modality in SCENES), None)
        heatmaps = any(modality in HEATMAPS for modality in stream.inputs)
        return self.modality(video).person_margin if video and heatmaps else None

    def streams_of(self, name: str) -> tuple[str, ...]:
        """The streams of an ensemble, or the stream itself."""
        return self.ensembles[name].streams if name in self.ensembles else (name,)

    def _refuse_circle(self, name: str, below: tuple[str, ...]) -> None:
        if name in below:
            raise ValueError(f"these depend on each other in a circle: {' -> '.join([*below, name])}")
        for above in self.above(name):
            self._refuse_circle(above, (*below, name))

    def above(self, name: str) -> list[str]:
        """The streams and ensembles on which a stream or an ensemble depends."""
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
        raise ValueError(f"{where} names '{key}', which does not exist; choose one of {', '.join(there)}")


def load_config(raw: dict[str, Any]) -> Config:
    """Validate a configuration as read from YAML; raises ``InputError`` that names each wrong key and what to do."""
    return checked(Config, raw, "the configuration")


def schema_json() -> str:
    """The JSON schema of the configuration, for editors and for ``workflow/schemas``."""
    return json.dumps(Config.model_json_schema(), indent=2) + "\n"
