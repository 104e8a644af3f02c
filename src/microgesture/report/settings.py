"""Settings of the report."""

from pydantic import Field

from ..settings import Settings


class ReportSettings(Settings):
    """The page ``results/report.html``."""

    frames: bool = Field(
        False,
        description="show a few frames of some clips that every stream gets wrong, faces included; a page with frames "
        "may be handed on only to those who may see the clips",
    )
