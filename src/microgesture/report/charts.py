"""Charts of a report as inline SVG.

Colours come from the page's style, so that a chart fits the light theme, the dark theme and print. A label never
overlaps a dot: labels stand outside the frame, farther from it than the radius of the largest dot.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from markupsafe import Markup

from .matrix import Matrix

SIDE = 168  # of a square chart, in pixels of the page
DOT = 6  # radius of the largest dot
MARGIN = 38  # left of a frame
ABOVE = DOT + 1  # a frame
BELOW = 22  # a frame
LETTER = 6.5  # width of a letter of a label, on average


def reliability_chart(name: str, before: pd.DataFrame, after: pd.DataFrame) -> Markup:
    """Accuracy against confidence, before and after calibration; the frames are those of ``measures.reliability``."""

    def place(promised: float, kept: float) -> tuple[float, float]:
        return MARGIN + promised * SIDE, ABOVE + (1 - kept) * SIDE

    parts = [_frame(SIDE, SIDE, ("confidence", "1"), ("accuracy", "1")), _line([place(0, 0), place(1, 1)], "guide")]
    most = max(before.clips.max(), after.clips.max())
    for found, kind, text in ((before, "before", "uncalibrated"), (after, "after", "calibrated")):
        places = [place(line.promised, line.kept) for line in found.itertuples()]
        parts.append(_line(places, kind))
        for (x, y), line in zip(places, found.itertuples(), strict=True):
            shown = f"{text}: {line.clips} clips, confidence {line.promised:.1%}, accuracy {line.kept:.1%}"
            parts.append(_dot(x, y, 2 + (DOT - 2) * np.sqrt(line.clips / most), kind, shown))
    return _svg(MARGIN + SIDE + ABOVE, ABOVE + SIDE + BELOW, f"Reliability diagram of {name}", parts)


def interval_chart(table: pd.DataFrame, metric: str, chance: float) -> Markup:
    """The rows of an ablation table as dots from 0 to 1 with their intervals; the last row is highlighted.

    A dotted line marks ``chance``, the value of a trivial classifier, in [0, 1].
    """
    height, width = 22, 2.6 * SIDE
    beside = max(MARGIN, round(LETTER * max(map(len, table.name))) + 2 * DOT)
    below = ABOVE + height * len(table)
    parts = [
        _rectangle(beside, width, height * len(table)),
        _line([(beside + chance * width, ABOVE), (beside + chance * width, below)], "guide"),
    ]
    for share in (0, 0.25, 0.5, 0.75, 1):
        text = Markup('<text x="{:.0f}" y="{}" text-anchor="middle">{}</text>')
        parts.append(text.format(beside + share * width, below + 14, f"{share:g}"))
    for number, line in enumerate(table.to_dict("records")):
        y, kind = ABOVE + height * (number + 0.5), "after" if number == len(table) - 1 else "before"
        value, low, high = (line[f"{metric}{end}"] for end in ("", "_low", "_high"))
        text = f"{line['name']}: {value:.3f}"
        if not np.isnan(low):
            text += f", {low:.3f} to {high:.3f}"
            parts.append(_line([(beside + low * width, y), (beside + high * width, y)], f"{kind} whole"))
        parts.append(_dot(beside + value * width, y, 4.5, kind, text))
        name = Markup('<text x="{}" y="{}" text-anchor="end">{}</text>')
        parts.append(name.format(beside - DOT - 2, y + 3.5, line["name"]))
    return _svg(beside + width + 2 * DOT, below + BELOW, f"{metric.replace('_', ' ')} with intervals", parts)


def matrix_chart(matrix: Matrix) -> Markup:
    """A confusion matrix, for files; the page has it as a table."""
    cell, names = 16, [name for _, name in matrix.classes]
    beside = round(LETTER * max(map(len, names))) + 2 * DOT
    side = cell * len(names)
    text = Markup('<text x="{:.0f}" y="{:.1f}" text-anchor="{}">{}</text>')
    upright = Markup('<text transform="translate({:.1f} {:.0f}) rotate(-90)" text-anchor="end">{}</text>')
    square = Markup('<rect class="{}" x="{}" y="{}" width="{}" height="{}" fill-opacity="{:.3f}"/>')
    parts = [Markup('<rect class="frame" x="{}" y="{}" width="{}" height="{}"/>').format(beside, ABOVE, side, side)]
    for row, (_, name, cells) in enumerate(matrix.rows):
        y = ABOVE + cell * row
        parts.append(text.format(beside - DOT, y + 0.7 * cell, "end", name))
        for column, (_, found) in enumerate(cells):
            if found:
                x = beside + cell * column
                parts.append(square.format(found.kind, x, y, cell, cell, 0.12 + 0.88 * found.share))
                parts.append(text.format(x + cell / 2, y + 0.7 * cell, "middle", found.clips))
    for column, name in enumerate(names):
        parts.append(upright.format(beside + cell * (column + 0.7), ABOVE + side + DOT, name))
    return _svg(beside + side + ABOVE, ABOVE + side + beside, "Confusion matrix: true classes are rows", parts)


def learning_chart(
    name: str, history: Sequence[Mapping[str, Any]], best: int, measured: Sequence[str], unit: str
) -> Markup:
    """The columns ``measured`` of a training history by epoch, in their unit, with the best epoch marked.

    The axis runs from 0 to 1, or to the largest value if that is above 1. An epoch without a value is left out. An
    entry without a training loss was measured before the first epoch.
    """
    values = [epoch[name] for epoch in history for name in measured if epoch.get(name) is not None]
    top, width = max([1.0, *filter(np.isfinite, values)]), 1.5 * SIDE

    def place(epoch: int, value: float) -> tuple[float, float]:
        return MARGIN + (epoch / max(len(history) - 1, 1)) * width, ABOVE + (1 - value / top) * SIDE * 0.7

    parts = [_frame(width, SIDE * 0.7, ("epoch", str(max(len(history) - 1, 1))), (unit, f"{top:.3g}"))]
    parts.append(_line([place(best, 0), place(best, top)], "guide"))
    for column, kind in zip(measured, ("before", "after"), strict=False):
        known = [(epoch, line[column]) for epoch, line in enumerate(history) if line.get(column) is not None]
        known = [(epoch, value) for epoch, value in known if np.isfinite(value)]
        parts.append(_line([place(*point) for point in known], kind))
        for epoch, value in known:
            when = "before training" if history[epoch]["train_loss"] is None else f"epoch {epoch}"
            shown = f"{when}: {column.replace('_', ' ')} {value:.3f}{', kept' if epoch == best else ''}"
            parts.append(_dot(*place(epoch, value), 4 if epoch == best else 2, kind, shown))
    label = f"{name}: {' and '.join(column.replace('_', ' ') for column in measured)} by epoch"
    return _svg(MARGIN + width + 2 * DOT, ABOVE + SIDE * 0.7 + BELOW, label, parts)


def _svg(width: float, height: float, label: str, parts: Sequence[Markup]) -> Markup:
    opening = Markup('<svg role="img" aria-label="{}" width="{:.0f}" height="{:.0f}" viewBox="0 0 {:.0f} {:.0f}">')
    return opening.format(label, width, height, width, height) + Markup("").join(parts) + Markup("</svg>")


def _frame(width: float, height: float, across: tuple[str, str], up: tuple[str, str]) -> Markup:
    """A frame with two axes that begin at 0; ``across`` and ``up`` are the title and the end of each."""
    under, beside = ABOVE + height + DOT + 10, MARGIN - DOT - 2
    corners = [
        (MARGIN, under, "middle", "0"),
        (MARGIN + width / 2, under, "middle", across[0]),
        (MARGIN + width, under, "middle", across[1]),
        (beside, ABOVE + height, "end", "0"),
        (beside, ABOVE + 7, "end", up[1]),
    ]
    text = Markup('<text x="{:.0f}" y="{:.0f}" text-anchor="{}">{}</text>')
    upright = Markup('<text transform="translate({:.0f} {:.0f}) rotate(-90)" text-anchor="middle">{}</text>')
    texts = [*(text.format(*corner) for corner in corners), upright.format(beside - 3, ABOVE + height / 2, up[0])]
    return Markup("").join([_rectangle(MARGIN, width, height), *texts])


def _rectangle(x: float, width: float, height: float) -> Markup:
    shape = Markup('<rect class="frame" x="{}" y="{}" width="{:.0f}" height="{:.0f}"/>')
    return shape.format(x, ABOVE, width, height)


def _line(places: Sequence[tuple[float, float]], kind: str) -> Markup:
    points = " ".join(f"{x:.1f},{y:.1f}" for x, y in places)
    return Markup('<polyline class="{}" points="{}"/>').format(kind, points)


def _dot(x: float, y: float, radius: float, kind: str, text: str) -> Markup:
    shape = Markup('<circle class="{}" cx="{:.1f}" cy="{:.1f}" r="{:.1f}"><title>{}</title></circle>')
    return shape.format(kind, x, y, radius, text)
