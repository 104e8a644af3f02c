"""Checks before a training starts."""

from ..config.streams import TrainStep
from ..errors import InputError
from .fused_samples import Dataset
from .weights import Start, is_branch, is_head


def refuse_too_few(step: TrainStep, training: Dataset, validation: Dataset, fewest: int, devices: int) -> None:
    """Raise ``InputError`` if there are too few clips, or if too many lack an input.

    ``fewest`` is the number of clips in the smallest step of an epoch.
    """
    inputs = (" or " if step.branches else " and ").join(step.inputs)
    if len(training) < 2:
        raise InputError(
            f"stream '{step.stream}': {len(training)} usable clips of split train have a label and {inputs}; "
            "training needs at least 2"
        )
    if fewest < devices:
        raise InputError(
            f"stream '{step.stream}': a step has {fewest} clips, too few for {devices} devices; reduce devices"
        )
    left_out = training.left_out | validation.left_out
    if len(left_out) > step.max_quarantined * (len(training) + len(validation) + len(left_out)):
        listed = "\n".join(f"  {clip_id}: {reason}" for clip_id, reason in left_out.items())
        raise InputError(
            f"stream '{step.stream}': {len(left_out)} clips have no {inputs}, more than max_quarantined = "
            f"{step.max_quarantined:.1%}; repair the files or increase max_quarantined:\n{listed}"
        )


def refuse_new_branches(step: TrainStep, start: Start) -> None:
    """Raise ``InputError`` if a fused network does not get all weights of its parents.

    It starts as the mean of its parents, which needs the complete weights of both.
    """
    if step.branches and (new := [name for name in start.new if is_branch(name)]):
        raise InputError(
            f"stream '{step.stream}' fuses {' and '.join(start.parents)}, whose weights do not fit: {new[0]} is new "
            f"({len(new)} such tensors). The parents have other classes or another network; train them again"
        )


def refuse_unknown_backbone(step: TrainStep, start: Start | None) -> None:
    """Raise ``InputError`` if a backbone would be frozen with random weights."""
    new = [name for name in start.new if not is_head(name)] if start else ["every tensor"]
    if new:
        raise InputError(
            f"stream '{step.stream}': freeze: backbone needs all weights of the backbone from init, pretraining or "
            f"weights, but {new[0]} is new ({len(new)} such tensors); use the same network and sizes there"
        )


def refuse_partial_encoder(step: TrainStep, start: Start | None) -> None:
    """Raise ``InputError`` if an encoder would be trained, or predict, with random weights; adapters are new."""
    if step.encoder is None or step.encoder.stored:
        return
    new = [name for name in start.new if not is_head(name) and "lora_" not in name] if start else ["every tensor"]
    if new:
        raise InputError(
            f"stream '{step.stream}': the weights of {step.encoder.model} have no {new[0]} ({len(new)} tensors are "
            "missing); give the encoder's file with --weights, or init from a stream with the same encoder and tune"
        )
