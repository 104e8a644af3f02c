"""The configuration: every key of ``config.yaml``, its unit, its default and the reason for it."""

import json
from typing import Annotated, Any, Literal

from pydantic import Field, ValidationError, model_validator

from .errors import InputError
from .networks.settings import NetworkSettings
from .recipe import Recipe
from .settings import Settings
from .stream import Modality

Name = Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9_]*$", description="letters, digits and underscores")]


class DemoSettings(Settings):
    """A corpus that the pipeline draws for itself, in the layout of the release that ``format`` names."""

    seed: int = Field(0, description="everything in the corpus follows from it")
    subjects: dict[Literal["train", "val", "test"], int] = Field(
        description="people in each split; none is in two splits"
    )
    clips: dict[Literal["train", "val", "test"], int] = Field(description="about how many clips in each split")
    frame: tuple[int, int] = Field((320, 240), description="width and height of the videos in pixels")


class CorpusBase(Settings):
    """What every corpus has, whatever its format."""

    root: str | None = Field(None, description="folder of the corpus; null only for a demo")
    demo: DemoSettings | None = Field(None, description="draw the corpus instead of reading it from a folder")
    allow_shared_subjects: bool = Field(
        False, description="accept a subject in test and in train or val; the score then says nothing of new people"
    )

    end_tolerance: int = Field(
        5, ge=0, description="frames by which a clip may end after its video and is cut; beyond, it is quarantined"
    )

    @model_validator(mode="after")
    def _root_or_demo(self) -> "CorpusBase":
        if (self.root is None) == (self.demo is None):
            raise ValueError("give either root (a folder of your own) or demo (a drawn corpus)")
        return self


class MigaCorpus(CorpusBase):
    """iMiGUE as the MiGA challenge hands it out."""

    format: Literal["miga"]
    skeleton: Literal["auto", "openpose", "light_hand"] = Field(
        "auto", description="which skeleton files to read; auto prefers the 137 points of openpose"
    )


class Ma52Corpus(CorpusBase):
    """MA-52: one video a clip, and lists."""

    format: Literal["ma52"]
    keypoints: str | None = Field(None, description="folder below root with <clip>.npz skeletons; null: none")


class ManifestCorpus(CorpusBase):
    """Anybody's own clips: a folder with clips.csv."""

    format: Literal["manifest"]


Corpus = Annotated[MigaCorpus | Ma52Corpus | ManifestCorpus, Field(discriminator="format")]


class KeypointSettings(Settings):
    """Which keypoints the streams see."""

    selection: Literal["22", "36", "42", "68"] = Field(
        "36",
        description="points: 36 as MM-Gesture, 22 that every file type has, 42 of the hands, 68 with arms and face",
    )


class RgbSettings(Settings):
    """The video that taylor, flow and the rgb stream start from."""

    size: int = Field(256, ge=16, description="side in pixels of a stored frame cut to the person")
    margin: float = Field(0.2, ge=0, description="added to the person's box on each side, as a share of its size")


class TaylorSettings(Settings):
    """Taylor videos (arXiv 2402.03019)."""

    terms: int = Field(3, ge=1, description="K, terms of the series; more let more of a moving background through")
    window: int = Field(6, ge=4, description="T, frames a window; at least terms + 3")
    signed: bool = Field(False, description="keep the direction of change, 128 = none, instead of cutting at 0")
    scaling: Literal["joint", "channel"] = Field(
        "joint", description="one maximum a frame over the three channels, as MM-Gesture, or one for each channel"
    )

    @model_validator(mode="after")
    def _window_holds_terms(self) -> "TaylorSettings":
        if self.window < self.terms + 3:
            raise ValueError(
                f"taylor.window is {self.window}, but {self.terms} terms need differences over {self.terms + 3} frames"
            )
        return self


class FlowSettings(Settings):
    """Optical flow."""

    backend: Literal["dis"] = Field("dis", description="dis: OpenCV's DIS, medium preset, no weights needed")


class DepthSettings(Settings):
    """Relative depth."""

    backend: Literal["skeleton", "folder"] = Field(
        "skeleton",
        description="skeleton: from foreshortened limbs, needs no weights; folder: depth videos of your own",
    )
    folder: str | None = Field(None, description="for folder: holds <clip_id>.mp4, as many frames as the clip")

    @model_validator(mode="after")
    def _folder_named(self) -> "DepthSettings":
        if (self.backend == "folder") != (self.folder is not None):
            raise ValueError("depth.folder goes with depth.backend: folder, and only with it")
        return self


class Stream(Settings):
    """One trained network."""

    corpus: Name = Field(description="a key of corpora")
    input: Modality = Field(description="what the network sees")
    network: NetworkSettings
    recipe: Name = Field(description="a key of recipes")
    init: Name | None = Field(None, description="another stream whose weights this one starts from; its head is new")


