"""CTR-GCN: graph convolutions with a graph for each channel of each clip, arXiv 2107.12213 (ICCV 2021).

It is built like one stream of 2s-AGCN, which came before it, with other units. CTR-GCN has four streams: joints,
bones, and the motions of both.
"""

from collections.abc import Sequence

import numpy as np
import torch
from torch import nn

from ..config.networks import CTRGCNSettings
from ..skeletons.graph import adjacency
from ..skeletons.selections import Selection
from .agcn import AGCN
from .shortcut import NoShortcut, Shortcut, shortcut

KERNEL = 5  # frames that a temporal convolution covers
DILATIONS = (1, 2)  # distance between these frames, for each of the two temporal convolutions
REDUCTION, FEWEST = 8, 8  # reduction of the channels from which correlations are computed, and their least number


class RefinedGraphConvolution(nn.Module):
    """Graph convolution over three graphs that are refined for each channel: features_BCTV to features_BCTV.

    Each graph is the sum of a learned graph A, which all channels share, and of alpha times the correlations of joints
    in the clip. The correlation of two joints is a linear function of tanh of the difference of their features, which
    are averaged over time. alpha is learned, and 0 at first.
    """

    def __init__(self, channels: int, width: int, fixed_KVV: np.ndarray) -> None:
        super().__init__()
        graphs, inner = len(fixed_KVV), max(FEWEST, channels // REDUCTION)
        self.shared_KVV = nn.Parameter(torch.tensor(fixed_KVV))
        self.alpha = nn.Parameter(torch.zeros(1))
        self.psi = nn.Conv2d(channels, graphs * inner, 1)
        self.phi = nn.Conv2d(channels, graphs * inner, 1)
        self.transform = nn.Conv2d(channels, graphs * width, 1)
        self.xi = nn.Conv1d(graphs * inner, graphs * width, 1, groups=graphs)
        self.norm = nn.BatchNorm2d(width)
        self.shortcut = shortcut(channels, width)
        for convolution in (self.psi, self.phi, self.transform, self.xi):
            fan_out = convolution.out_channels // graphs
            nn.init.normal_(convolution.weight, std=(2 / fan_out) ** 0.5)
            nn.init.zeros_(convolution.bias)
        nn.init.constant_(self.norm.weight, 1e-6)  # at first the block computes its shortcut only

    def graph(self, x_BCTV: torch.Tensor) -> torch.Tensor:
        """The graphs of each clip, (B, 3, C, V, V); entry (i, j) weights joint i in the sum for joint j."""
        K, V, _ = self.shared_KVV.shape
        mean_BC1V = x_BCTV.mean(2, keepdim=True)  # linear maps and means over time can be exchanged
        receiver_BCV, sender_BCV = self.psi(mean_BC1V).squeeze(2), self.phi(mean_BC1V).squeeze(2)
        correlation_BCVV = torch.tanh(receiver_BCV[:, :, None, :] - sender_BCV[..., None])
        refinement_BCN = self.xi(correlation_BCVV.flatten(2))
        return self.shared_KVV[:, None] + self.alpha * refinement_BCN.unflatten(2, (V, V)).unflatten(1, (K, -1))

    def forward(self, x_BCTV: torch.Tensor) -> torch.Tensor:
        graph_BKCVV = self.graph(x_BCTV)
        sent_BKCTV = self.transform(x_BCTV).unflatten(1, (len(self.shared_KVV), -1))
        received_BCTV = torch.einsum("bkcti,bkcij->bctj", sent_BKCTV, graph_BKCVV)
        return torch.relu(self.norm(received_BCTV) + self.shortcut(x_BCTV))


class TemporalConvolution(nn.Module):
    """Four branches over time, each with a quarter of the channels: features_BCTV to features_BCTV.

    Two are convolutions with the ``DILATIONS``, one takes the maximum of three frames, one keeps single frames.
    """

    def __init__(self, width: int, stride: int) -> None:
        super().__init__()
        part = width // (len(DILATIONS) + 2)
        over_time = [
            nn.Conv2d(part, part, (KERNEL, 1), (stride, 1), (dilation * (KERNEL // 2), 0), (dilation, 1))
            for dilation in DILATIONS
        ]
        over_time.append(nn.MaxPool2d((3, 1), (stride, 1), (1, 0)))
        self.branches = nn.ModuleList(
            nn.Sequential(nn.Conv2d(width, part, 1), nn.BatchNorm2d(part), nn.ReLU(), each, nn.BatchNorm2d(part))
            for each in over_time
        )
        self.branches.append(Shortcut(width, part, stride))
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out")
                nn.init.zeros_(module.bias)

    def forward(self, x_BCTV: torch.Tensor) -> torch.Tensor:
        return torch.cat([branch(x_BCTV) for branch in self.branches], 1)


class Unit(nn.Module):
    """A graph convolution and a convolution over time, with a residual connection if ``residual``."""

    def __init__(self, channels: int, width: int, stride: int, fixed_KVV: np.ndarray, residual: bool = True) -> None:
        super().__init__()
        self.graph = RefinedGraphConvolution(channels, width, fixed_KVV)
        self.time = TemporalConvolution(width, stride)
        self.shortcut = shortcut(channels, width, stride) if residual else NoShortcut()

    def forward(self, x_BCTV: torch.Tensor) -> torch.Tensor:
        return torch.relu(self.time(self.graph(x_BCTV)) + self.shortcut(x_BCTV))


class CTRGCN(AGCN):
    """Logits_BK of skeletons x_BCTV; see ``AGCN``.

    The network has 1,461,942 parameters for 25 joints, 3 channels, 120 classes and width 64: published as 1.46 million.
    """

    unit = Unit


def build(settings: CTRGCNSettings, channels: Sequence[int], classes: int, selection: Selection) -> CTRGCN:
    """Build the network that the settings describe, for the joints of ``selection``."""
    (of_a_joint,) = channels
    return CTRGCN(of_a_joint, classes, adjacency(selection), settings.width, settings.dropout)
