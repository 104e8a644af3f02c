"""What is checked before a training begins."""

from ..config.streams import TrainStep
from ..errors import InputError
from .fused_samples import Dataset
from .weights import Start, is_branch


def refuse_too_few(step: TrainStep, training: Dataset, validation: Dataset, fewest: int, devices: int) -> None:
    """Raise ``InputError`` if there are too few clips, or too many without an input; ``fewest`` are those of a step."""
    inputs = (" or " if step.branches else " and ").join(step.inputs)
    if len(training) < 2:
        raise InputError(
            f"stream '{step.stream}': {len(training)} usable clips of split train have a label and {inputs}; "
            "at least 2 are needed"
        )
    if fewest < devices:
        raise InputError(
            f"stream '{step.stream}': a step has {fewest} clips, too few for {devices} devices; lower devices"
        )
    left_out = training.left_out | validation.left_out
    if len(left_out) > step.max_quarantined * (len(training) + len(validation) + len(left_out)):
        listed = "\n".join(f"  {clip_id}: {reason}" for clip_id, reason in left_out.items())
        raise InputError(
            f"stream '{step.stream}': {len(left_out)} clips have no {inputs}, more than max_quarantined = "
            f"{step.max_quarantined:.1%}; mend the files or raise it:\n{listed}"
        )


def refuse_new_branches(step: TrainStep, start: Start) -> None:
    """A fused network begins where its parents ended, and is their mean only if it has all of both."""
    if step.branches and (new := [name for name in start.new if is_branch(name)]):
        raise InputError(
            f"stream '{step.stream}' fuses {' and '.join(start.parents)}, whose weights do not fit: {new[0]} is new "
            f"({len(new)} such tensors). They have other classes or another network; train them again"
        )
