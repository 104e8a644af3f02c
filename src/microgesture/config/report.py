"""Settings of the report."""

from typing import Any

from pydantic import Field

from .base import Settings


class ReportSettings(Settings):
    """The page ``results/report.html``."""

    frames: bool = Field(
        False,
        description="show a few frames of some clips that every stream gets wrong, faces included; a page with frames "
        "may be handed on only to those who may see the clips",
    )


class ReportStep(Settings):
    """The ensemble to show, and the settings to list."""

    submitted: str = Field(description="the ensemble that is handed in")
    measured: str = Field(
        description="the ensemble whose held-out clips are shown: that one, or the one in calibration_from"
    )
    streams: tuple[str, ...] = Field(min_length=1, description="of the measured ensemble, in its order")
    folds: int = Field(0, ge=0, description="parts of the people that it is measured on; 0: on val")
    frames: bool = Field(False, description="whether some frames of clips are shown")
    configuration: dict[str, Any] = Field({}, description="settings to list on the page")
