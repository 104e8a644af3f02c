"""The parts of a report: sections, charts, and the columns that several tables share."""

from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from .matrix import Matrix
from .tables import Column, Table

MOST_ROWS = 500  # in a list of clips; keeps the page of a large corpus small
SCORE, SHARE, COUNT, GAIN = "{:.3f}", "{:.1%}", "{:,.0f}", "{:+.3f}"
MEASURES = (
    Column("accuracy", "top 1", SCORE, "fraction of clips whose most probable class is correct", interval=True),
    Column("top5", "top 5", SCORE, "fraction of clips with the true class among the five most probable", interval=True),
    Column("macro_f1", "macro F1", SCORE, "mean F1 over the classes", interval=True),
    Column("balanced_accuracy", "balanced", SCORE, "mean recall over the classes", interval=True),
)
NOTHING = "No held-out clip with a label has predictions from every stream, so there is nothing to show."


@dataclass(frozen=True)
class Chart:
    """One or more SVG charts or pictures under one caption."""

    caption: str
    drawings: Sequence[Markup]


@dataclass(frozen=True)
class Section:
    """A section of the page; each table and each listing has a heading, which may be empty."""

    id: str
    title: str
    paragraphs: Sequence[str] = ()
    tables: Sequence[tuple[str, Table]] = ()
    charts: Sequence[Chart] = ()
    listings: Sequence[tuple[str, str]] = ()
    matrix: Matrix | None = None
