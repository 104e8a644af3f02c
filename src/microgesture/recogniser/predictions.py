"""The setting that has gestures found in videos of one's own. Light: no torch."""

from pydantic import Field

from ..settings import Settings

THRESHOLD = 0.4  # chosen on two validation recordings of the demo, on which 0 to 0.4 find the same gestures


class FindingSettings(Settings):
    """How gestures are found in a recording."""

    fps: float = Field(25.0, gt=0, description="frames a second where a file does not say")
    threshold: float = Field(
        THRESHOLD, ge=0, le=1, description="probability that a gesture has more than; lower finds more"
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
