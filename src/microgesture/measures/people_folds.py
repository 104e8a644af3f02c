"""Folds with disjoint people; a module of its own, because planning a run needs people but not scikit-learn."""

import warnings
from collections.abc import Sequence

import numpy as np
from sklearn.model_selection import StratifiedGroupKFold


def people_folds(labels: Sequence, people: Sequence, folds: int, seed: int) -> list[np.ndarray]:
    """The rows of each fold: each person is in one fold only, with classes distributed as evenly as possible."""
    split = StratifiedGroupKFold(folds, shuffle=True, random_state=seed)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # some classes are too rare to be in every fold
        return [rows for _, rows in split.split(labels, labels, people)]
