"""The declaration of a fusion rule. Does not import SciPy."""

from dataclasses import dataclass


@dataclass(frozen=True)
class FusionRule:
    """The declaration of a way to fuse streams, a value of ``weights`` in an ensemble.

    ``module`` has two functions: ``fit(probabilities_SNK, labels_N)``, which receives calibrated probabilities of
    the clips that all streams can use, and ``from_json(stored, streams)``. Both return an
    ``ensembles.fusion.FittedRule``. A rule that is not ``fitted`` needs no labelled clips. With ``pools``, ``fit`` has
    a third argument ``pool``, "linear" or "log", for which it fits.
    """

    name: str
    description: str
    module: str
    fitted: bool = True
    pools: bool = False
