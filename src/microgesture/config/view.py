"""Settings of the sheets that show what networks see of a clip."""

from typing import Literal

from pydantic import Field

from .base import Settings
from .modalities import MODALITIES, SelectionName


class ViewSettings(Settings):
    """Sheets of some clips of every class, the target ``views``."""

    clips: int = Field(2, ge=1, description="clips of each class that get a sheet and a video, of different people")
    frames: int = Field(8, ge=2, description="moments on a sheet, evenly spaced over the clip")
    cell: int = Field(128, ge=32, description="height of a picture on a sheet or in a video, in pixels")


class HeatmapView(Settings):
    """How a network sees keypoints as heatmaps."""

    size: int = Field(ge=8, description="side of the network's input in pixels")
    sigma: float = Field(gt=0, description="radius of a joint's or a limb's heatmap in pixels of the input")
    margin: float | None = Field(description="about the person in the video that is seen beside them; null: alone")


class ViewStep(ViewSettings):
    """A corpus to show."""

    kinds: tuple[Literal[*MODALITIES], ...] = Field(description="kinds of shard that the corpus has")
    selection: SelectionName = Field(description="of keypoints")
    margin: float = Field(ge=0, description="about the person in the stored videos, as a share of the person's size")
    rest: dict[str, int] = Field({}, description="by modality: the stored value of no motion, if it has one")
    heatmaps: dict[Literal["joint", "limb"], HeatmapView] = Field(
        {}, description="those that the first stream of each kind sees"
    )
    ensemble: str | None = Field(None, description="whose predictions stand on the sheets; null: nobody's")
