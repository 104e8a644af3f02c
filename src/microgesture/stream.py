"""One stream: a network, what it sees and how it is trained."""

from typing import Literal

from pydantic import Field

from .networks.settings import NetworkSettings
from .recipe import Recipe
from .settings import Settings

Modality = Literal["joint", "limb", "rgb", "taylor", "flow", "depth"]


class TrainStep(Settings):
    """A stream to train, or to predict with."""

    stream: str
    input: Modality
    selection: Literal["22", "36", "42", "68"] | None = Field(description="of keypoints; null for videos")
    network: NetworkSettings
    recipe: Recipe
    seed: int
    max_quarantined: float = Field(ge=0, le=1, description="share of clips without this input above which it fails")
