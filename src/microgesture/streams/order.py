"""Which clips each step of an epoch shows: the order of the clips and their division into batches."""

from collections import Counter
from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from ..config.recipes import Recipe
from .samples import Key


def epoch_batches(labels: Sequence[int], recipe: Recipe, seed: int, epoch: int) -> list[list[Key]]:
    """The clips of each step of an epoch, which are known by their labels: ``repeats`` rounds, each in another order.

    A round shows every clip once, or with ``sampling`` balanced as many clips, as many of each class. No clip is shown
    twice under the same number.
    """
    keys = []
    for draw in range(epoch * recipe.repeats, (epoch + 1) * recipe.repeats):
        generator = np.random.default_rng([seed, draw])
        if recipe.sampling == "plain":
            keys += [(int(row), draw) for row in generator.permutation(len(labels))]
        else:
            shown: Counter[int] = Counter()
            for row in balanced_order(labels, generator):
                keys.append((row, draw + shown[row] * recipe.epochs * recipe.repeats))
                shown[row] += 1
    return in_batches(keys, recipe.batch_size)


def balanced_order(labels: Sequence[int], generator: np.random.Generator) -> list[int]:
    """As many rows as there are labels, in random order, as many of each label: the numbers differ by 1 at most.

    A row comes again only when all others of its label have come as often.
    """
    known = generator.permutation(np.unique(labels))
    order = []
    for place, label in enumerate(known):
        wanted = len(range(place, len(labels), len(known)))
        rows = np.flatnonzero(np.asarray(labels) == label)
        rounds = [generator.permutation(rows) for _ in range(-(-wanted // len(rows)))]
        order += np.concatenate(rounds)[:wanted].tolist() if rounds else []
    return generator.permutation(order).tolist()


def in_batches(keys: Sequence[Key], size: int) -> list[list[Key]]:
    """The keys in order, in as few batches of at most ``size`` as possible, all as equal in length as possible.

    Equal, so that no batch is too small for batch normalisation, or for the fast convolutions of a CPU.
    """
    return in_parts(keys, -(-len(keys) // size))


def in_parts(keys: Sequence[Key], count: int) -> list[list[Key]]:
    """The keys in order in ``count`` parts, as equal in length as possible."""
    edges = [len(keys) * part // count for part in range(count + 1)] if count else [0]
    return [list(keys[start:stop]) for start, stop in pairwise(edges)]
