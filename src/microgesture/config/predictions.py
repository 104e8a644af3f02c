"""The setting that has gestures found in videos of one's own. Light: no torch."""

from pydantic import Field

from .base import Settings

# Chosen on recordings of the demo's validation people: five of the corpus, and two drawn with long rests.
THRESHOLD, STILLNESS = 0.5, 0.25


class FindingSettings(Settings):
    """How gestures are found in a recording."""

    fps: float = Field(25.0, gt=0, description="frames a second where a file does not say")
    threshold: float = Field(
        THRESHOLD, ge=0, le=1, description="probability that a gesture has more than; lower finds more"
    )
    stillness: float = Field(
        STILLNESS,
        ge=0,
        le=1,
        description="what moves less than this share of the liveliest moments of its video is rest; 0: look at "
        "everything, for gestures that hardly move beside others that do",
    )
    join: float | None = Field(
        None,
        ge=0,
        description="seconds up to which two gestures of one class that follow each other are one, for gestures much "
        "longer than those that were learnt; null: they stay two",
    )
    pictures: bool = Field(True, description="also NAME.mp4, annotated, and NAME.html, the timeline beside it")
    pose: bool | None = Field(
        None,
        description="find keypoints in videos that have no file of them (extra pose); null: if the recogniser has "
        "learnt from such keypoints",
    )


class PredictionSettings(FindingSettings):
    """Recordings in which gestures are to be found, the target ``predictions``."""

    folder: str = Field(description="with videos, or files of keypoints; each gets results/predictions/NAME.csv")
    recogniser: str | None = Field(
        None, description="folder that `microgesture export` has written; null: this run's own, once it is trained"
    )
