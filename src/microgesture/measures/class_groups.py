"""Groups of classes, such as the body parts of MA-52."""

from collections.abc import Mapping, Sequence

import numpy as np

from ..errors import InputError


def group_of_classes(groups: Mapping[str, Sequence[str]], classes: Sequence[str]) -> np.ndarray | None:
    """The group of each class (K,), a number from 0; None if there are no groups.

    Groups are numbered by their first class, so their order in a configuration, which settings of stages lose, has no
    effect. Raises ``InputError`` if a class is in no group or in two, or if a group names a class that does not exist.
    """
    if not groups:
        return None
    found: dict[str, str] = {}
    for group, names in groups.items():
        for name in names:
            if name not in classes:
                raise InputError(f"groups: '{name}' in group '{group}' is not a class; correct it")
            if name in found:
                raise InputError(f"groups: class '{name}' is in '{found[name]}' and in '{group}'; remove one")
            found[name] = group
    if missing := [name for name in classes if name not in found]:
        raise InputError(f"groups: class '{missing[0]}' is in no group ({len(missing)} such classes); add it to one")
    numbers = {group: number for number, group in enumerate(dict.fromkeys(found[name] for name in classes))}
    return np.array([numbers[found[name]] for name in classes])


def grouped(probabilities_NK: np.ndarray, group_K: np.ndarray) -> np.ndarray:
    """The probability of each group (N, G): the sum of the probabilities of its classes."""
    return probabilities_NK @ np.eye(group_K.max() + 1)[group_K]
