"""What every corpus format declares: its settings, its reader, and how its release is known. Light: no pandas."""

from dataclasses import dataclass
from typing import ClassVar, Literal, get_args

from pydantic import Field, model_validator

from .base import Settings


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


class CorpusFormat(Settings):
    """The settings of a corpus, and the declaration of its format.

    A subclass adds ``format: Literal["..."]``, the options of its reader as fields, and the class variables below. Its
    ``module`` has a function ``read(root, **options)`` that returns a ``corpora.listing.Listing``, and may have
    ``provides(root, **options)`` where that is known without reading everything.
    """

    title: ClassVar[str]  # the name that people know it by
    module: ClassVar[str]
    facts: ClassVar[str | None] = None  # a file in the package that the reader takes its classes and lists from
    in_space: ClassVar[bool] = False  # whether keypoints have metres too
    release: ClassVar[Release | None] = None
    # The synthetic version: the module that writes it (see ``demo.corpus``), its sources, whether it can have emotions.
    synthetic_module: ClassVar[str | None] = None
    synthetic_sources: ClassVar[frozenset[str]] = frozenset()
    synthetic_emotions: ClassVar[bool] = False

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
    def _root_or_demo(self) -> "CorpusFormat":
        if (self.root is None) == (self.demo is None):
            raise ValueError("give either root (a folder of your own) or demo (a drawn corpus)")
        if self.demo is not None and self.synthetic_module is None:
            raise ValueError(f"format {self.format} has no demo; give root")
        if self.demo is not None and self.demo.emotion and not self.synthetic_emotions:
            raise ValueError(f"a demo of format {self.format} has no emotions; leave demo.emotion out")
        return self

    @classmethod
    def format_name(cls) -> str:
        """The value of ``format`` in a configuration."""
        (name,) = get_args(cls.model_fields["format"].annotation)
        return name
