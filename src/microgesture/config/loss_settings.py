"""The declaration of a term of the training loss. Does not import torch."""

from typing import ClassVar

from pydantic import Field

from .base import Settings


class LossSettings(Settings):
    """The settings of a term, and its declaration.

    A subclass adds ``name: Literal["..."] = "..."``, its own keys, and the class variables below. Its ``module``
    has a function ``make(settings, network, counts, device)`` that returns a ``streams.losses.Term``; ``counts`` are
    the numbers of training clips of each class. It raises ``ValueError`` if the term does not fit the network.
    """

    module: ClassVar[str]
    one_path: ClassVar[bool] = False  # whether it is only for networks with a single classifier

    weight: float = Field(1.0, gt=0, description="factor of the term in the sum of all terms")
