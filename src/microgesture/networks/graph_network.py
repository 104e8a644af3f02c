"""What graph networks over skeletons have in common: ten units, and one classifier of their mean over all joints."""

import math
from collections.abc import Callable

import numpy as np
import torch
from torch import nn

from .shortcut import Shortcut
from .tokens import Features

UNITS = ((1, 1), (1, 1), (1, 1), (1, 1), (2, 2), (2, 1), (2, 1), (4, 2), (4, 1), (4, 1))  # times the width, stride


class Unit(nn.Module):
    """A convolution over a graph and one over time, with a residual connection if ``residual``: x_BCTV to x_BCTV."""

    def __init__(
        self, graph: nn.Module, time: nn.Module, channels: int, width: int, stride: int, residual: bool
    ) -> None:
        super().__init__()
        self.graph = graph
        self.time = time
        self.residual = residual
        self.shortcut = (
            Shortcut(channels, width, stride) if residual and (channels != width or stride != 1) else nn.Identity()
        )

    def forward(self, x_BCTV: torch.Tensor) -> torch.Tensor:
        new_BCTV = self.time(self.graph(x_BCTV))
        return torch.relu(new_BCTV + self.shortcut(x_BCTV) if self.residual else new_BCTV)


class GraphNetwork(nn.Module):
    """Logits_BK of skeletons x_BCTV, whose last channel is above 0 where a joint was detected.

    ``graph`` makes the convolution over the graphs ``fixed_KVV`` from channels, width and graphs, ``time`` that over
    time from width and stride. Any number of frames is accepted. The coordinates of a missing joint are set to 0 after
    normalisation, which stands for the joint's mean position; only its confidence shows that it is missing.
    """

    def __init__(
        self,
        graph: Callable[[int, int, np.ndarray], nn.Module],
        time: Callable[[int, int], nn.Module],
        channels: int,
        classes: int,
        fixed_KVV: np.ndarray,
        width: int = 64,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        self.norm = nn.BatchNorm1d(fixed_KVV.shape[1] * channels)
        self.units = nn.Sequential()
        before = channels
        for index, (times, stride) in enumerate(UNITS):
            inner = times * width
            parts = graph(before, inner, fixed_KVV), time(inner, stride)
            self.units.append(Unit(*parts, before, inner, stride, residual=index > 0))
            before = inner
        self.token_width = before
        self.head = nn.Sequential(nn.Dropout(dropout), nn.Linear(before, classes))
        nn.init.normal_(self.head[-1].weight, std=math.sqrt(2 / classes))

    def _tokens(self, x_BCTV: torch.Tensor) -> torch.Tensor:
        B, C, T, V = x_BCTV.shape
        found_B1TV = x_BCTV[:, -1:] > 0
        normed_BXT = self.norm(x_BCTV.permute(0, 3, 1, 2).reshape(B, V * C, T))
        normed_BCTV = normed_BXT.reshape(B, V, C, T).permute(0, 2, 3, 1)
        seen_BCTV = torch.cat((torch.where(found_B1TV, normed_BCTV[:, :-1], 0), normed_BCTV[:, -1:]), 1)
        return self.units(seen_BCTV)

    def features(self, x_BCTV: torch.Tensor) -> torch.Tensor:
        """The input of the classifier, features_BD; D is four times the width."""
        return self._tokens(x_BCTV).mean((2, 3))

    def forward(self, x_BCTV: torch.Tensor) -> torch.Tensor:
        return self.head(self.features(x_BCTV))

    def forward_features(self, x_BCTV: torch.Tensor) -> Features:
        """The features with one token for each joint and for every four frames."""
        tokens_BDTV = self._tokens(x_BCTV)
        features_BD = tokens_BDTV.mean((2, 3))
        return Features(tokens_BDTV, features_BD, self.head(features_BD))
