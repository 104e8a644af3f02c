"""Predict videos with a trained row: held-out predictions for the labelled videos, and predictions for test."""

from collections.abc import Mapping
from pathlib import Path

import pandas as pd
import torch

from ..config.emotion import EmotionStep
from ..corpora.listing import decimal
from ..errors import InputError
from ..storage.csv_files import csv_table
from ..storage.files import write_csv
from .forecast import load_forecast
from .tokens import Video
from .train import deal_people, learnt_from

DIGITS = 6


def predict_emotion(
    videos: pd.DataFrame,
    tokens: Mapping[str, Video],
    step: EmotionStep,
    model: Path,
    held_out: Path,
    test: Path,
    device: torch.device,
) -> None:
    """Write ``video_id,probability`` of win for the labelled videos of train and val, and for those of test.

    A labelled video is predicted by the networks that were trained without its person, a test video by all networks.
    """
    forecast = load_forecast(model, tokens, step).to(device)
    learnt, tested = learnt_from(videos), videos[videos.split == "test"]
    fold_N = deal_people(learnt, step.folds, step.seed)
    says = [forecast.says(tokens[video_id], int(fold)) for video_id, fold in zip(learnt.video_id, fold_N, strict=True)]
    write_probabilities(held_out, dict(zip(learnt.video_id, says, strict=True)))
    write_probabilities(test, {video_id: forecast.says(tokens[video_id]) for video_id in tested.video_id})


def write_probabilities(path: Path, probability: Mapping[str, float]) -> None:
    """Write the probability of win of each video as CSV."""
    rows = {"video_id": list(probability), "probability": [f"{value:.{DIGITS}f}" for value in probability.values()]}
    write_csv(path, pd.DataFrame(rows))


def read_probabilities(path: Path) -> dict[str, float]:
    """Read the probability of win of each video; raises ``InputError`` if the file has other contents."""
    table = csv_table(path)
    if list(table.columns) != ["video_id", "probability"]:
        raise InputError(f"{path} has no probabilities of videos; delete it and run again")
    values = [decimal(text) for text in table.probability]
    if any(value is None or not 0 <= value <= 1 for value in values):
        raise InputError(f"{path} has a row without a valid probability; delete it and run again")
    return dict(zip(table.video_id, values, strict=True))
