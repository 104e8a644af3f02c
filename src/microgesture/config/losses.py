"""Terms of the training loss: the settings of each, and the module that computes it. Light: no torch."""

from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal, Union

from pydantic import Field

from .base import Settings


class LossSettings(Settings):
    """What every term of a loss has; a subclass adds ``name: Literal["..."]`` and keys of its own."""

    one_path: ClassVar[bool] = False  # whether it is only for networks with a single classifier
    weight: float = Field(1.0, gt=0, description="the term is multiplied by it before the terms are added")


class CrossEntropySettings(LossSettings):
    """Cross entropy of the classes, or the focal loss (arXiv 1708.02002)."""

    name: Literal["cross_entropy"] = "cross_entropy"
    focal_gamma: float = Field(0.0, ge=0, description="as the recipe's key of this name")
    label_smoothing: float = Field(0.0, ge=0, lt=1, description="as the recipe's key of this name")
    class_weights: Literal["none", "sqrt"] = Field("none", description="as the recipe's key of this name")


class SemanticSettings(LossSettings):
    """Squared distance of a clip's features to the fixed anchor of its class; see ``streams.semantic``."""

    one_path: ClassVar[bool] = True
    name: Literal["semantic"] = "semantic"


@dataclass(frozen=True)
class LossTerm:
    """The declaration of one term.

    ``module`` has a function ``make(settings, network, counts, device)`` that returns a ``streams.losses.Term``;
    ``counts`` are the training clips of each class. It raises ``ValueError`` where the term does not fit the network.
    """

    name: str
    settings: type[LossSettings]
    module: str


LOSSES: dict[str, LossTerm] = {
    term.name: term
    for term in (
        LossTerm("cross_entropy", CrossEntropySettings, "microgesture.streams.cross_entropy"),
        LossTerm("semantic", SemanticSettings, "microgesture.streams.semantic"),
    )
}

AnyLoss = Annotated[Union[tuple(term.settings for term in LOSSES.values())], Field(discriminator="name")]  # noqa: UP007
