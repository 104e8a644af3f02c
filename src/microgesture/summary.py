"""The table at the end of a run."""

from pathlib import Path

import pandas as pd
from rich.console import Console
from rich.table import Table


def print_summary(summary: Path, submission: Path, quarantine: Path) -> None:
    """Print how good each stream and the ensemble is on the validation split, and where the submission lies."""
    rows = pd.read_csv(summary)
    console = Console()
    if len(rows):
        console.print(_table(rows))
    else:
        console.print("The corpus has no labelled validation clips: the streams have equal weights, and no accuracy.")
    unusable = pd.read_csv(quarantine)
    if len(unusable):
        console.print(f"{unusable.clip_id.nunique()} clips could not be used in every stage: see {quarantine}")
    console.print(f"{len(pd.read_csv(submission))} test clips predicted: {submission}")


def _table(rows: pd.DataFrame) -> Table:
    clips = int(rows.clips.iloc[0])
    table = Table(
        title=f"Validation split, {clips} clips",
        caption="Temperatures, weights and the best epochs were chosen on these clips: new subjects will score lower.",
    )
    for heading in ("", "accuracy", "balanced", "macro F1", "top 5", "weight", "ensemble without it"):
        table.add_column(heading, justify="right" if heading else "left")
    for row in rows.itertuples():
        values = (row.accuracy, row.balanced_accuracy, row.macro_f1, row.top5, row.weight, row.without)
        style = "bold" if row.kind == "ensemble" else None
        table.add_row(row.name, *("" if pd.isna(value) else f"{value:.3f}" for value in values), style=style)
    return table
