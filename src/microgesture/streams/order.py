"""The order of the clips in an epoch, and its division into batches."""

from collections import Counter
from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from ..config.recipes import Recipe
from .samples import Key


def epoch_batches(labels: Sequence[int], recipe: Recipe, seed: int, epoch: int) -> list[list[Key]]:
    """The keys of each step of an epoch: ``repeats`` rounds over the clips, each in another random order.

    A round contains every clip once. With ``sampling`` balanced it contains the same number of clips in total, and of
    each class the same number. ``labels`` has the label of each row. No key occurs twice in a training.
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
    """``len(labels)`` rows in random order, the same number of each label up to a difference of 1.

    A row is repeated only after all other rows of its label have occurred as often.
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
    """Divide keys, in order, into as few batches of at most ``size`` as possible, of lengths as equal as possible.

    With equal lengths, no batch is too small for batch normalisation, or for the fast convolutions of a CPU.
    """
    return in_parts(keys, -(-len(keys) // size))


def in_parts(keys: Sequence[Key], count: int) -> list[list[Key]]:
    """Divide keys, in order, into ``count`` parts of lengths as equal as possible."""
    edges = [len(keys) * part // count for part in range(count + 1)] if count else [0]
    return [list(keys[start:stop]) for start, stop in pairwise(edges)]
