"""Settings of a corpus: where it lies, or how it is drawn, and the formats that a release may have."""

from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Literal, Union, get_args

from pydantic import Field, model_validator

from .base import Settings
from .extensions import declared


class DemoSettings(Settings):
    """A corpus that the pipeline draws for itself, in the layout of the release that ``format`` names."""

    seed: int = Field(0, description="everything in the corpus follows from it")
    subjects: dict[Literal["train", "val", "test"], int] = Field(
        description="people in each split; none is in two splits"
    )
    clips: dict[Literal["train", "val", "test"], int] = Field(description="about how many clips in each split")
    frame: tuple[int, int] = Field((320, 240), description="width and height of the videos in pixels")
    emotion: bool = Field(
        False, description="everybody sits once after a win and once after a loss, and gestures and face tell; for miga"
    )


class CorpusBase(Settings):
    """What every corpus has; a format adds ``format: Literal["..."]`` and the options of its reader."""

    demo_emotions: ClassVar[bool] = False  # whether the synthetic version can have emotions
    root: str | None = Field(None, description="folder of the corpus; null only for a demo")
    demo: DemoSettings | None = Field(None, description="draw the corpus instead of reading it from a folder")
    allow_shared_subjects: bool = Field(
        False, description="accept a subject in test and in train or val; the score then says nothing of new people"
    )

    pose: Literal["mediapipe"] | None = Field(
        None, description="find keypoints in the videos of a corpus that has none: mediapipe (an extra); null: do not"
    )
    end_tolerance: int = Field(
        5, ge=0, description="frames by which a clip may end after its video and is cut; beyond, it is quarantined"
    )

    @model_validator(mode="after")
    def _root_or_demo(self) -> "CorpusBase":
        if (self.root is None) == (self.demo is None):
            raise ValueError("give either root (a folder of your own) or demo (a drawn corpus)")
        if self.demo is not None and FORMATS[self.format].demo is None:
            raise ValueError(f"format {self.format} has no demo; give root, or one of the formats {', '.join(_DRAWN)}")
        if self.demo is not None and self.demo.emotion and not self.demo_emotions:
            raise ValueError(f"a demo of format {self.format} has no emotions; leave demo.emotion out")
        return self


class MigaCorpus(CorpusBase):
    """iMiGUE as the MiGA challenge hands it out."""

    demo_emotions: ClassVar[bool] = True
    format: Literal["miga"]
    skeleton: Literal["auto", "openpose", "light_hand"] = Field(
        "auto", description="which skeleton files to read; auto prefers the 137 points of openpose"
    )


class Ma52Corpus(CorpusBase):
    """MA-52: one video a clip, and lists."""

    format: Literal["ma52"]
    keypoints: str | None = Field(None, description="folder below root with <clip>.npz skeletons; null: none")


class SmgCorpus(CorpusBase):
    """SMG: long sequences with the joints and the colour video of a Kinect v2."""

    format: Literal["smg"]


class ManifestCorpus(CorpusBase):
    """Anybody's own clips: a folder with clips.csv."""

    format: Literal["manifest"]


@dataclass(frozen=True)
class Release:
    """How ``microgesture init`` knows the folder of a published corpus, and what it names to read it.

    ``files`` is a pattern of file names that only this release has, in any case; ``settings`` a configuration that
    reads it under the key ``corpus``; ``page`` the documentation.
    """

    files: str
    corpus: str
    settings: str
    page: str


@dataclass(frozen=True)
class CorpusFormat:
    """The declaration of one format; its name is that in the ``Literal`` of ``format`` in ``settings``.

    ``module`` has a function ``read(root, **options)`` that returns a ``corpora.listing.Listing``, and may have
    ``provides(root, **options)`` where that is known without reading everything; the options are the fields that
    ``settings`` has beside those of ``CorpusBase``. ``table`` is a file of facts in the package, below its parent
    folder. ``in_space`` says that keypoints have metres too. ``demo`` is the module that writes a synthetic version
    (see ``demo.corpus``), which has the kinds of source ``synthetic``.
    """

    title: str
    settings: type[CorpusBase]
    module: str
    table: str | None = None
    in_space: bool = False
    demo: str | None = None
    synthetic: frozenset[str] = frozenset()
    release: Release | None = None

    @property
    def name(self) -> str:
        """The value of ``format`` in a configuration."""
        (name,) = get_args(self.settings.model_fields["format"].annotation)
        return name


MIGA = CorpusFormat(
    title="iMiGUE",
    settings=MigaCorpus,
    module="microgesture.corpora.miga",
    table="microgesture/tables/imigue.json",
    demo="microgesture.demo.miga",
    synthetic=frozenset({"video", "keypoints"}),
    release=Release(r"\d{4}_(label|light_hand)\.csv", "imigue", "config/mm_gesture.yaml", "docs/imigue.md"),
)
MA52 = CorpusFormat(
    title="MA-52",
    settings=Ma52Corpus,
    module="microgesture.corpora.ma52",
    table="microgesture/tables/ma52.json",
    demo="microgesture.demo.ma52",
    synthetic=frozenset({"video"}),
    release=Release(r"(train|val|test)_list_videos\.txt", "ma52", "config/mm_gesture.yaml", "docs/ma52.md"),
)
SMG = CorpusFormat(
    title="SMG",
    settings=SmgCorpus,
    module="microgesture.corpora.smg",
    table="microgesture/tables/smg.json",
    in_space=True,
    demo="microgesture.demo.smg",
    synthetic=frozenset({"video", "keypoints", "metres"}),
    release=Release(
        r"Sample\d{4}_(finelabels\.csv|skeleton\.csv|color\.mp4)", "smg", "config/multitrack.yaml", "docs/smg.md"
    ),
)
MANIFEST = CorpusFormat(title="clips.csv", settings=ManifestCorpus, module="microgesture.corpora.manifest")

FORMATS: dict[str, CorpusFormat] = {entry.name: entry for entry in (MIGA, MA52, SMG, MANIFEST, *declared(CorpusFormat))}
_DRAWN = tuple(name for name, entry in FORMATS.items() if entry.demo)

Corpus = Annotated[Union[tuple(entry.settings for entry in FORMATS.values())], Field(discriminator="format")]  # noqa: UP007


class DemoStep(DemoSettings):
    """A corpus to draw."""

    layout: Literal[_DRAWN] = Field(description="the release whose files to imitate")


class ClipsStep(Settings):
    """A corpus to list."""

    corpus: str
    format: Literal[tuple(FORMATS)]
    root: str = Field(description="folder of the corpus")
    shards: int = Field(ge=1)
    max_quarantined: float = Field(ge=0, le=1)
    options: dict[str, Any] = Field({}, description="the reader's own settings")


class SkeletonStep(Settings):
    """Skeleton files to read, or videos to find keypoints in."""

    root: str = Field(description="folder of the corpus")
