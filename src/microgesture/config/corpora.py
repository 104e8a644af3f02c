"""Settings of a corpus in each format, and of the stages that generate it and list its clips."""

from typing import Annotated, Any, ClassVar, Literal, Union

from pydantic import Field, field_validator

from .base import Settings
from .corpus_format import CorpusFormat, DemoSettings, KeypointFiles, Normalized, Release, RowTolerance
from .extensions import by_name
from .pose import PoseName


class MigaCorpus(CorpusFormat):
    """iMiGUE as distributed by the MiGA challenge."""

    title: ClassVar = "iMiGUE"
    module: ClassVar = "microgesture.corpora.miga"
    facts: ClassVar = "microgesture/tables/imigue.json"
    release: ClassVar = Release(r"\d{4}_(label|light_hand)\.csv", "imigue", "config/mm_gesture.yaml", "docs/imigue.md")
    synthetic_module: ClassVar = "microgesture.demo.miga"
    synthetic_sources: ClassVar = frozenset({"video", "keypoints"})
    synthetic_emotions: ClassVar = True

    format: Literal["miga"]
    skeleton: Literal["auto", "openpose", "light_hand"] = Field(
        "auto", description="which skeleton files to read; auto prefers the 137 points of openpose"
    )


class Ma52Corpus(CorpusFormat):
    """MA-52: one video for each clip, and one list for each split."""

    title: ClassVar = "MA-52"
    module: ClassVar = "microgesture.corpora.ma52"
    facts: ClassVar = "microgesture/tables/ma52.json"
    release: ClassVar = Release(r"(train|val|test)_list_videos\.txt", "ma52", "config/mm_gesture.yaml", "docs/ma52.md")
    synthetic_module: ClassVar = "microgesture.demo.ma52"
    synthetic_sources: ClassVar = frozenset({"video"})
    ranked: ClassVar = True

    format: Literal["ma52"]
    skeletons: str | None = Field(None, description="folder below root with <clip>.npz skeletons; null: none")

    @field_validator("keypoints", mode="before")
    @classmethod
    def _name_the_new_key(cls, keypoints: Any) -> Any:
        if isinstance(keypoints, str):
            raise ValueError(f"the key of the folder {keypoints} is now called 'skeletons'; rename it")
        return keypoints


class SmgCorpus(CorpusFormat):
    """SMG: long sequences with the joints and the colour video of a Kinect v2."""

    title: ClassVar = "SMG"
    module: ClassVar = "microgesture.corpora.smg"
    facts: ClassVar = "microgesture/tables/smg.json"
    in_space: ClassVar = True
    release: ClassVar = Release(
        r"Sample\d{4}_(finelabels\.csv|skeleton\.csv|color\.mp4)", "smg", "config/multitrack.yaml", "docs/smg.md"
    )
    synthetic_module: ClassVar = "microgesture.demo.smg"
    synthetic_sources: ClassVar = frozenset({"video", "keypoints", "metres"})

    format: Literal["smg"]


class ManifestCorpus(CorpusFormat):
    """Your own clips: a folder with ``clips.csv``."""

    title: ClassVar = "clips.csv"
    module: ClassVar = "microgesture.corpora.manifest"
    has_person_ids: ClassVar = True

    format: Literal["manifest"]
    subject_column: str = Field(
        "subject",
        min_length=1,
        description="column of the people; or of something else that results should generalise to, such as a camera. "
        "Folds hold out its values",
    )


class UnlabelledCorpus(CorpusFormat):
    """Whole recordings without labels, for pretraining: a folder with files of keypoints, cut into windows."""

    title: ClassVar = "recordings without labels"
    module: ClassVar = "microgesture.corpora.unlabelled"

    format: Literal["unlabelled"]
    seconds: float = Field(4.0, gt=0, le=3600, description="length of a window")
    rate: float = Field(30.0, gt=0, le=1000, description="frames a second of the files of keypoints")


_BUILT_IN = (MigaCorpus, Ma52Corpus, SmgCorpus, ManifestCorpus, UnlabelledCorpus)
FORMATS: dict[str, type[CorpusFormat]] = by_name(CorpusFormat, _BUILT_IN, lambda corpus: corpus.format_name())
SYNTHETIC = tuple(name for name, corpus in FORMATS.items() if corpus.synthetic_module)

Corpus = Annotated[Union[tuple(FORMATS.values())], Field(discriminator="format")]  # noqa: UP007


class DemoStep(DemoSettings):
    """A synthetic corpus to generate."""

    layout: Literal[SYNTHETIC] = Field(description="the release whose file layout the corpus has")


class ListStep(Settings):
    """A synthetic corpus whose clips are listed; all other corpora are listed before a run is planned."""

    corpus: str
    format: Literal[tuple(FORMATS)]
    root: str = Field(description="folder of the corpus")
    shards: int = Field(ge=1)
    options: dict[str, Any] = Field({}, description="settings of the reader of this format")


class MeasureStep(Settings):
    """Clips whose files are opened."""

    corpus: str
    root: str = Field(description="folder of the corpus")
    end_tolerance: int = Field(ge=0, description="frames by which a clip may end after its video")
    fps: float | None = Field(None, description="frames per second to which clips are resampled; null: they are not")


class ClipsStep(Settings):
    """Clips with their labels: of train and val, of test, or all."""

    corpus: str
    listing: str = Field(description="digest of the clips, their labels and the versions of their files")


class SkeletonStep(Settings):
    """Skeleton files to read, or videos in which to find keypoints."""

    root: str = Field(description="folder of the corpus")
    files: KeypointFiles = Field(KeypointFiles(), description="how files of keypoints are read")
    normalized: Normalized = False
    row_tolerance: RowTolerance = 0.01
    pose: PoseName | None = Field(
        None, exclude_if=lambda pose: pose is None, description="method that finds keypoints; null: files are read"
    )
    pose_weights: str | None = Field(
        None, exclude_if=lambda folder: folder is None, description="folder with the networks of the method"
    )
