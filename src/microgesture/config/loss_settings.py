"""What every term of a training loss declares. Light: no torch."""

from typing import ClassVar

from pydantic import Field

from .base import Settings


class LossSettings(Settings):
    """The settings of one term, and its declaration.

    A subclass adds ``name: Literal["..."] = "..."``, the keys of its own, and the class variables below. Its ``module``
    has a function ``make(settings, network, counts, device)`` that returns a ``streams.losses.Term``; ``counts`` are
    the training clips of each class. It raises ``ValueError`` where the term does not fit the network.
    """

    module: ClassVar[str]
    one_path: ClassVar[bool] = False  # whether it is only for networks with a single classifier

    weight: float = Field(1.0, gt=0, description="the term is multiplied by it before the terms are added")
