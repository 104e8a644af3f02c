"""Drawings of a report as inline SVG; colours come from the page's style, so that they fit light, dark and print."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from markupsafe import Markup

SIDE = 168  # of a square drawing, in pixels of the page
MARGIN = 36  # left of a drawing
BELOW = 26


def reliability_chart(name: str, before: pd.DataFrame, after: pd.DataFrame) -> Markup:
    """Promised against kept, before and after calibration; the frames are those of ``measures.reliability``."""

    def place(promised: float, kept: float) -> tuple[float, float]:
        return MARGIN + promised * SIDE, 6 + (1 - kept) * SIDE

    parts = [_frame(SIDE, SIDE, ("promised", "1"), ("kept", "1")), _line([place(0, 0), place(1, 1)], "guide")]
    most = max(before.clips.max(), after.clips.max())
    for found, kind, said in ((before, "before", "as it is"), (after, "after", "calibrated")):
        places = [place(line.promised, line.kept) for line in found.itertuples()]
        parts.append(_line(places, kind))
        for (x, y), line in zip(places, found.itertuples(), strict=True):
            shown = f"{said}: {line.clips} clips, promised {line.promised:.1%}, kept {line.kept:.1%}"
            parts.append(_dot(x, y, 2 + 4 * np.sqrt(line.clips / most), kind, shown))
    return _svg(SIDE + MARGIN + 6, SIDE + BELOW, f"Reliability of {name}", parts)


def interval_chart(table: pd.DataFrame, metric: str, chance: float) -> Markup:
    """The rows of an ablation table as dots from 0 to 1 with their intervals, the last one's stressed.

    ``chance`` is dotted: what guessing gives.
    """
    beside, height, width = 130, 22, 2.6 * SIDE
    below = 6 + height * len(table)
    parts = [
        Markup('<rect class="frame" x="{}" y="6" width="{:.0f}" height="{}"/>').format(beside, width, below - 6),
        _line([(beside + chance * width, 6), (beside + chance * width, below)], "guide"),
    ]
    for share in (0, 0.25, 0.5, 0.75, 1):
        text = Markup('<text x="{:.0f}" y="{}" text-anchor="middle">{}</text>')
        parts.append(text.format(beside + share * width, below + 14, f"{share:g}"))
    for number, line in enumerate(table.to_dict("records")):
        y, kind = 6 + height * (number + 0.5), "after" if number == len(table) - 1 else "before"
        value, low, high = (line[f"{metric}{end}"] for end in ("", "_low", "_high"))
        said = f"{line['name']}: {value:.3f}"
        if not np.isnan(low):
            said += f", {low:.3f} to {high:.3f}"
            parts.append(_line([(beside + low * width, y), (beside + high * width, y)], f"{kind} whole"))
        parts.append(_dot(beside + value * width, y, 4.5, kind, said))
        name = Markup('<text x="{}" y="{}" text-anchor="end">{}</text>')
        parts.append(name.format(beside - 8, y + 3.5, line["name"]))
    return _svg(beside + width + 12, below + 20, f"{metric.replace('_', ' ')} with intervals", parts)


def learning_chart(
    name: str, history: Sequence[Mapping[str, Any]], best: int, measured: Sequence[str], unit: str
) -> Markup:
    """What was measured in each epoch: the columns ``measured`` of the history in their unit, the best epoch marked.

    The bottom is 0, the top 1 or the highest value above; epochs in which a column has no value are left out. What has
    no training loss was measured before the first epoch.
    """
    values = [epoch[name] for epoch in history for name in measured if epoch.get(name) is not None]
    top, width = max([1.0, *filter(np.isfinite, values)]), 1.5 * SIDE

    def place(epoch: int, value: float) -> tuple[float, float]:
        return MARGIN + (epoch / max(len(history) - 1, 1)) * width, 6 + (1 - value / top) * SIDE * 0.7

    parts = [_frame(width, SIDE * 0.7, ("epoch", str(max(len(history) - 1, 1))), (unit, f"{top:.3g}"))]
    parts.append(_line([place(best, 0), place(best, top)], "guide"))
    for column, kind in zip(measured, ("before", "after"), strict=True):
        known = [(epoch, line[column]) for epoch, line in enumerate(history) if line.get(column) is not None]
        known = [(epoch, value) for epoch, value in known if np.isfinite(value)]
        parts.append(_line([place(*point) for point in known], kind))
        for epoch, value in known:
            when = "as it began" if history[epoch]["train_loss"] is None else f"epoch {epoch}"
            shown = f"{when}: {column.replace('_', ' ')} {value:.3f}{', kept' if epoch == best else ''}"
            parts.append(_dot(*place(epoch, value), 4 if epoch == best else 2, kind, shown))
    label = f"{name}: {' and '.join(column.replace('_', ' ') for column in measured)} by epoch"
    return _svg(width + MARGIN + 6, SIDE * 0.7 + BELOW, label, parts)


def _svg(width: float, height: float, label: str, parts: Sequence[Markup]) -> Markup:
    opening = Markup('<svg role="img" aria-label="{}" width="{:.0f}" height="{:.0f}" viewBox="0 0 {:.0f} {:.0f}">')
    return opening.format(label, width, height, width, height) + Markup("").join(parts) + Markup("</svg>")


def _frame(width: float, height: float, across: tuple[str, str], up: tuple[str, str]) -> Markup:
    """A frame from 0 to an end ``across`` and ``up``: what is measured there, and the end."""
    corners = [
        (MARGIN, height + 18, "middle", "0"),
        (MARGIN + width / 2, height + 18, "middle", across[0]),
        (MARGIN + width, height + 18, "middle", across[1]),
        (MARGIN - 4, height + 6, "end", "0"),
        (MARGIN - 4, 13, "end", up[1]),
    ]
    text = Markup('<text x="{:.0f}" y="{:.0f}" text-anchor="{}">{}</text>')
    beside = Markup('<text transform="translate({:.0f} {:.0f}) rotate(-90)" text-anchor="middle">{}</text>')
    frame = Markup('<rect class="frame" x="{}" y="6" width="{:.0f}" height="{:.0f}"/>').format(MARGIN, width, height)
    texts = [*(text.format(*corner) for corner in corners), beside.format(MARGIN - 8, 6 + height / 2, up[0])]
    return Markup("").join([frame, *texts])


def _line(places: Sequence[tuple[float, float]], kind: str) -> Markup:
    points = " ".join(f"{x:.1f},{y:.1f}" for x, y in places)
    return Markup('<polyline class="{}" points="{}"/>').format(kind, points)


def _dot(x: float, y: float, radius: float, kind: str, said: str) -> Markup:
    shape = Markup('<circle class="{}" cx="{:.1f}" cy="{:.1f}" r="{:.1f}"><title>{}</title></circle>')
    return shape.format(kind, x, y, radius, said)
