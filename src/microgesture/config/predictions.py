"""Settings for finding gestures in your own videos. Does not import torch."""

from pydantic import Field

from .base import FilePath, Settings

THRESHOLD = 0.5  # of a recogniser without held-out clips on which a threshold could be fitted
STILLNESS = 0.25  # chosen on recordings of the demo's validation subjects, two of them with long rests


class FindingSettings(Settings):
    """How gestures are found in a recording."""

    fps: float = Field(25.0, gt=0, description="frames per second of files without a frame rate")
    threshold: float | None = Field(
        None,
        ge=0,
        le=1,
        description="report gestures with a higher probability; a lower value finds more; null: the recogniser's own, "
        "which was fitted on held-out clips",
    )
    overlap: bool | None = Field(
        None,
        description="let gestures of different classes overlap; null: if they do in the recogniser's training data",
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
    pictures: bool = Field(True, description="also write NAME.html with the timeline, and its video NAME.mp4")
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
