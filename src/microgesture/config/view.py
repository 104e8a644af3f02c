"""Settings of the contact sheets that show the network inputs of a clip."""

from typing import Literal

from pydantic import Field

from .base import Settings
from .layouts import SelectionChoice
from .modalities import MODALITIES


class ViewSettings(Settings):
    """Contact sheets of some clips of every class, for the target ``views``."""

    clips: int = Field(2, ge=1, description="clips per class with a sheet and a video, of different subjects")
    frames: int = Field(8, ge=2, description="moments on a sheet, evenly spaced over the clip")
    cell: int = Field(128, ge=32, description="height of a picture on a sheet or in a video, in pixels")


class HeatmapView(Settings):
    """The heatmaps that a network receives."""

    size: int = Field(ge=8, description="side of the network's input in pixels")
    sigma: float = Field(gt=0, description="radius of a joint's or a limb's heatmap in pixels of the input")
    beside_video: bool = Field(False, description="the same network also receives a video")
    margin: float | None = Field(
        None, description="margin around the person in that video; null: it shows full frames, or there is none"
    )


class ViewStep(ViewSettings):
    """A corpus to show."""

    kinds: tuple[Literal[*MODALITIES], ...] = Field(description="kinds of shards that the corpus has")
    selection: SelectionChoice = Field(description="selection of keypoints")
    margin: float | None = Field(
        ge=0,
        description="margin around the person in the stored videos, as a fraction of the person's size; null: they "
        "show full frames",
    )
    rest: dict[str, int] = Field({}, description="by modality: the stored value of no motion, if it has one")
    heatmaps: dict[Literal["joint", "limb"], HeatmapView] = Field(
        {}, description="heatmaps of the first stream of each kind"
    )
    ensemble: str | None = Field(None, description="ensemble whose predictions the sheets show; null: none")
