"""Decoupled spatial-temporal CNN over skeletons: convolutions over joints alternate with convolutions over time.

It is a part of the fourth-placed method of MiGA 2026: (1x3) convolutions over joints and (5x1) convolutions over time,
with joints in an order that follows the body. Its authors do not publish details such as widths and blocks; those here
are our own.
"""

from collections.abc import Sequence

import torch
from torch import nn
from torch.nn import functional

from ..config.networks import DecoupledSTCNNSettings
from ..skeletons.graph import walk
from ..skeletons.selections import Selection
from .shortcut import shortcut
from .tokens import Features


class Block(nn.Module):
    """Convolutions over three joints and over five frames, with a residual connection: features_BCTV to features_BCTV.

    The convolution over time has the given ``stride``.
    """

    def __init__(self, channels: int, width: int, stride: int) -> None:
        super().__init__()
        self.joints = nn.Sequential(
            nn.Conv2d(channels, width, (1, 3), padding=(0, 1), bias=False), nn.BatchNorm2d(width), nn.ReLU()
        )
        self.time = nn.Sequential(
            nn.Conv2d(width, width, (5, 1), (stride, 1), padding=(2, 0), bias=False), nn.BatchNorm2d(width)
        )
        self.shortcut = shortcut(channels, width, stride, bias=False)

    def forward(self, x_BCTV: torch.Tensor) -> torch.Tensor:
        return torch.relu(self.shortcut(x_BCTV) + self.time(self.joints(x_BCTV)))


class DecoupledSTCNN(nn.Module):
    """Logits_BK of skeletons x_BCTV, whose last channel is above 0 where a joint was detected.

    The first layer processes each joint alone and replaces the features of a missing joint by learned ones, so the
    values of its channels do not matter. Missing joints are excluded from the average that is classified. With
    ``joints_apart`` the features of each joint are averaged over time and concatenated; otherwise the average is over
    time and joints. Each block has its entry of ``strides`` in time. Any number of frames is accepted.
    """

    def __init__(
        self,
        channels: int,
        classes: int,
        order: Sequence[int],
        widths: Sequence[int] = (32, 64, 128),
        strides: Sequence[int] = (2, 2, 2),
        dropout: float = 0.3,
        joints_apart: bool = True,
    ) -> None:
        super().__init__()
        V = len(order)
        self.register_buffer("order", torch.tensor(order), persistent=False)
        self.stem = nn.Conv2d(channels, widths[0], 1)
        self.missing = nn.Parameter(torch.zeros(widths[0], 1, 1))
        self.place = nn.Parameter(0.02 * torch.randn(widths[0], 1, V))  # distinguishes joints at the same position
        before = (widths[0], *widths)
        self.blocks = nn.Sequential(*map(Block, before, widths, strides))
        features = widths[-1] * (V if joints_apart else 1)
        self.token_width = widths[-1]
        self.head = nn.Sequential(nn.Dropout(dropout), nn.Linear(features, classes))
        self._averaged = (2,) if joints_apart else (2, 3)
        self.to(memory_format=torch.channels_last)

    def features(self, x_BCTV: torch.Tensor) -> torch.Tensor:
        """The input of the classifier, features_BD; D is the last width, times the joints with ``joints_apart``."""
        return self._pooled(*self._tokens(x_BCTV))

    def forward(self, x_BCTV: torch.Tensor) -> torch.Tensor:
        return self.head(self.features(x_BCTV))

    def forward_features(self, x_BCTV: torch.Tensor) -> Features:
        """The features with one token a joint, in the selection's order; all strides multiplied make one time step."""
        tokens_BDTV, share_B1TV = self._tokens(x_BCTV)
        features_BD = self._pooled(tokens_BDTV, share_B1TV)
        return Features(tokens_BDTV[..., self.order.argsort()], features_BD, self.head(features_BD))

    def _tokens(self, x_BCTV: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """The tokens, with joints in the order of the body, and the weight of each in the average, 0 to 1."""
        x_BCTV = x_BCTV[..., self.order]
        found_B1TV = x_BCTV[:, -1:] > 0
        seen_BCTV = torch.where(found_B1TV, torch.relu(self.stem(x_BCTV)), self.missing) + self.place
        tokens_BDTV = self.blocks(seen_BCTV)
        return tokens_BDTV, functional.adaptive_max_pool2d(found_B1TV.float(), tokens_BDTV.shape[2:])

    def _pooled(self, tokens_BDTV: torch.Tensor, share_B1TV: torch.Tensor) -> torch.Tensor:
        total = (tokens_BDTV * share_B1TV).sum(self._averaged)
        return (total / share_B1TV.sum(self._averaged).clamp(min=1)).flatten(1)


def build(
    settings: DecoupledSTCNNSettings, channels: Sequence[int], classes: int, selection: Selection
) -> DecoupledSTCNN:
    """Build the network that the settings describe, for the joints of ``selection``."""
    (of_a_joint,) = channels
    return DecoupledSTCNN(
        of_a_joint, classes, walk(selection), settings.widths, settings.strides, settings.dropout, settings.joints_apart
    )