class Ensemble(Settings):
    """Streams whose probabilities are averaged."""

    streams: tuple[Name, ...] = Field(min_length=1, description="keys of streams, all on one corpus")
    weights: Literal["search", "equal"] | dict[Name, float] = Field(
        "search", description="searched on the validation split, equal, or given for each stream (scaled to sum 1)"
    )
    calibrate: bool = Field(True, description="fit one temperature a stream on the validation split before averaging")

    @model_validator(mode="after")
    def _weights_fit(self) -> "Ensemble":
        if isinstance(self.weights, dict):
            if set(self.weights) != set(self.streams):
                odd = sorted(set(self.weights) ^ set(self.streams))
                raise ValueError(f"weights must name the ensemble's streams and no others; {odd[0]} does not fit")
            if min(self.weights.values()) < 0 or sum(self.weights.values()) <= 0:
                raise ValueError("weights must not be negative, and not all zero")
        return self


class Submission(Settings):
    """The file that is handed in."""

    ensemble: Name = Field(description="a key of ensembles")
    sample: str | None = Field(
        None, description="the challenge's sample_submission.csv; its ids and order are followed"
    )


class Config(Settings):
    """The whole configuration."""

    seed: int = Field(0, description="of every random choice in training")
    device: Literal["auto", "cpu", "cuda"] = Field("auto", description="auto: a GPU where there is one")
    threads: int = Field(1, ge=1, description="CPU threads of one training job")
    workers: int = Field(0, ge=0, description="processes that read clips beside one training")
    memory: float = Field(
        1.0, ge=0, description="GiB; without workers, a stream's clips are kept in memory if they are smaller together"
    )
    shards: int = Field(4, ge=1, description="files a corpus is split into; 64 suits iMiGUE and MA-52, 4 the demo")
    max_quarantined: float = Field(0.02, ge=0, le=1, description="share of unusable clips above which a run fails")
    corpora: dict[Name, Corpus] = Field(min_length=1)
    keypoints: KeypointSettings = KeypointSettings()
    rgb: RgbSettings = RgbSettings()
    taylor: TaylorSettings = TaylorSettings()
    flow: FlowSettings = FlowSettings()
    depth: DepthSettings = DepthSettings()
    recipes: dict[Name, Recipe] = Field(min_length=1)
    streams: dict[Name, Stream] = Field(min_length=1)
    ensembles: dict[Name, Ensemble] = Field(min_length=1)
    submission: Submission

    @model_validator(mode="after")
    def _names_exist(self) -> "Config":
        for name, stream in self.streams.items():
            _require(stream.corpus, self.corpora, f"streams.{name}.corpus")
            _require(stream.recipe, self.recipes, f"streams.{name}.recipe")
            if stream.init is not None:
                _require(stream.init, self.streams, f"streams.{name}.init")
            self._refuse_circle(name)
        for name, ensemble in self.ensembles.items():
            for stream in ensemble.streams:
                _require(stream, self.streams, f"ensembles.{name}.streams")
            corpora = {self.streams[stream].corpus for stream in ensemble.streams}
            if len(corpora) > 1:
                raise ValueError(f"ensembles.{name} mixes the corpora {', '.join(sorted(corpora))}")
        _require(self.submission.ensemble, self.ensembles, "submission.ensemble")
        return self

    def _refuse_circle(self, name: str) -> None:
        seen, current = [name], self.streams[name].init
        while current is not None and current in self.streams:
            if current in seen:
                raise ValueError(f"streams start from each other in a circle: {' -> '.join([*seen, current])}")
            seen.append(current)
            current = self.streams[current].init


def _require(key: str, there: dict[str, Any], where: str) -> None:
    if key not in there:
        raise ValueError(f"{where} names '{key}', but there are only {', '.join(there)}")


def load_config(raw: dict[str, Any]) -> Config:
    """Validate a configuration as read from YAML; raises ``InputError`` that names each wrong key and what to do."""
    try:
        return Config.model_validate(raw)
    except ValidationError as error:
        raise InputError(f"the configuration cannot be used:\n{listed_problems(error)}") from None


def listed_problems(error: ValidationError) -> str:
    """What is wrong with some settings, one line a key."""
    return "\n".join(f"  {_place(problem['loc'])}: {_sentence(problem)}" for problem in error.errors())


def _place(loc: tuple[int | str, ...]) -> str:
    return ".".join(str(part) for part in loc) or "settings"


def _sentence(problem: dict[str, Any]) -> str:
    message = problem["msg"].removeprefix("Value error, ")
    return message if problem["type"] in ("value_error", "missing") else f"{message}, not {problem['input']!r}"


def schema_json() -> str:
    """The JSON schema of the configuration, for editors and for ``workflow/schemas``."""
    return json.dumps(Config.model_json_schema(), indent=2) + "\n"
