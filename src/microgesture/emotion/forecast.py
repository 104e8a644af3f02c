"""A trained row: its networks, and their combined prediction for videos."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch
from scipy.special import expit, logit
from torch import nn

from ..config.emotion import EmotionStep, Source
from ..errors import InputError
from ..networks.swinface import FaceEncoder
from ..streams.weights import About, load_weights, save_weights
from .network import EmotionNetwork
from .tokens import Video, together
from .videos import LABELS

SUREST = 1e-6  # least distance of a probability from 0 and 1


class Forecast(nn.Module):
    """The networks of a row, ``members`` for each of its folds, with a temperature and the fractions of wins.

    ``prior_F`` is the fraction of wins among the training videos of each fold; it is the prediction for a video without
    any token.
    """

    def __init__(self, networks: list[list[EmotionNetwork]], prior_F: torch.Tensor, temperature: float = 1.0) -> None:
        super().__init__()
        self.networks = nn.ModuleList(nn.ModuleList(members) for members in networks)
        self.register_buffer("prior_F", prior_F)
        self.register_buffer("temperature", torch.tensor(temperature))

    @torch.no_grad()
    def says(self, video: Video, fold: int | None = None) -> float:
        """Predict the probability of win; with a ``fold``, by the networks that were trained without that fold.

        It is the mean over the networks, at the temperature. The input is the whole video with every face. Each video
        is predicted alone, so that the result does not depend on other videos.
        """
        self.eval()
        folds = range(len(self.networks)) if fold is None else [fold]
        prior_F = self.prior_F.cpu().numpy()[list(folds)]
        networks = [network for number in folds for network in self.networks[number]]
        if not has_tokens(video, networks[0].sources):
            return float(prior_F.mean())
        tokens = together([video], networks[0].sources, self.prior_F.device)
        mean = np.mean([network(tokens).double().sigmoid().item() for network in networks])
        return float(expit(logit(np.clip(mean, SUREST, 1 - SUREST)) / self.temperature.item()))


def has_tokens(video: Video, sources: tuple[Source, ...]) -> bool:
    """Whether any clip of the video has a token of one of the sources."""
    return any(video.found(source).any() for source in sources)


def new_network(videos: Mapping[str, Video], step: EmotionStep) -> EmotionNetwork:
    """Build a network for the tokens of such videos, with random weights from torch's generator."""
    features, encoder, posture = {}, None, None
    first = next(iter(videos.values()))
    for source in step.sources:
        if source == "face":
            features[source] = step.face.network.embedding
            if step.face.weights is None:
                encoder = FaceEncoder(**step.face.network.model_dump(exclude={"name"}))
        elif source == "pose":
            features[source], posture = step.pose.width, first.pose_NFX.shape[2]
        else:
            features[source] = (first.context_ND if source == "context" else first.gestures_NG).shape[1]
    return EmotionNetwork(step.sources, features, step.network, encoder, posture)


def save_forecast(path: Path, forecast: Forecast, step: EmotionStep) -> None:
    """Write a trained row as safetensors."""
    state = {name: tensor.cpu() for name, tensor in forecast.state_dict().items()}
    save_weights(path, state, About(step.row, step.sources, LABELS))


def load_forecast(path: Path, videos: Mapping[str, Video], step: EmotionStep) -> Forecast:
    """Read a trained row for the tokens of such videos; raises ``InputError`` if it was trained on other sources."""
    state, about = load_weights(path)
    if about is None or about.inputs != step.sources or about.classes != LABELS:
        raise InputError(f"{path} was not trained on {' and '.join(step.sources)}; delete it and run again")
    networks = [[new_network(videos, step) for _ in range(step.members)] for _ in range(step.folds)]
    forecast = Forecast(networks, torch.zeros(step.folds))
    forecast.load_state_dict(state)
    return forecast
