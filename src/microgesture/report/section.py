"""What a part of a report is made of."""

from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from .matrix import Matrix
from .tables import Column, Table

MOST_ROWS = 500  # of a list of clips, so that the page of a large corpus stays small
SCORE, SHARE, COUNT, GAIN = "{:.3f}", "{:.1%}", "{:,.0f}", "{:+.3f}"
MEASURES = (
    Column("accuracy", "top 1", SCORE, "share of clips whose likeliest class is right", interval=True),
    Column("top5", "top 5", SCORE, "share of clips whose class is among the five likeliest", interval=True),
    Column("macro_f1", "macro F1", SCORE, "mean over classes of F1", interval=True),
    Column("balanced_accuracy", "balanced", SCORE, "mean over classes of the share that is found", interval=True),
)
NOTHING = (
    "There is no labelled clip that was held out and that every stream says something of, so nothing is shown here."
)


@dataclass(frozen=True)
class Chart:
    """Drawings under one caption."""

    caption: str
    drawings: Sequence[Markup]


@dataclass(frozen=True)
class Section:
    """A part of the page; tables and listings have a heading each, which may be empty."""

    id: str
    title: str
    paragraphs: Sequence[str] = ()
    tables: Sequence[tuple[str, Table]] = ()
    charts: Sequence[Chart] = ()
    listings: Sequence[tuple[str, str]] = ()
    matrix: Matrix | None = None
