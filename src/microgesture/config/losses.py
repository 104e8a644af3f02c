"""Settings of the terms of the training loss. Does not import torch."""

from typing import Annotated, ClassVar, Literal, Union

from pydantic import Field

from .extensions import by_name
from .loss_settings import LossSettings


class CrossEntropySettings(LossSettings):
    """Cross entropy of the classes, or the focal loss (arXiv 1708.02002)."""

    module: ClassVar = "microgesture.streams.cross_entropy"
    name: Literal["cross_entropy"] = "cross_entropy"
    focal_gamma: float = Field(0.0, ge=0, description="same as the key of the recipe")
    label_smoothing: float = Field(0.0, ge=0, lt=1, description="same as the key of the recipe")
    class_weights: Literal["none", "sqrt"] = Field("none", description="same as the key of the recipe")


class SemanticSettings(LossSettings):
    """Squared distance between the features of a clip and the fixed anchor of its class; see ``streams.semantic``."""

    module: ClassVar = "microgesture.streams.semantic"
    one_path: ClassVar = True
    name: Literal["semantic"] = "semantic"


_BUILT_IN = (CrossEntropySettings, SemanticSettings)
LOSSES: dict[str, type[LossSettings]] = by_name(LossSettings, _BUILT_IN, lambda term: term.model_fields["name"].default)

AnyLoss = Annotated[Union[tuple(LOSSES.values())], Field(discriminator="name")]  # noqa: UP007
