"""Settings of ensembles, of pseudo-labels, and of the submission."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field, StrictBool, model_validator

from .base import FilePath, Name, Settings
from .extensions import by_name
from .fusion_rule import FusionRule
from .measures import GroupedClasses

_RULES = "microgesture.ensembles.rules"
GIVEN = FusionRule(
    "given", description="the weight of each stream, scaled to sum 1", module=f"{_RULES}.weighted_mean", fitted=False
)
EQUAL = FusionRule("equal", description="the plain mean", module=f"{_RULES}.equal", fitted=False)
_BUILT_IN = (
    FusionRule("search", description="maximum-likelihood weights", module=f"{_RULES}.search", pools=True),
    FusionRule(
        "grid",
        description="the most accurate weights on a grid, as often published",
        module=f"{_RULES}.grid",
        pools=True,
    ),
    EQUAL,
    GIVEN,
)
FUSION_RULES: dict[str, FusionRule] = by_name(FusionRule, _BUILT_IN, lambda rule: rule.name)
POOLS = ("linear", "log")
_BY_NAME = tuple(name for name in FUSION_RULES if name != GIVEN.name)


class PseudoLabelSettings(Settings):
    """Which test clips get pseudo-labels, on which other streams are trained."""

    threshold: float = Field(0.65, ge=0, lt=1, description="label clips whose predicted class has a higher probability")
    quota: int | None = Field(
        None, ge=1, description="maximum number of clips per class, the most confident first; null: no limit"
    )
    agreement: bool = Field(False, description="only clips for which all streams predict the same class")


class Ensemble(Settings):
    """Streams whose probabilities are averaged."""

    renamed: ClassVar[dict[str, str]] = {"like": "calibration_from"}

    streams: tuple[Name, ...] = Field(min_length=1, description="keys of streams, all on one corpus")
    weights: Literal[_BY_NAME] | dict[Name, float] = Field(
        "search",
        description="; ".join(f"{name}: {FUSION_RULES[name].description}" for name in _BY_NAME)
        + f"; or {GIVEN.description}",
    )
    calibrate: StrictBool | Annotated[float, Field(gt=0)] = Field(
        True, description="true: fit one temperature per stream before averaging; a number: one temperature for all"
    )
    pool: Literal[POOLS] = Field(
        "linear",
        description="linear: the mean of probabilities; log: of their logarithms (a product of experts), in which one "
        "stream that is sure can overrule the others",
    )
    recalibrate: bool | None = Field(
        None,
        description="fit a temperature of the fused probabilities too, because a mean of calibrated probabilities is "
        "not confident enough; it changes no predicted class. null: only with calibrate: true",
    )
    calibration_from: Name | None = Field(
        None,
        description="another ensemble with as many streams, whose temperatures and weights are used, in the order of "
        "streams; for streams with pseudo_labels, which have no held-out clips with labels",
    )
    pseudo_labels: PseudoLabelSettings = Field(
        PseudoLabelSettings(), description="which test clips get pseudo-labels, for streams that name this ensemble"
    )
    stacking: bool = Field(
        False, description="also measure a logistic regression on the scores of all streams, for comparison"
    )

    @property
    def rule(self) -> FusionRule:
        """How the streams are fused."""
        return GIVEN if isinstance(self.weights, dict) else FUSION_RULES[self.weights]

    @property
    def recalibrated(self) -> bool:
        """Whether the fused probabilities get a temperature."""
        return self.calibrate is True if self.recalibrate is None else self.recalibrate

    @model_validator(mode="after")
    def _rule_pools(self) -> "Ensemble":
        if self.pool == "log" and self.rule.fitted and not self.rule.pools:
            raise ValueError(f"weights: {self.rule.name} is fitted for the linear pool only; remove pool: log")
        return self

    @model_validator(mode="after")
    def _weights_fit(self) -> "Ensemble":
        if isinstance(self.weights, dict):
            if set(self.weights) != set(self.streams):
                odd = sorted(set(self.weights) ^ set(self.streams))
                raise ValueError(f"weights must name all streams of the ensemble and no others; check '{odd[0]}'")
            if min(self.weights.values()) < 0 or sum(self.weights.values()) <= 0:
                raise ValueError("weights must not be negative, and at least one must be above 0")
        return self


class Submission(Settings):
    """The submission file."""

    ensemble: Name = Field(description="a key of ensembles")
    sample: FilePath | None = Field(
        None, description="sample_submission.csv of the challenge, with the ids and their order"
    )


class SubmissionStep(Submission, GroupedClasses):
    """The submission file to write, and the ranked predictions if there are groups."""


class EnsembleStep(Ensemble):
    """Streams to fuse."""

    folds: int = Field(
        0, ge=0, description="folds of subjects on whose scores the ensemble is fitted; 0: fitted on val"
    )
    learns_from_val: bool = Field(False, description="the streams were trained on val, so that it is not held out")


class PseudoLabelStep(PseudoLabelSettings):
    """Test clips to label."""

    streams: tuple[str, ...] = Field(min_length=1, description="streams of the ensemble, in its order")
