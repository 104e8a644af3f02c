"""The declaration of a corpus format: its settings, its reader, and its release. Does not import pandas."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, get_args

from pydantic import Field, model_validator

from .base import FilePath, Seed, Settings
from .layouts import LayoutChoice
from .pose import POSE_METHODS, PoseName

LARGEST, LONGEST, MOST_CENTRAL, MOST_MOVING = "largest", "longest", "most_central", "most_moving"
PERSON_RULES = (LARGEST, LONGEST, MOST_CENTRAL, MOST_MOVING)
# Left out of the settings of a step, so that a corpus of one person in each file does not depend on them.
Person = Annotated[
    str,
    Field(
        pattern=r"^\S(.*\S)?$",
        max_length=200,
        exclude_if=lambda person: person == LARGEST,
        description=f"rule that chooses the person of a clip if its file of keypoints, or its video, shows several: "
        f"{', '.join(PERSON_RULES)}, or the name of a column of clips.csv with the id of the person in the file",
    ),
]

Normalized = Annotated[
    bool,
    Field(
        description="x and y in the files of keypoints are fractions (0 to 1) of the video's width and height; they "
        "are converted to pixels. false: they are pixels"
    ),
]
RowTolerance = Annotated[
    float,
    Field(
        ge=0,
        le=1,
        description="fraction by which the rows of a file of keypoints and the frames of its video may differ; up to 5 "
        "rows always may. Otherwise the file is not used, because later rows would belong to other frames",
    ),
]


class DemoSettings(Settings):
    """A synthetic corpus that the workflow generates, in the file layout of the release that ``format`` names."""

    seed: Seed = Field(0, description="random seed of the corpus")
    subjects: dict[Literal["train", "val", "test"], int] = Field(
        description="number of subjects in each split; no subject is in two splits"
    )
    clips: dict[Literal["train", "val", "test"], int] = Field(description="approximate number of clips in each split")
    frame: tuple[int, int] = Field((320, 240), description="width and height of the videos in pixels")
    emotion: bool = Field(
        False,
        description="record each subject after a win and after a loss, visible in gestures and face; only for miga",
    )


@dataclass(frozen=True)
class Release:
    """How ``microgesture init`` recognises the folder of a published corpus, and how to read that corpus.

    ``files`` is a pattern of file names that only this release has; upper and lower case are equal. ``settings`` is a
    configuration that reads the release under the key ``corpus``, and ``page`` is its documentation.
    """

    files: str
    corpus: str
    settings: str
    page: str


class KeypointFiles(Settings):
    """How the files of keypoints of a corpus are read."""

    layout: LayoutChoice | None = Field(
        None,
        description="names of their points: a layout such as coco_wholebody, or a yaml file with `points` and `limbs`; "
        "null: by names in the files, else by their number of points if only one layout has so many",
    )
    up: Literal["y", "-y", "z"] = Field("y", description="axis that points up, for points in space")


class CorpusFormat(Settings):
    """The settings of a corpus, and the declaration of its format.

    A subclass adds ``format: Literal["..."]``, the options of its reader as fields, and the class variables below. Its
    ``module`` has a function ``read(root, **options)`` that returns a ``corpora.listing.Listing``. It may also have a
    function ``provides(root, **options)``, which returns what the corpus has ("video", "keypoints", and "metres" for
    points in space) without reading all of it. Without it, ``read`` runs whenever a run is planned, so it should be
    fast.
    """

    title: ClassVar[str]  # the usual name of the corpus
    module: ClassVar[str]
    facts: ClassVar[str | None] = None  # a file in the package with classes and lists for the reader
    has_person_ids: ClassVar[bool] = False  # whether ``read`` has an option ``person``, a column of its lists with ids
    in_space: ClassVar[bool] = False  # whether keypoints also have coordinates in metres
    release: ClassVar[Release | None] = None
    # The synthetic version: the module that writes it (see ``demo.corpus``), what it provides, whether it has emotions.
    synthetic_module: ClassVar[str | None] = None
    synthetic_sources: ClassVar[frozenset[str]] = frozenset()
    synthetic_emotions: ClassVar[bool] = False
    ranked: ClassVar[bool] = False  # whether its challenge asks for the five likeliest classes and groups of each clip

    root: FilePath | None = Field(None, description="folder of the corpus; null only with demo")
    demo: DemoSettings | None = Field(
        None, description="generate a synthetic corpus instead of reading one from a folder"
    )
    allow_shared_subjects: bool = Field(
        False,
        description="accept people who are in test and in train or val; results then do not apply to new people",
    )
    normalized: Normalized = False
    keypoints: KeypointFiles = Field(KeypointFiles(), description="how its files of keypoints are read")
    row_tolerance: RowTolerance = 0.01
    watch_files: bool = Field(
        True,
        description="look up size and time of every file before a run, so that a replaced file is used; false saves "
        "time on a slow network drive",
    )
    pose: PoseName | None = Field(
        None,
        description="method that finds keypoints in the videos of a corpus without any: mediapipe (extra pose), which "
        "follows one person, or rtmw (extra rtmw), which finds everybody; null: none",
    )
    pose_weights: FilePath | None = Field(
        None,
        description="for rtmw: folder with two ONNX files, a detector of people and a network of 133 points; null: "
        "rtmlib fetches the published ones once",
    )
    person: Person = LARGEST
    fps: float | None = Field(
        None,
        ge=1,
        le=1000,
        description="frames per second to which clips of another rate are resampled: of a video and its keypoints, the "
        "frames nearest in time; null: clips keep their frames",
    )
    groups: dict[str, Annotated[tuple[str, ...], Field(min_length=1)]] = Field(
        {},
        description="groups of classes, such as body parts, each with its classes; every class is in one group. With "
        "them F1_mean is measured. Empty: the groups of the release, if it has any",
    )
    end_tolerance: int = Field(
        5,
        ge=0,
        description="a clip that ends up to this many frames after its video is shortened; if it ends later, it is "
        "quarantined",
    )

    @model_validator(mode="after")
    def _root_or_demo(self) -> "CorpusFormat":
        if (self.root is None) == (self.demo is None):
            raise ValueError("give either root (the folder of a corpus) or demo (a synthetic corpus)")
        if self.demo is not None and self.synthetic_module is None:
            raise ValueError(f"format {self.format} has no synthetic version; replace demo by root")
        if self.demo is not None and self.demo.emotion and not self.synthetic_emotions:
            raise ValueError(f"a synthetic corpus of format {self.format} has no emotions; remove demo.emotion")
        if self.person not in PERSON_RULES and not self.has_person_ids:
            raise ValueError(f"person: {self.person} is not one of {', '.join(PERSON_RULES)}")
        if self.pose and self.person != LARGEST and not POSE_METHODS[self.pose].several:
            several = ", ".join(name for name, method in POSE_METHODS.items() if method.several)
            raise ValueError(
                f"pose: {self.pose} finds only one person in a frame, so person: {self.person} has no effect; remove "
                f"it, or use pose: {several}, which finds everybody"
            )
        if self.pose_weights is not None and not (self.pose and POSE_METHODS[self.pose].has_weights):
            methods = ", ".join(name for name, method in POSE_METHODS.items() if method.has_weights)
            raise ValueError(f"pose_weights is only for pose: {methods}; remove it")
        if self.normalized and (self.demo is not None or self.pose is not None):
            raise ValueError("normalized is for files of keypoints, which this corpus does not have; remove it")
        return self

    @property
    def class_groups(self) -> dict[str, tuple[str, ...]]:
        """The classes of each group: ``groups``, or those that the facts of the release declare; may be empty."""
        if self.groups or self.facts is None:
            return self.groups
        facts = json.loads(Path(__file__).parents[2].joinpath(self.facts).read_text(encoding="utf-8"))
        classes = facts.get("classes", ())
        return {group["name"]: tuple(classes[group["first"] : group["last"] + 1]) for group in facts.get("groups", ())}

    def own_options(self) -> dict[str, Any]:
        """The options of the reader of this format."""
        return self.model_dump(mode="json", exclude={*CorpusFormat.model_fields, "format"})

    def reader_options(self) -> dict[str, Any]:
        """The options of ``corpora.declare`` for this corpus."""
        options = self.own_options() | {"pose": self.pose, "allow_shared_subjects": self.allow_shared_subjects}
        return options if self.person in PERSON_RULES else options | {"person": self.person}

    @classmethod
    def format_name(cls) -> str:
        """The value of ``format`` in a configuration."""
        (name,) = get_args(cls.model_fields["format"].annotation)
        return name
