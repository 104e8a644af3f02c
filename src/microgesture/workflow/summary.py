"""The table at the end of a run."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
from rich.box import SIMPLE_HEAD
from rich.table import Table
from rich.text import Text

from ..measures.people import caveat, describe_clips
from ..measures.warnings import corpus_warnings
from ..storage.clips import read_clips
from ..storage.files import read_json
from ..terminal import PlainConsole, counted

COLUMNS = ("accuracy", "balanced_accuracy", "macro_f1", "top5", "weight", "without")
HEADINGS = ("accuracy", "balanced", "macro F1", "top 5", "weight", "without")
NOTE = '"without" is the ensemble\'s accuracy when the stream is left out.'


def print_summary(
    summary: Path,
    fusion: Path,
    submission: Path,
    quarantine: Path,
    cards: Sequence[Path],
    emotion: tuple[Path, Path] | None = None,
    report: Path | None = None,
    clips: Path | None = None,
) -> None:
    """Print the measures of the streams and of the ensemble on held-out clips, and the paths of the outputs.

    ``summary`` and ``fusion`` are the ensemble's files. ``cards`` are those of streams outside the ensemble, such as
    pretraining on another corpus. ``emotion`` are the card and the submission of emotion recognition. ``report`` is the
    path of the HTML report, if it shows this submission. ``clips`` is the clips table, whose warnings are repeated.
    """
    console = PlainConsole()
    rows = pd.read_csv(summary)
    if len(rows):
        console.print(_table(rows, read_json(fusion)["fitted_on"], [read_json(card) for card in cards]))
    elif (said := read_json(fusion))["fitted_on"]["split"] is None:
        calibration_from = (
            f"; see that of {said['calibration_from']}, whose weights they use, in its summary.csv"
            if "calibration_from" in said
            else ""
        )
        console.print(
            f"The streams were also trained on the validation clips, so there is no accuracy{calibration_from}."
        )
    else:
        console.print(
            "The corpus has no labelled validation clips: the streams have equal weights, and there is no accuracy."
        )
    for warning in corpus_warnings(read_clips(clips)) if clips else ():
        console.print(Text(f"Warning: {warning}", "bold red"))
    unusable = pd.read_csv(quarantine)
    if len(unusable):
        console.print(
            f"{counted(unusable.clip_id.nunique(), 'clip')} could not be used in some stage: see {quarantine}"
        )
    console.print(f"{counted(len(pd.read_csv(submission)), 'test clip')} predicted: {submission}")
    if emotion:
        card, told = read_json(emotion[0]), emotion[1]
        console.print(
            f"{len(pd.read_csv(told))} test videos predicted as win or lose: {told}. Balanced accuracy "
            f"{card['held_out_balanced_accuracy']:.3f} on the {sum(card['videos'].values())} labelled videos, each "
            "predicted by networks that were trained without its subjects"
        )
    if report:
        console.print(f"All results are on one page, {report}: open it in a browser")


def _table(rows: pd.DataFrame, fitted_on: Mapping[str, Any], cards: Sequence[dict]) -> Table:
    folds, people = fitted_on.get("folds", 0), fitted_on.get("people", {})
    table = Table(
        title=f"{describe_clips(folds, people)}, {counted(int(rows.clips.iloc[0]), 'clip')}",
        title_justify="left",
        caption=f"{caveat(folds, people)}\n{NOTE}",
        caption_justify="left",
        box=SIMPLE_HEAD,
        padding=(0, 1, 0, 0),
    )
    table.add_column("stream", no_wrap=True)
    for heading in HEADINGS:
        table.add_column(heading, justify="right")
    for card in cards:
        best = card["best"]
        values = (best["val_accuracy"], best["val_balanced_accuracy"])
        table.add_row(f"{card['stream']} (on {card['corpus']})", *map(_shown, values), style="dim")
    for row in rows.itertuples():
        name, style = (f"ensemble {row.name}", "bold") if row.kind == "ensemble" else (row.name, None)
        table.add_row(name, *(_shown(getattr(row, column)) for column in COLUMNS), style=style)
    return table


def _shown(value: float | None) -> str:
    return "" if pd.isna(value) else f"{value:.3f}"
