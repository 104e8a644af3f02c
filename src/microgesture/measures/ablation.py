"""The ablation table: streams and ensembles on the same clips, with confidence intervals of metrics and differences."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType

import numpy as np
import pandas as pd

from ..storage.clips import Clips, natural_key
from ..storage.files import write_csv, write_text
from ..storage.markdown import compared_rows
from ..storage.scores import read_probabilities
from .baselines import baseline_accuracies, in_words, wilson_interval
from .class_groups import group_of_classes
from .metrics import count
from .people import caveat, count_people, describe_clips, people_by_clip, people_in_words

MEASURED = {
    "accuracy": "accuracy",
    "balanced_accuracy": "balanced",
    "macro_f1": "macro F1",
    "macro_f1_present": "macro F1 of present classes",
    "top5": "top 5",
}
OF_GROUPS = {"f1_mean": "F1_mean", "group_accuracy": "accuracy of groups", "group_macro_f1": "macro F1 of groups"}
FRACTIONS = ("accuracy", "top5", "group_accuracy")  # of clips, so with one person their intervals are binomial
DRAWS = 1000  # resamples of the bootstrap
F1_MEAN = (
    "F1_mean is the mean of micro and macro F1 of the classes and of their groups. The probability of a group is the "
    "sum of the probabilities of its classes."
)
ENDS = (0.025, 0.975)  # quantiles at the ends of a 95 % interval
FEW_PEOPLE = 30  # with 5 to 30 clusters such intervals are too narrow (Cameron, Gelbach and Miller, 2008)


def make_ablation(
    rows: Mapping[str, str | None],
    predicted: Mapping[str, np.ndarray],
    labels_N: np.ndarray,
    person_N: np.ndarray,
    draws: int = DRAWS,
    seed: int = 0,
    group_K: np.ndarray | None = None,
) -> pd.DataFrame:
    """The metrics of each row, with the ends of their confidence intervals in ``_low`` and ``_high``.

    ``rows[name]`` is an earlier row that ``name`` is compared with, or None. ``predicted[name]`` are the logits or
    probabilities (N, K) of a row; with ``group_K``, the group of each class, they must be probabilities.

    Intervals are percentile bootstrap intervals (Efron and Tibshirani, 1993) with people as the resampling unit. Means
    over classes include only the classes that occur in a resample. All rows use the same resamples, so ``difference``,
    the gain in accuracy over the row ``versus``, is paired. With only one person, the intervals of fractions of clips
    are binomial, and all others NaN. ``chance`` and ``most_frequent`` are the accuracies of the ``baselines``. Without
    clips, the table is empty.
    """
    people, person_N = np.unique(person_N, return_inverse=True)
    times_DP = everybody_and_draws(len(people), draws, seed)
    drawn = {
        name: count(predicted[name], labels_N, person_N, len(people), group_K).sums(times_DP).metrics()
        for name in (rows if len(labels_N) else ())
    }
    metrics = [*MEASURED, *(OF_GROUPS if group_K is not None else ())]
    table = table_of_rows(drawn, rows, metrics, "accuracy", {"name": "clips"}, len(labels_N), len(people))
    if len(people) == 1:
        for metric in set(metrics).intersection(FRACTIONS):
            ends = [wilson_interval(value, len(labels_N)) for value in table[metric]]
            table[[f"{metric}_low", f"{metric}_high"]] = ends
    return table.assign(**baseline_accuracies(labels_N))


def draw_people(people: int, draws: int, seed: int) -> np.ndarray:
    """How often each person occurs in each bootstrap resample, (draws, people)."""
    if not people:
        return np.zeros((draws, 0))
    return np.random.default_rng(seed).multinomial(people, np.full(people, 1 / people), draws).astype(float)


def everybody_and_draws(people: int, draws: int = DRAWS, seed: int = 0) -> np.ndarray:
    """How often each person counts, (1 + draws, people): once in the first row, then as in ``draw_people``."""
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
    """A table with one line for each row: its metrics with intervals, and its gain in ``compared`` over another row.

    ``drawn[row][metric]`` is (1 + draws,): the value for all people, then for each resample, NaN if it is undefined
    there. ``titles`` has the titles of two columns: the name of the row, and ``size``, the number of clips or videos.
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
    """The table in Markdown."""
    measured = {metric: title for metric, title in (MEASURED | OF_GROUPS).items() if metric in table}
    return compared_rows(table, "", measured, "accuracy")


