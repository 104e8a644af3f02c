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
    Column("macro_f1", "macro F1", SCORE, "mean F1 over the classes that are true or predicted", interval=True),
    Column("macro_f1_present", "F1 of present classes", SCORE, "mean F1 over the true classes only", interval=True),
    Column("balanced_accuracy", "balanced", SCORE, "mean recall over the true classes", interval=True),
)
OF_GROUPS = (
    Column("f1_mean", "F1_mean", SCORE, "mean of micro and macro F1 of the classes and of their groups", interval=True),
    Column("group_accuracy", "top 1 of groups", SCORE, "fraction of clips with the correct group", interval=True),
)


@dataclass(frozen=True)
class Chart:
    """One or more SVG charts by name, or pictures, under one caption."""

    caption: str
    drawings: dict[str, Markup]


@dataclass(frozen=True)
class Part:
    """A part of a section, often of one set of clips; each table has a name and a heading, which may be empty.

    ``id`` distinguishes the parts of a section, and is empty if there is only one.
    """

    id: str = ""
    heading: str = ""
    paragraphs: Sequence[str] = ()
    tables: Sequence[tuple[str, str, Table]] = ()
    charts: Sequence[Chart] = ()
    listings: Sequence[tuple[str, str]] = ()
    matrix: Matrix | None = None


@dataclass(frozen=True)
class Section:
    """A section of the page; one without parts is not shown."""

    id: str
    title: str
    parts: Sequence[Part]
    paragraphs: Sequence[str] = ()


def shown_measures(table) -> list[Column]:
    """The columns of metrics that a table has."""
    return [column for column in (*MEASURES, *OF_GROUPS) if column.name in table]
