"""The training loss: a weighted sum of terms, which ``config.losses.LOSSES`` declares."""

from collections.abc import Callable, Sequence
from importlib import import_module
from typing import Protocol

import numpy as np
import torch
from torch import nn

from ..config.recipes import Recipe


class Term(Protocol):
    """One term of the loss.

    The term of a step is the sum of ``total`` over its micro-batches, divided by ``size`` of the whole step. So it does
    not depend on the number of micro-batches. A term may also have ``bounds(labels_N)``, which returns two values of
    the term for clips with these labels: the least possible one, and that of guessing, when a network gives every clip
    the frequencies of the classes. Without it, the training loss does not show whether a stream learns.
    """

    def total(self, logits: torch.Tensor, label_B: torch.Tensor) -> torch.Tensor:
        """The term for logits_BK or logits_PBK, summed over the clips of a micro-batch, as a float32 scalar."""

    def size(self, labels_N: np.ndarray) -> float:
        """The divisor for a step with these labels: the number of its clips, or the sum of their weights."""


class Given:
    """The loss that a network itself returns for each clip, loss_B, in place of logits."""

    def total(self, loss_B: torch.Tensor, label_B: torch.Tensor) -> torch.Tensor:
        """Its sum over the clips of a micro-batch."""
        return loss_B.sum()

    def size(self, labels_N: np.ndarray) -> int:
        """The number of clips of a step."""
        return len(labels_N)


class Loss:
    """The weighted sum of loss terms."""

    def __init__(self, terms: Sequence[tuple[float, Term]]) -> None:
        self._terms = terms

    def of_step(self, labels_N: np.ndarray) -> Callable[[torch.Tensor, torch.Tensor], torch.Tensor]:
        """A function of the logits and labels of one micro-batch that returns its part of the mean loss of the step.

        ``labels_N`` are the labels of all clips of the step, on all devices. The parts sum to the loss of the step.
        """
        shares = [(weight, term, term.size(labels_N)) for weight, term in self._terms]

        def part(logits: torch.Tensor, label_B: torch.Tensor) -> torch.Tensor:
            first, *others = (weight * term.total(logits, label_B) / size for weight, term, size in shares)
            return sum(others, first)

        return part

    def bounds(self, labels_N: np.ndarray, paths: int) -> tuple[float, float] | None:
        """The least possible mean loss of clips with these labels, and the loss of guessing; None if a term has no
        bounds.

        ``paths`` is the number of classifiers of the network, whose losses are summed.
        """
        if not all(hasattr(term, "bounds") for _, term in self._terms):
            return None
        ends = np.array([weight * np.array(term.bounds(labels_N)) for weight, term in self._terms])
        least, guessing = paths * ends.sum(0)
        return float(least), float(guessing)


def make_loss(recipe: Recipe, network: nn.Module, counts: Sequence[int], device: torch.device) -> Loss:
    """The loss of a recipe, or that which the network returns if it has ``returns_loss``.

    ``counts`` are the numbers of training clips of each class. Raises ``ValueError`` if a term does not fit the
    network.
    """
    if getattr(network, "returns_loss", False):
        return Loss([(1.0, Given())])
    terms = []
    for settings in recipe.loss_terms:
        module = import_module(settings.module)
        terms.append((settings.weight, module.make(settings, network, counts, device)))
    return Loss(terms)
