"""Settings of the report."""

from typing import Any

from pydantic import Field

from .base import Settings
from .measures import GroundTruth, GroupedClasses


class ReportSettings(Settings):
    """The page ``results/report.html``."""

    frames: bool = Field(
        False,
        description="show frames, with faces, of some clips that all streams classify wrongly; share such a page only "
        "with people who may see the clips",
    )
    videos: bool = Field(
        False,
        description="link the clips that all streams classify wrongly to their videos, with the part to play; the "
        "links work only on this machine, and show its folders",
    )


class ReportStep(GroupedClasses):
    """The ensemble to show, and the settings to list."""

    submitted: str = Field(description="the ensemble of the submission")
    measured: str = Field(
        description="the ensemble whose held-out clips are shown: the submitted one, or its calibration_from"
    )
    streams: tuple[str, ...] = Field(min_length=1, description="streams of the measured ensemble, in its order")
    folds: int = Field(0, ge=0, description="folds of subjects on which it is measured; 0: on val")
    frames: bool = Field(False, description="whether frames of clips are shown")
    submitted_streams: tuple[str, ...] = Field((), description="streams of the submitted ensemble, in its order")
    ground_truth: GroundTruth | None = Field(None, description="labels of test clips; null: they are not measured")
    videos: str | None = Field(None, description="folder of the videos to which clips are linked; null: no links")
    configuration: dict[str, Any] = Field({}, description="settings to list on the page")
