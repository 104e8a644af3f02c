"""The confusion matrix as a page shows it."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from .measures import orders

WAYS = {
    "number": "by class number",
    "mistakes": "most mistakes first",
    "clips": "most clips first",
    "neighbours": "confused classes side by side",
}


@dataclass(frozen=True)
class MatrixCell:
    """The clips of a class that were predicted as one class, and their fraction of the true class in [0, 1]."""

    clips: int
    share: float
    kind: str
    title: str


@dataclass(frozen=True)
class Matrix:
    """The classes that occur, with one row each, and the orders in which the page can show them.

    ``frame`` has the numbers of clips, with true classes as rows and predicted ones as columns.
    """

    classes: Sequence[tuple[int, str]]
    rows: Sequence[tuple[int, str, Sequence[tuple[int, MatrixCell | None]]]]
    orders: Sequence[tuple[str, Sequence[int]]]
    frame: pd.DataFrame


def make_matrix(confusion_KK: np.ndarray, classes: Sequence[str]) -> Matrix:
    """The confusion matrix of the classes that occur as a true or a predicted class; empty cells are None."""
    numbers = np.flatnonzero(confusion_KK.sum(0) + confusion_KK.sum(1)).tolist()
    rows = []
    for true in numbers:
        total = int(confusion_KK[true].sum())
        cells = [
            (predicted, _cell(int(confusion_KK[true, predicted]), total, true, predicted, classes))
            for predicted in numbers
        ]
        rows.append((true, classes[true], cells))
    ways = orders(confusion_KK, numbers)
    names = [classes[k] for k in numbers]
    frame = pd.DataFrame(confusion_KK[np.ix_(numbers, numbers)], index=names, columns=names)
    listed = [(words, ways[way]) for way, words in WAYS.items()]
    return Matrix(list(zip(numbers, names, strict=True)), rows, listed, frame)


def _cell(clips: int, total: int, true: int, predicted: int, classes: Sequence[str]) -> MatrixCell | None:
    if not clips:
        return None
    verdict = "correctly" if true == predicted else f"as “{classes[predicted]}”"
    title = f"{clips} of {total} clips of “{classes[true]}” are predicted {verdict} ({clips / total:.1%})"
    return MatrixCell(clips, round(clips / total, 3), "right" if true == predicted else "wrong", title)
