"""Settings for finding gestures in your own videos. Does not import torch."""

from pydantic import Field

from .base import FilePath, Settings

# Chosen on recordings of the demo's validation subjects: five of the corpus, and two synthetic ones with long rests.
THRESHOLD, STILLNESS = 0.5, 0.25


class FindingSettings(Settings):
    """How gestures are found in a recording."""

    fps: float = Field(25.0, gt=0, description="frames per second of files without a frame rate")
    threshold: float = Field(
        THRESHOLD, ge=0, le=1, description="report gestures with a higher probability; a lower value finds more"
    )
    stillness: float = Field(
        STILLNESS,
        ge=0,
        le=1,
        description="moments with less than this fraction of the strongest motion in their video count as rest; 0: "
        "search all moments, for videos with both small and large gestures",
    )
    join: float | None = Field(
        None,
        ge=0,
        description="merge successive gestures of one class with a gap of at most this many seconds, for gestures much "
        "longer than those in training; null: do not merge",
    )
    pictures: bool = Field(True, description="also write NAME.mp4, annotated, and NAME.html with the timeline")
    pose: bool | None = Field(
        None,
        description="find keypoints in videos without a file of keypoints (needs the extra pose); null: only if the "
        "recogniser was trained on such keypoints",
    )


class PredictionSettings(FindingSettings):
    """Recordings in which to find gestures, for the target ``predictions``."""

    folder: FilePath = Field(
        description="folder with videos or files of keypoints; each gets results/predictions/NAME.csv"
    )
    recogniser: FilePath | None = Field(
        None, description="folder written by `microgesture export`; null: the ensemble of this run"
    )