def said_of_table(table: pd.DataFrame, people: Mapping[str, int]) -> str:
    """The baselines and the kind of the intervals of a table of ``make_ablation``, in sentences."""
    shown, line = people_in_words(people), table.iloc[0]
    text = in_words(line.chance, line.most_frequent)
    if "f1_mean" in table:
        text += f" {F1_MEAN}"
    if sum(people.values()) == 1:
        return (
            f"{text} In brackets: 95 % binomial intervals (Wilson). All clips are of {shown}, so they show the "
            "variation between clips, not between people, and there are none of the other metrics."
        )
    return (
        f"{text} In brackets: 95 % bootstrap intervals from {DRAWS} resamples of the {shown}. They show the variation "
        "due to the choice of people, not the variation between training seeds. Differences are paired: they use the "
        "same clips and resamples. They are bold if the interval excludes 0."
        + (" With so few people the intervals are too narrow." if sum(people.values()) < FEW_PEOPLE else "")
    )


def run_ablation(
    clips: Clips,
    rows: Mapping[str, str | None],
    files: Mapping[str, Sequence[Path]],
    folds: int,
    csv: Path,
    markdown: Path,
    left_out: Sequence[str] = (),
    groups: Mapping[str, Sequence[str]] = MappingProxyType({}),
) -> None:
    """Write the ablation table as CSV and as Markdown.

    ``rows`` is as in ``make_ablation``. ``files[name]`` are the predictions of a row: the scores of a stream for each
    fold or for val, or the predictions of an ensemble for its held-out clips. All rows are evaluated on the labelled
    clips for which every row has a prediction. The text names ``left_out``, rows that were also trained on these clips.
    ``groups`` are groups of classes.
    """
    predicted = {name: _read(files[name]) for name in rows}
    known = clips.usable[clips.usable.label.notna()].set_index("clip_id", drop=False)
    by_row = [set(known.index) & set(of_row) for of_row in predicted.values()]
    by_all = set.intersection(*by_row)
    table = known.loc[sorted(by_all, key=natural_key)]
    person_N = people_by_clip(clips)[table.clip_id].to_numpy()
    found = make_ablation(
        rows,
        {name: np.array([of_row[clip_id] for clip_id in table.clip_id]) for name, of_row in predicted.items()},
        table.label.to_numpy(int),
        person_N,
        group_K=group_of_classes(groups, clips.classes),
    )
    write_csv(csv, found.round(4))
    if len(table):
        unpredicted = len(set.union(*by_row)) - len(by_all)
        text = "\n".join(_report(found, count_people(person_N), folds, unpredicted))
    else:
        text = "No labelled clip has predictions of every row, so there are no results.\n"
    if left_out:
        text += f"\nNot here, because they were also trained on these clips: {', '.join(left_out)}.\n"
    write_text(markdown, f"# Ablation\n\n{text}")


def _read(paths: Sequence[Path]) -> dict[str, np.ndarray]:
    return {clip_id: probabilities_K for path in paths for clip_id, probabilities_K in read_probabilities(path).items()}


def _report(found: pd.DataFrame, people: Mapping[str, int], folds: int, unpredicted: int) -> list[str]:
    """The paragraphs of the Markdown file."""
    measured = f"{describe_clips(folds, people)}, {found.clips.iloc[0]} clips"
    if unpredicted:
        measured += f"; {unpredicted} clips without a prediction of every row are left out"
    return [f"{measured}. {caveat(folds, people)}\n", ablation_table(found), f"{said_of_table(found, people)}\n"]
