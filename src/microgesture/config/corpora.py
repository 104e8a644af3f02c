"""Settings of a corpus: where it lies, or how it is drawn, and how its release is read."""

from typing import Annotated, Any, Literal

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
        False, description="miga: everybody sits once after a win and once after a loss, and gestures and face tell"
    )


class CorpusBase(Settings):
    """What every corpus has, whatever its format."""

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
        if self.demo is not None and self.demo.emotion and self.format != "miga":
            raise ValueError("only a demo of format miga has emotions; leave demo.emotion out")
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


class SmgCorpus(CorpusBase):
    """SMG: long sequences with the joints and the colour video of a Kinect v2."""

    format: Literal["smg"]


class ManifestCorpus(CorpusBase):
    """Anybody's own clips: a folder with clips.csv."""

    format: Literal["manifest"]


Corpus = Annotated[MigaCorpus | Ma52Corpus | SmgCorpus | ManifestCorpus, Field(discriminator="format")]


class DemoStep(DemoSettings):
    """A corpus to draw."""

    layout: Literal["miga", "ma52", "smg"] = Field(description="the release whose files to imitate")


class ClipsStep(Settings):
    """A corpus to list."""

    corpus: str
    format: Literal["miga", "ma52", "smg", "manifest"]
    root: str = Field(description="folder of the corpus")
    shards: int = Field(ge=1)
    options: dict[str, Any] = Field({}, description="the reader's own settings")


class SkeletonStep(Settings):
    """Skeleton files to read, or videos to find keypoints in."""

    root: str = Field(description="folder of the corpus")
