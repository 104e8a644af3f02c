"""Settings of ensembles, of the test clips that they label, and of the submission."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field, StrictBool, model_validator

from .base import Name, Settings
from .extensions import declared
from .fusion_rule import FusionRule

_RULES = "microgesture.ensembles.rules"
GIVEN = FusionRule("given", "the weight of each stream, scaled to sum 1", f"{_RULES}.weighted_mean", fitted=False)
EQUAL = FusionRule("equal", "the plain mean", f"{_RULES}.equal", fitted=False)
FUSION_RULES: dict[str, FusionRule] = {
    rule.name: rule
    for rule in (
        FusionRule("search", "the likeliest weights", f"{_RULES}.search"),
        FusionRule("grid", "the most accurate weights of a grid, as often published", f"{_RULES}.grid"),
        EQUAL,
        GIVEN,
        *declared(FusionRule),
    )
}
_BY_NAME = tuple(name for name in FUSION_RULES if name != GIVEN.name)


class PseudoLabelSettings(Settings):
    """Which of the test clips an ensemble labels for other streams to learn from."""

    threshold: float = Field(0.65, ge=0, lt=1, description="probability above which a clip gets the likeliest class")
    quota: int | None = Field(None, ge=1, description="most clips of a class, the surest first; null: any number")
    agreement: bool = Field(False, description="only clips of which every stream alone says the same")


class Ensemble(Settings):
    """Streams whose probabilities are averaged."""

    renamed: ClassVar[dict[str, str]] = {"like": "calibration_from"}

    streams: tuple[Name, ...] = Field(min_length=1, description="keys of streams, all on one corpus")
    weights: Literal[_BY_NAME] | dict[Name, float] = Field(
        "search",
        description="; ".join(f"{name}: {FUSION_RULES[name].text}" for name in _BY_NAME) + f"; or {GIVEN.text}",
    )
    calibrate: StrictBool | Annotated[float, Field(gt=0)] = Field(
        True, description="true: fit one temperature a stream before averaging; a number: this temperature for all"
    )
    calibration_from: Name | None = Field(
        None,
        description="another ensemble of as many streams whose temperatures and weights this one takes over, stream by "
        "stream; for streams with pseudo_labels, to which no labelled clip is new",
    )
    pseudo_labels: PseudoLabelSettings = Field(
        PseudoLabelSettings(), description="which test clips it labels for streams that name it as pseudo_labels"
    )
    stacking: bool = Field(
        False, description="measure a logistic regression on all streams' scores too, only to compare it"
    )

    @property
    def rule(self) -> FusionRule:
        """How the streams are joined."""
        return GIVEN if isinstance(self.weights, dict) else FUSION_RULES[self.weights]

    @model_validator(mode="after")
    def _weights_fit(self) -> "Ensemble":
        if isinstance(self.weights, dict):
            if set(self.weights) != set(self.streams):
                odd = sorted(set(self.weights) ^ set(self.streams))
                raise ValueError(f"weights must name the ensemble's streams and no others; {odd[0]} does not fit")
            if min(self.weights.values()) < 0 or sum(self.weights.values()) <= 0:
                raise ValueError("weights must not be negative, and not all zero")
        return self


class Submission(Settings):
    """The file that is handed in."""

    ensemble: Name = Field(description="a key of ensembles")
    sample: str | None = Field(
        None, description="the challenge's sample_submission.csv; its ids and order are followed"
    )


class EnsembleStep(Ensemble):
    """Streams to join."""

    folds: int = Field(0, ge=0, description="parts of the people on whose scores everything is fitted; 0: on val")
    learns_from_val: bool = Field(False, description="the streams have learnt from val, which is held out no more")


class PseudoLabelStep(PseudoLabelSettings):
    """Test clips to label."""

    streams: tuple[str, ...] = Field(min_length=1, description="of the ensemble, in its order")
