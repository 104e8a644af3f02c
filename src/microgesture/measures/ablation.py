"""The ablation table: streams and ensembles on the same clips, with intervals that say which gain is real."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from ..storage.clips import Clips, natural_key
from ..storage.files import write_csv, write_text
from ..storage.markdown import compared_rows
from ..storage.scores import read_said
from .metrics import count
from .people import caveat, count_people, describe_clips, people_in_words, person_of

MEASURED = {"accuracy": "accuracy", "balanced_accuracy": "balanced", "macro_f1": "macro F1", "top5": "top 5"}
DRAWS = 1000  # of the bootstrap
ENDS = (0.025, 0.975)  # of a 95 % interval
FEW_PEOPLE = 30  # with 5 to 30 clusters such intervals come out too narrow (Cameron, Gelbach and Miller, 2008)


def make_ablation(
    rows: Mapping[str, str | None],
    said: Mapping[str, np.ndarray],
    labels_N: np.ndarray,
    person_N: np.ndarray,
    draws: int = DRAWS,
    seed: int = 0,
) -> pd.DataFrame:
    """One line a row: how good it is on the clips, each number with the ends of its interval, ``_low`` and ``_high``.

    ``rows[name]`` is the row above that ``name`` is compared with, or None; ``said[name]`` its logits or probabilities
    (N, K). Intervals are the percentile bootstrap's (Efron and Tibshirani, 1993) over whole people: as many as there
    are, drawn with replacement; means over classes are over those that a draw has. All rows see the same draws, so that
    ``difference``, the gain in accuracy over ``versus``, is a paired one. Intervals are NaN where there is one person
    only. Without clips the table has no line.
    """
    people, person_N = np.unique(person_N, return_inverse=True)
    times_DP = everybody_and_draws(len(people), draws, seed)
    drawn = {
        name: count(said[name], labels_N, person_N, len(people)).sums(times_DP).metrics()
        for name in (rows if len(labels_N) else ())
    }
    return table_of_rows(drawn, rows, MEASURED, "accuracy", {"name": "clips"}, len(labels_N), len(people))


def draw_people(people: int, draws: int, seed: int) -> np.ndarray:
    """How often each person is drawn when as many are drawn, with replacement, as there are: (draws, people)."""
    if not people:
        return np.zeros((draws, 0))
    return np.random.default_rng(seed).multinomial(people, np.full(people, 1 / people), draws).astype(float)


def everybody_and_draws(people: int, draws: int = DRAWS, seed: int = 0) -> np.ndarray:
    """How often each person counts, (1 + draws, people): once in the first row, then as ``draw_people`` draws them."""
    return np.concatenate((np.ones((1, people)), draw_people(people, draws, seed)))


def table_of_rows(
    drawn: Mapping[str, Mapping[str, np.ndarray]],
    versus: Mapping[str, str | None],
    metrics: Iterable[str],
    compared: str,
    titles: Mapping[str, str],
    size: int,
    people: int,
) -> pd.DataFrame:
    """One line a row: each metric with the ends of its interval, and its gain in ``compared`` over another row.

    ``drawn[row][metric]`` is (1 + draws,), first of everybody as they are, NaN where a draw tells nothing. ``titles``
    names the columns of the row's name and of ``size``, the number of what was measured.
    """
    ((name_title, size_title),) = titles.items()
    lines = []
    for row, values in drawn.items():
        line = {name_title: row, size_title: size}
        for metric in metrics:
            line |= _with_interval(metric, values[metric], people)
        if (other := versus.get(row)) is not None:
            line |= {"versus": other}
            line |= _with_interval("difference", values[compared] - drawn[other][compared], people)
        lines.append(line)
    ends = [f"{metric}{end}" for metric in metrics for end in ("", "_low", "_high")]
    columns = [name_title, size_title, *ends, "versus", "difference", "difference_low", "difference_high"]
    return pd.DataFrame(lines, columns=columns)


def _with_interval(name: str, values_D: np.ndarray, people: int) -> dict[str, float]:
    drawn_D = values_D[1:][~np.isnan(values_D[1:])]
    low, high = np.quantile(drawn_D, ENDS) if people > 1 and len(drawn_D) else (np.nan, np.nan)
    return {name: float(values_D[0]), f"{name}_low": float(low), f"{name}_high": float(high)}


def ablation_table(table: pd.DataFrame) -> str:
    """The table for people to read."""
    return compared_rows(table, "", MEASURED, "accuracy")


def run_ablation(
    clips: Clips,
    rows: Mapping[str, str | None],
    files: Mapping[str, Sequence[Path]],
    folds: int,
    csv: Path,
    markdown: Path,
) -> None:
    """Write the ablation table as CSV and as Markdown.

    ``rows`` as in ``make_ablation``; ``files[name]`` are what a row says of clips: the scores of a stream, fold by fold
    or of val, or an ensemble's predictions of its held-out clips. All are measured on the labelled clips that every row
    says something of.
    """
    said = {name: _read(files[name]) for name in rows}
    known = clips.usable[clips.usable.label.notna()].set_index("clip_id", drop=False)
    by_row = [set(known.index) & set(says) for says in said.values()]
    by_all = set.intersection(*by_row)
    table = known.loc[sorted(by_all, key=natural_key)]
    found = make_ablation(
        rows,
        {name: np.array([says[clip_id] for clip_id in table.clip_id]) for name, says in said.items()},
        table.label.to_numpy(int),
        person_of(table).to_numpy(),
    )
    write_csv(csv, found.round(4))
    if len(table):
        left_out = len(set.union(*by_row)) - len(by_all)
        text = "\n".join(_report(found, count_people(table), folds, left_out))
    else:
        text = "There is no labelled clip that every row says something of, so nothing could be measured.\n"
    write_text(markdown, f"# Ablation\n\n{text}")


def _read(paths: Sequence[Path]) -> dict[str, np.ndarray]:
    return {clip_id: says_K for path in paths for clip_id, says_K in read_said(path).items()}


def _report(found: pd.DataFrame, people: Mapping[str, int], folds: int, left_out: int) -> list[str]:
    """The paragraphs of the Markdown twin."""
    measured = f"{describe_clips(folds, people)}, {found.clips.iloc[0]} clips"
    if left_out:
        measured += f"; {left_out} that some row says nothing of are left out"
    shown = people_in_words(people)
    if sum(people.values()) == 1:
        intervals = f"There are no intervals, for all clips are of {shown}."
    else:
        intervals = (
            f"In brackets: the middle 95 % of {DRAWS} draws of the {shown}, with replacement. They show what the luck "
            "of who was filmed does to a number, not what another seed of training does. Differences are taken on the "
            "same clips and draws, and are bold where the interval excludes 0."
        )
        if sum(people.values()) < FEW_PEOPLE:
            intervals += " With so few of them the intervals are too narrow."
    return [f"{measured}. {caveat(folds, people)}\n", ablation_table(found), f"{intervals}\n"]
