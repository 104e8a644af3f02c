"""The table at the end of a run."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
from rich.box import SIMPLE_HEAD
from rich.table import Table
from rich.text import Text

from ..measures.baselines import CHANCE, MOST_FREQUENT
from ..measures.learning import doubts_of_learning
from ..measures.people import caveat, describe_clips, shared_in_words
from ..measures.warnings import corpus_warnings
from ..storage.clips import read_clips
from ..storage.files import read_json
from ..terminal import PlainConsole, counted

MEASURES = {"accuracy": "accuracy", "balanced_accuracy": "balanced", "macro_f1": "macro F1", "top5": "top 5"}
OF_GROUPS = {"f1_mean": "F1_mean"}
OF_FUSION = {"weight": "weight", "without": "without"}
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
    ablation: Path | None = None,
    on_test: Path | None = None,
) -> None:
    """Print the measures of the streams and of the ensemble, on held-out clips and on test clips, and the outputs.

    ``summary`` and ``fusion`` are the ensemble's files. ``cards`` are those of streams, also of streams outside the
    ensemble, such as pretraining on another corpus. ``ablation`` and ``on_test`` are the tables of rows on held-out
    clips and on test clips; the first is used only for groups of classes. ``emotion`` are the card and the submission
    of emotion recognition. ``report`` is the path of the HTML report, if it shows this submission. ``clips`` is the
    clips table, whose warnings are repeated.
    """
    console = PlainConsole()
    rows, trained = pd.read_csv(summary), [read_json(card) for card in cards]
    if ablation and "f1_mean" in (compared := pd.read_csv(ablation)):
        rows = rows.merge(compared[["name", "f1_mean"]], "left", "name")
    if len(rows):
        others = [card for card in trained if card["stream"] not in set(rows.name)]
        console.print(_table(rows, read_json(fusion)["fitted_on"], others))
    elif (fitted := read_json(fusion))["fitted_on"]["split"] is None:
        calibration_from = (
            f"; see that of {fitted['calibration_from']}, whose weights they use, in its summary.csv"
            if "calibration_from" in fitted
            else ""
        )
        console.print(
            "The streams were also trained on the validation clips, so there is no accuracy on validation clips"
            f"{calibration_from}."
        )
    else:
        console.print(
            "The corpus has no labelled validation clips: the streams have equal weights, and there is no accuracy on "
            "validation clips."
        )
    if on_test:
        console.print(_test_table(pd.read_csv(on_test)))
    for card in trained:
        for doubt in doubts_of_learning(card):
            console.print(Text(f"Warning: {doubt}", "bold red"))
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
    columns = [name for name in (MEASURES | OF_GROUPS | OF_FUSION) if name in rows]
    title = f"{describe_clips(folds, people)}, {counted(int(rows.clips.iloc[0]), 'clip')}"
    table = _empty_table(title, f"{caveat(folds, people)}\n{NOTE}", columns)
    for card in cards:
        best = card["best"]
        values = (best["val_accuracy"], best["val_balanced_accuracy"])
        table.add_row(f"{card['stream']} (on {card['corpus']})", *map(_shown, values), style="dim")
    for row in rows.itertuples():
        name, style = (f"ensemble {row.name}", "bold") if row.kind == "ensemble" else (row.name, None)
        table.add_row(name, *(_shown(getattr(row, column)) for column in columns), style=style)
    _add_baselines(table, rows)
    return table


def _test_table(rows: pd.DataFrame) -> Table:
    """The table of test clips, whose last row is the ensemble; accuracies have their intervals."""
    columns = [name for name in (MEASURES | OF_GROUPS) if name in rows]
    first = rows.iloc[0]
    title = f"Test split, {first.clips} clips of {first.people} {'person' if first.people == 1 else 'people'}"
    shared = shared_in_words(first.people_in_training, first.people)
    interval = "In brackets: 95 % interval of the accuracy, "
    interval += "between clips of this person." if first.people == 1 else "between people."
    table = _empty_table(title, f"{shared}\n{interval}" if shared else interval, columns)
    for row in rows.to_dict("records"):
        values = {column: _shown(row[column]) for column in columns}
        if not pd.isna(row["accuracy_low"]):
            values["accuracy"] += f" [{row['accuracy_low']:.3f}, {row['accuracy_high']:.3f}]"
        table.add_row(row["name"], *values.values())
    _add_baselines(table, rows)
    return table


def _empty_table(title: str, caption: str, columns: Sequence[str]) -> Table:
    table = Table(
        title=title,
        title_justify="left",
        caption=caption,
        caption_justify="left",
        box=SIMPLE_HEAD,
        padding=(0, 1, 0, 0),
    )
    table.add_column("stream", no_wrap=True)
    for column in columns:
        table.add_column((MEASURES | OF_GROUPS | OF_FUSION)[column], justify="right")
    return table


def _add_baselines(table: Table, rows: pd.DataFrame) -> None:
    """Add the accuracies of trivial classifiers, which stand in columns of the table."""
    for name, column in ((CHANCE, "chance"), (MOST_FREQUENT, "most_frequent")):
        if column in rows:
            table.add_row(name, _shown(rows[column].iloc[0]), style="dim")


def _shown(value: float | None) -> str:
    return "" if pd.isna(value) else f"{value:.3f}"
