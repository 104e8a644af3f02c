"""Markdown tables."""

from collections.abc import Iterable, Mapping, Sequence

import pandas as pd


def markdown_table(titles: Sequence[str], lines: Iterable[Sequence[str]]) -> str:
    """A Markdown table with the cells of each line under the titles."""
    return "".join(f"| {' | '.join(cells)} |\n" for cells in (titles, ["---"] * len(titles), *lines))


def compared_rows(table: pd.DataFrame, title: str, measured: Mapping[str, str], difference: str) -> str:
    """A Markdown table of rows with metrics and differences; a difference is bold if its interval excludes 0.

    The first column has the names of the rows; its title is ``title``. ``measured`` maps metrics to their titles, and
    ``difference`` is the title of the metric by which rows are compared. In ``table``, the metrics and the column
    ``difference`` (to the row ``versus``) have the ends of their intervals in ``_low`` and ``_high``. NaN is left out.
    """
    titles = [title, *measured.values(), f"difference in {difference}"]
    lines = []
    for line in table.to_dict("records"):
        numbers = [_shown(line, metric, "{:.3f}") for metric in measured]
        lines.append([line[table.columns[0]], *numbers, _difference(line)])
    return markdown_table(titles, lines)


def _difference(line: Mapping[str, float | str]) -> str:
    if pd.isna(line["versus"]):
        return ""
    shown = _shown(line, "difference", "{:+.3f}")
    real = line["difference_low"] > 0 or line["difference_high"] < 0
    return f"{f'**{shown}**' if real else shown} over {line['versus']}"


def _shown(line: Mapping[str, float | str], name: str, form: str) -> str:
    value, low, high = (line[f"{name}{end}"] for end in ("", "_low", "_high"))
    if pd.isna(value):
        return ""
    return form.format(value) + ("" if pd.isna(low) else f" [{form.format(low)}, {form.format(high)}]")
