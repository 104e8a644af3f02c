"""The threshold that follows from held-out clips, against counting."""

import numpy as np
import pandas as pd
import pytest

from microgesture.config.predictions import THRESHOLD
from microgesture.recogniser.thresholds import fitted
from microgesture.storage.clips import Clips
from microgesture.storage.scores import Prediction


def table(labels, spans=None, split="val"):
    rows = pd.DataFrame({"clip_id": map(str, range(len(labels))), "label": labels})
    starts, ends = zip(*(spans or [(10 * row, 10 * row + 5) for row in range(len(labels))]), strict=True)
    rows = rows.assign(recording="talk", start=starts, end=ends, split=split, status="ok")
    return Clips(rows, ("nod", "wave", "rub"), ("0", "1", "2"))


def said(labels, peaks):
    rest = (1 - np.array(peaks)) / 2
    predictions = np.tile(rest[:, None], 3)
    predictions[np.arange(len(labels)), labels] = peaks
    return {str(row): Prediction(probabilities_K, 1) for row, probabilities_K in enumerate(predictions)}


def test_nearly_all_right_clips_exceed_the_threshold_and_wrong_ones_do_not_count():
    peaks = np.linspace(0.41, 0.91, 51)
    labels = np.arange(51) % 3
    predicted = labels.copy()
    predicted[-10:] = (predicted[-10:] + 1) % 3
    found = fitted(table(labels), said(predicted, peaks))
    assert found.clips == 41
    assert 39 <= (peaks[:41] > found.threshold).sum() <= 40


def test_with_few_clips_the_threshold_is_the_usual_one():
    found = fitted(table([0, 1]), said([0, 1], [0.9, 0.9]))
    assert (found.threshold, found.clips) == (THRESHOLD, 0)
    assert fitted(table([0]), {}).threshold == THRESHOLD


@pytest.mark.parametrize(
    ("spans", "labels", "overlap"),
    [
        ([(0, 9), (10, 19), (20, 29)], [0, 1, 2], False),
        ([(0, 9), (7, 19), (20, 29)], [0, 1, 2], False),
        ([(0, 9), (1, 19), (20, 29)], [0, 1, 2], True),
        ([(0, 9), (1, 19), (20, 29)], [0, 0, 2], False),
        ([(0, 30), (5, 8), (20, 29)], [0, 0, 2], True),
    ],
)
def test_gestures_may_overlap_if_those_of_two_classes_do_in_train(spans, labels, overlap):
    assert fitted(table(labels, spans, "train"), {}).overlap == overlap
