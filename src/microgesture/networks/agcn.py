"""2s-AGCN: graph convolutions with a graph that is learned and depends on the clip, arXiv 1805.07694.

This is the network of one stream. 2s-AGCN has two streams: one over joints and one over bones.
"""

import math
from collections.abc import Sequence
from typing import ClassVar

import numpy as np
import torch
from torch import nn

from ..config.networks import AGCNSettings
from ..skeletons.graph import adjacency
from ..skeletons.selections import Selection
from .shortcut import NoShortcut, shortcut
from .tokens import Features

UNITS = ((1, 1), (1, 1), (1, 1), (1, 1), (2, 2), (2, 1), (2, 1), (4, 2), (4, 1), (4, 1))  # times the width, stride
KERNEL = 9  # frames that a temporal convolution covers


class AdaptiveGraphConvolution(nn.Module):
    """Graph convolution over three adaptive graphs: features_BCTV to features_BCTV (eq. 3).

    Each graph is the sum of a fixed graph A, a learned graph B, initialised to almost 0, and a graph C that is computed
    from the clip: the similarity of each pair of joints (eq. 4).
    """

    def __init__(self, channels: int, width: int, fixed_KVV: np.ndarray) -> None:
        super().__init__()
        self.register_buffer("fixed_KVV", torch.from_numpy(fixed_KVV), persistent=False)
        self.learned_KVV = nn.Parameter(torch.full(fixed_KVV.shape, 1e-6))
        graphs, inner = len(fixed_KVV), width // 4
        self.theta = nn.ModuleList(nn.Conv2d(channels, inner, 1) for _ in range(graphs))
        self.phi = nn.ModuleList(nn.Conv2d(channels, inner, 1) for _ in range(graphs))
        self.out = nn.ModuleList(nn.Conv2d(channels, width, 1) for _ in range(graphs))
        self.norm = nn.BatchNorm2d(width)
        self.shortcut = shortcut(channels, width)
        for convolution in self.out:
            nn.init.normal_(convolution.weight, std=math.sqrt(2 / (width * channels * graphs)))
            nn.init.zeros_(convolution.bias)
        nn.init.constant_(self.norm.weight, 1e-6)  # at first the block computes its shortcut only

    def graph(self, x_BCTV: torch.Tensor) -> torch.Tensor:
        """The graphs A + B + C of each clip, (B, 3, V, V); entry (i, j) weights joint i in the sum for joint j."""
        alike = []
        for theta, phi in zip(self.theta, self.phi, strict=True):
            queries_BCTV, keys_BCTV = theta(x_BCTV), phi(x_BCTV)
            _, inner, T, _ = queries_BCTV.shape
            product_BVV = torch.einsum("bcti,bctj->bij", queries_BCTV, keys_BCTV)
            alike.append((product_BVV / (inner * T)).softmax(1))
        return self.fixed_KVV + self.learned_KVV + torch.stack(alike, 1)

    def forward(self, x_BCTV: torch.Tensor) -> torch.Tensor:
        received = torch.einsum("bcti,bkij->kbctj", x_BCTV, self.graph(x_BCTV))
        total_BCTV = sum(out(each_BCTV) for out, each_BCTV in zip(self.out, received, strict=True))
        return torch.relu(self.norm(total_BCTV) + self.shortcut(x_BCTV))


class Unit(nn.Module):
    """A graph convolution and a convolution over nine frames, with a residual connection if ``residual``."""

    def __init__(self, channels: int, width: int, stride: int, fixed_KVV: np.ndarray, residual: bool = True) -> None:
        super().__init__()
        self.graph = AdaptiveGraphConvolution(channels, width, fixed_KVV)
        self.time = nn.Sequential(
            nn.Conv2d(width, width, (KERNEL, 1), (stride, 1), padding=(KERNEL // 2, 0)), nn.BatchNorm2d(width)
        )
        self.shortcut = shortcut(channels, width, stride) if residual else NoShortcut()

    def forward(self, x_BCTV: torch.Tensor) -> torch.Tensor:
        return torch.relu(self.time(self.graph(x_BCTV)) + self.shortcut(x_BCTV))


class AGCN(nn.Module):
    """Logits_BK of skeletons x_BCTV, whose last channel is above 0 where a joint was detected.

    The network has 3,482,360 parameters for 36 joints, 3 channels, 32 classes and width 64. It accepts any number of
    frames. The coordinates of a missing joint are set to 0 after normalisation, which stands for the joint's mean
    position; only its confidence shows that it is missing.
    """

    unit: ClassVar[type[nn.Module]] = Unit

    def __init__(
        self, channels: int, classes: int, fixed_KVV: np.ndarray, width: int = 64, dropout: float = 0.0
    ) -> None:
        super().__init__()
        V = fixed_KVV.shape[1]
        self.norm = nn.BatchNorm1d(V * channels)
        self.units = nn.Sequential()
        before = channels
        for index, (times, stride) in enumerate(UNITS):
            self.units.append(self.unit(before, times * width, stride, fixed_KVV, residual=index > 0))
            before = times * width
        self.token_width = before
        self.head = nn.Sequential(nn.Dropout(dropout), nn.Linear(before, classes))
        for module in self.modules():
            if isinstance(module, nn.Conv2d) and module.kernel_size == (KERNEL, 1):
                nn.init.kaiming_normal_(module.weight, mode="fan_out")
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


def build(settings: AGCNSettings, channels: Sequence[int], classes: int, selection: Selection) -> AGCN:
    """Build the network that the settings describe, for the joints of ``selection``."""
    (of_a_joint,) = channels
    return AGCN(of_a_joint, classes, adjacency(selection), settings.width, settings.dropout)
