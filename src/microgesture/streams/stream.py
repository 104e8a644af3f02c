"""One stream: a network, what it sees and how it is trained."""

import re
from typing import Annotated, Literal

from pydantic import Field

from ..networks.settings import HEATMAPS, SKELETONS, NetworkSettings
from ..settings import Settings
from .recipe import Recipe

Modality = Literal[
    *("joint", "limb", "skeleton", "bone", "direction", "motion", "skeleton3d", "bone3d"),
    *("rgb", "taylor", "flow", "depth", "face"),
]
SelectionName = Literal["21", "22", "36", "42", "68", "25"]
Inputs = Annotated[tuple[Modality, ...], Field(min_length=1, max_length=2)]


def store(modality: Modality) -> str:
    """The kind of shard that a modality is made of: ``keypoints`` or a kind of video."""
    return "keypoints" if modality in (*HEATMAPS, *SKELETONS) else modality


def is_published_name(text: str) -> bool:
    """Whether a text is written like torchvision's names of weights, as ``Swin_S_Weights.IMAGENET1K_V1`` is.

    Files' names are not: their last part is no upper-case word.
    """
    return re.fullmatch(r"[A-Z]\w*_Weights\.[A-Z][A-Z0-9_]*", text) is not None


class Branch(Settings):
    """One of the two networks that a fused stream joins."""

    network: NetworkSettings
    recipe: Recipe = Field(description="of the stream that it comes from, which says how its input is shown")


class TrainStep(Settings):
    """A stream to train, or to predict with."""

    stream: str
    inputs: Inputs = Field(description="what the network sees, in the order of its arguments")
    selection: SelectionName | None = Field(description="of keypoints; null for videos alone")
    margin: float | None = Field(
        None, description="about the person in the stored videos, for heatmaps seen in the same crop; else null"
    )
    network: NetworkSettings
    branches: tuple[Branch, ...] | None = Field(
        None, description="of a fused stream, in the order of its inputs; null for every other"
    )
    recipe: Recipe
    seed: int
    weights: str | None = Field(None, description="published weights to start from: a name, or a file")
    pseudo_labels: str | None = Field(None, description="ensemble whose labels of test clips are learnt from too")
    folds: int | None = Field(None, ge=2, description="parts that the subjects are dealt into; null: train on all")
    max_quarantined: float = Field(ge=0, le=1, description="share of clips without this input above which it fails")

    @property
    def parts(self) -> tuple["TrainStep", ...]:
        """The branches of a fused stream, each as a stream of one input; none for every other.

        An input is shown as its branch's recipe says, but for mirroring, which is decided for all of them.
        """
        return tuple(map(self._part, self.inputs, self.branches)) if self.branches else ()

    def _part(self, modality: Modality, branch: Branch) -> "TrainStep":
        shared = {"flip": self.recipe.flip, "test_flip": self.recipe.test_flip}
        changed = {"inputs": (modality,), "network": branch.network, "branches": None}
        return self.model_copy(update={**changed, "recipe": branch.recipe.model_copy(update=shared)})
