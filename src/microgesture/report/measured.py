"""Predictions of the streams and of an ensemble on labelled clips, and the measures that most sections use."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.special import softmax

from ..config.report import ReportStep
from ..ensembles.ensemble import HeldOut
from ..ensembles.fusion import usable
from ..measures.ablation import make_ablation
from ..measures.baselines import baselines, in_words
from ..measures.class_groups import group_of_classes
from ..measures.people import TRAINED, count_people, describe_clips, people_by_clip, people_in_words, shared_people
from ..terminal import counted
from .measures import count_confusion
from .results import Results

TEST, HELD_OUT = "test", "held_out"


@dataclass(frozen=True)
class Measured:
    """The labelled clips of one ``kind``, test or held out, with predictions from every stream, in order of their ids.

    ``plain_SNK`` are the uncalibrated probabilities of the streams, ``calibrated_SNK`` the calibrated ones, and
    ``fused_NK`` those of the ensemble. ``without_S`` is the ensemble's accuracy without one stream, with the other
    weights unchanged; it is NaN if no stream is left. ``confusion_KK`` is the ensemble's confusion matrix. ``table``
    has one row for each stream and then one for the ensemble, as in the ablation table. ``shared`` is the number of
    people who are also in train or val, counted only for test.
    """

    kind: str
    title: str
    streams: Sequence[str]
    ensemble: str
    clip_ids: np.ndarray
    labels_N: np.ndarray
    person_N: np.ndarray
    plain_SNK: np.ndarray
    calibrated_SNK: np.ndarray
    fused_NK: np.ndarray
    without_S: np.ndarray
    confusion_KK: np.ndarray
    table: pd.DataFrame
    shared: int

    @property
    def probabilities(self) -> dict[str, np.ndarray]:
        """The uncalibrated probabilities (N, K) of each stream, then those of the ensemble, by name."""
        return dict(zip(self.streams, self.plain_SNK, strict=True)) | {self.ensemble: self.fused_NK}

    @property
    def people(self) -> dict[str, int]:
        """The number of subjects and of recordings without a subject."""
        return count_people(self.person_N)

    @property
    def described(self) -> str:
        """The clips as text, such as ``Test split, 24 clips of 3 subjects``."""
        return f"{self.title}, {counted(len(self.labels_N), 'clip')} of {people_in_words(self.people)}"

    @property
    def baselines(self) -> pd.DataFrame:
        """The metrics of trivial classifiers; see ``measures.baselines``."""
        return baselines(self.labels_N)

    @property
    def trivial(self) -> str:
        """The accuracies of trivial classifiers, as a sentence."""
        return in_words(*self.baselines.accuracy)


def measure_all(step: ReportStep, results: Results) -> list[Measured]:
    """Measure the submitted ensemble on test clips with known labels, and the measured one on its held-out clips.

    Clips of a kind that the run does not have are left out.
    """
    found = []
    if results.on_test is not None:
        streams = step.submitted_streams or step.streams
        found.append(_measure(TEST, "Test split", streams, step.submitted, results.on_test, step, results))
    people = people_by_clip(results.clips)[list(results.held_out.clip_ids)]
    title = describe_clips(step.folds, count_people(people))
    found.append(_measure(HELD_OUT, title, step.streams, step.measured, results.held_out, step, results))
    return [each for each in found if len(each.labels_N)]


def _measure(
    kind: str,
    title: str,
    streams: Sequence[str],
    ensemble: str,
    held_out: HeldOut,
    step: ReportStep,
    results: Results,
) -> Measured:
    common_N = usable(held_out.logits_SNK).all(0)
    clip_ids = np.array(held_out.clip_ids, object)[common_N]
    labels_N = held_out.labels_N[common_N]
    person_N = people_by_clip(results.clips)[clip_ids].to_numpy()
    plain_SNK = softmax(held_out.logits_SNK[:, common_N], axis=2)
    fused_NK = held_out.fused()[common_N]
    without_S = [_accuracy(held_out.fused(left_out)[common_N], labels_N) for left_out in range(len(streams))]
    probabilities = dict(zip(streams, plain_SNK, strict=True)) | {ensemble: fused_NK}
    group_K = group_of_classes(step.groups, results.clips.classes)
    known = set(shared_people(results.clips.table, [TEST], TRAINED)) if kind == TEST else set()
    return Measured(
        kind=kind,
        title=title,
        streams=streams,
        ensemble=ensemble,
        clip_ids=clip_ids,
        labels_N=labels_N,
        person_N=person_N,
        plain_SNK=plain_SNK,
        calibrated_SNK=held_out.calibrated()[:, common_N],
        fused_NK=fused_NK,
        without_S=np.array(without_S),
        confusion_KK=count_confusion(labels_N, fused_NK.argmax(1), fused_NK.shape[1]),
        table=make_ablation(dict.fromkeys(probabilities), probabilities, labels_N, person_N, group_K=group_K),
        shared=len(set(person_N) & known),
    )


def _accuracy(probabilities_NK: np.ndarray, labels_N: np.ndarray) -> float:
    if not len(labels_N) or np.isnan(probabilities_NK).any():
        return np.nan
    return float((probabilities_NK.argmax(1) == labels_N).mean())
