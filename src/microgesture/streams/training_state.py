"""What a training that was killed goes on from."""

import time
from pathlib import Path
from typing import NamedTuple

import torch
from torch import nn

from ..storage.files import replacing
from .history import Epoch


class Reached(NamedTuple):
    """How far a training is: its best epoch's weights, its finished epochs, and the losses of the next one's steps.

    Whatever is random follows from the seed and the numbers of epoch, step and piece, so that these stand for it.
    """

    best: dict[str, torch.Tensor]
    history: list[Epoch]
    losses: list[float]


class TrainingState:
    """The file with all that training changes: network, optimizer, scaler of the loss, and what was reached.

    A training on several devices writes one, from one of its processes (``writes``). It is due again ``every_seconds``
    after it was last written.
    """

    def __init__(
        self,
        path: Path,
        network: nn.Module,
        optimizer: torch.optim.Optimizer,
        scaler: torch.amp.GradScaler,
        *,
        every_seconds: float,
        writes: bool = True,
    ) -> None:
        self._path = path
        self._parts = {"network": network, "optimizer": optimizer, "scaler": scaler}
        self._every_seconds, self._writes = every_seconds, writes
        self._written = time.monotonic()

    def is_due(self) -> bool:
        """Whether it should be written before the epoch ends."""
        return time.monotonic() - self._written >= self._every_seconds

    def write(self, reached: Reached) -> None:
        """Write everything as it is now."""
        if self._writes:
            state = {name: part.state_dict() for name, part in self._parts.items()}
            # Given a path, torch would not say that the disk is full.
            with replacing(self._path) as temporary, open(temporary, "wb") as file:
                torch.save(state | reached._asdict(), file)
        self._written = time.monotonic()

    def restore(self, device: torch.device) -> Reached:
        """Put everything back as it was when it was last written; nothing is changed or reached where it never was."""
        if not self._path.exists():
            return Reached({}, [], [])
        state = torch.load(self._path, map_location=device, weights_only=True)
        for name, part in self._parts.items():
            part.load_state_dict(state[name])
        return Reached(*(state[name] for name in Reached._fields))
