"""The accuracy of rows of sources for win or lose, with confidence intervals over people."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd

from ..errors import InputError
from ..measures.ablation import DRAWS, FEW_PEOPLE, everybody_and_draws, table_of_rows
from ..measures.metrics import count
from ..measures.people import TRAINED, person_of, shared_in_words, shared_people
from ..storage.files import write_csv, write_text
from ..storage.markdown import compared_rows
from .predict import read_probabilities
from .train import learnt_from
from .videos import LABELS, with_ground_truth

MEASURED = {"balanced_accuracy": "balanced", "auc": "AUC", "accuracy": "accuracy"}


def weighted_auc(says_N: np.ndarray, win_N: np.ndarray, times_DN: np.ndarray) -> np.ndarray:
    """Compute the area under the ROC curve, (D,), one value for each row of ``times_DN``, the weights of the videos.

    It is the fraction of pairs of a win and a loss in which the win has the higher probability; ties count half (Hanley
    and McNeil, 1982). NaN if a row has only wins or only losses.
    """
    won_P, lost_Q = says_N[win_N], says_N[~win_N]
    right_PQ = (won_P[:, None] > lost_Q) + 0.5 * (won_P[:, None] == lost_Q)
    won_DP, lost_DQ = times_DN[:, win_N], times_DN[:, ~win_N]
    pairs_D = won_DP.sum(1) * lost_DQ.sum(1)
    return np.divide(
        ((won_DP @ right_PQ) * lost_DQ).sum(1), pairs_D, out=np.full(len(times_DN), np.nan), where=pairs_D > 0
    )


def measure_rows(
    says: Mapping[str, np.ndarray],
    versus: Mapping[str, str | None],
    win_N: np.ndarray,
    person_N: np.ndarray,
) -> pd.DataFrame:
    """Compute balanced accuracy, AUC and accuracy at 0.5 of each row, with intervals ``_low`` and ``_high``.

    ``says[row]`` are probabilities of win (N,), ``versus[row]`` is the row to compare with, or None. Intervals are
    those of ``ablation.make_ablation``: the percentile bootstrap over people; bootstrap samples with only wins or only
    losses are left out for balanced accuracy and AUC. All rows have the same samples, so ``difference``, the gain in
    balanced accuracy over ``versus``, is paired. Values are NaN for a single person, or if they cannot be computed.
    """
    people, group_N = np.unique(person_N, return_inverse=True)
    times_DG = everybody_and_draws(len(people))
    drawn = {row: _metrics(says_N, win_N, group_N, times_DG) for row, says_N in says.items()}
    return table_of_rows(drawn, versus, MEASURED, "balanced_accuracy", {"row": "videos"}, len(win_N), len(people))


def compare_rows(
    videos: pd.DataFrame,
    files: Mapping[str, Path],
    versus: Mapping[str, str | None],
    ground_truth: Path | None,
    csv: Path,
    markdown: Path,
) -> None:
    """Write the table of rows as CSV and as Markdown; ``files[row]`` has the predictions of a row.

    It covers the labelled videos of train and val, or, with ``ground_truth``, a file of labels, the test videos in that
    file. Raises ``InputError`` if the file has no test video, or if a row lacks the prediction for a video.
    """
    known = learnt_from(videos) if ground_truth is None else with_ground_truth(videos, ground_truth)
    predicted = {row: read_probabilities(path) for row, path in files.items()}
    for row, of_row in predicted.items():
        if missing := [video_id for video_id in known.video_id if video_id not in of_row]:
            raise InputError(f"{files[row]} has no row for video {missing[0]}; delete it and run again")
    person = person_of(videos).set_axis(videos.video_id)[known.video_id]
    found = measure_rows(
        {row: np.array([of_row[video_id] for video_id in known.video_id]) for row, of_row in predicted.items()},
        versus,
        (known.label == "win").to_numpy(),
        person.to_numpy(str),
    )
    shared = 0
    if ground_truth is not None:
        shared = len(set(person) & set(shared_people(videos, ["test"], TRAINED)))
        found = found.assign(people_in_training=shared)
    write_csv(csv, found.round(4))
    write_text(markdown, _report(found, known, person.nunique(), shared, of_test=ground_truth is not None))


def _metrics(says_N: np.ndarray, win_N: np.ndarray, group_N: np.ndarray, times_DG: np.ndarray) -> dict[str, np.ndarray]:
    counts = count(np.stack((1 - says_N, says_N), 1), win_N.astype(int), group_N, times_DG.shape[1]).sums(times_DG)
    measured = counts.metrics()
    both_D = (counts.true_PK > 0).all(1)
    return {
        "balanced_accuracy": np.where(both_D, measured["balanced_accuracy"], np.nan),
        "auc": weighted_auc(says_N, win_N, times_DG[:, group_N]),
        "accuracy": measured["accuracy"],
    }


def _report(found: pd.DataFrame, known: pd.DataFrame, people: int, shared: int, *, of_test: bool) -> str:
    counts = known.label.value_counts().reindex(LABELS, fill_value=0)
    described = (
        "Test videos, whose labels no other step reads"
        if of_test
        else "Videos of train and val, each predicted by networks that were trained without its person (the streams "
        "for context and gestures, however, were trained on the gestures of train)"
    )
    if known.subject.isna().any():
        described += "; some videos have no known subject"
    also = f" {shared_in_words(shared, people)}" if shared else ""
    few = " With so few people the intervals are too narrow." if people < FEW_PEOPLE else ""
    table = compared_rows(found, "sources", MEASURED, "balanced accuracy")
    return (
        f"# Emotion\n\n{described}: {len(known)} videos ({counts['win']} wins, {counts['lose']} losses) of {people} "
        f"people.{also} Chance is 0.5 for balanced accuracy and AUC.\n\n{table}\nIn brackets: the middle 95 % of "
        f"{DRAWS} draws of the {people} people, with replacement; one seed of training.{few}\n"
    )
