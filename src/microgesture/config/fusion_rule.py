"""What every fusion rule declares. Light: no SciPy."""

from dataclasses import dataclass


@dataclass(frozen=True)
class FusionRule:
    """The declaration of one way to join streams, a value of ``weights``.

    ``module`` has two functions: ``fit(probabilities_SNK, labels_N)``, which gets calibrated probabilities of clips
    that every stream could use, and ``from_json(stored, streams)``. Both return an ``ensembles.fusion.FittedRule``.
    A rule that is not ``fitted`` needs no labelled clips.
    """

    name: str
    text: str
    module: str
    fitted: bool = True
