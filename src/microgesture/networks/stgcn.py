"""ST-GCN: graph convolutions over the joints and convolutions over time, arXiv 1801.07455.

It is built like one stream of 2s-AGCN, which came after it, with other units.
"""

from collections.abc import Sequence

import numpy as np
import torch
from torch import nn

from ..config.networks import STGCNSettings
from ..skeletons.graph import partition
from ..skeletons.selections import Selection
from .agcn import AGCN, KERNEL
from .shortcut import NoShortcut, shortcut


class Unit(nn.Module):
    """A graph convolution and a convolution over nine frames: features_BCTV to features_BCTV.

    The graph is the sum of three fixed graphs, each with its own linear map. Every edge is multiplied by a learned
    importance, initialised to 1 (section 3.6 of the paper).
    """

    def __init__(self, channels: int, width: int, stride: int, fixed_KVV: np.ndarray, residual: bool = True) -> None:
        super().__init__()
        self.register_buffer("fixed_KVV", torch.from_numpy(fixed_KVV), persistent=False)
        self.importance_KVV = nn.Parameter(torch.ones(fixed_KVV.shape))
        self.out = nn.Conv2d(channels, len(fixed_KVV) * width, 1)
        self.time = nn.Sequential(
            nn.BatchNorm2d(width),
            nn.ReLU(),
            nn.Conv2d(width, width, (KERNEL, 1), (stride, 1), padding=(KERNEL // 2, 0)),
            nn.BatchNorm2d(width),
            nn.Dropout(0),
        )
        self.shortcut = shortcut(channels, width, stride) if residual else NoShortcut()

    def forward(self, x_BCTV: torch.Tensor) -> torch.Tensor:
        sent_BKCTV = self.out(x_BCTV).unflatten(1, (len(self.fixed_KVV), -1))
        received_BCTV = torch.einsum("bkcti,kij->bctj", sent_BKCTV, self.fixed_KVV * self.importance_KVV)
        return torch.relu(self.time(received_BCTV) + self.shortcut(x_BCTV))


class STGCN(AGCN):
    """Logits_BK of skeletons x_BCTV; see ``AGCN``.

    The network has 3,098,832 parameters for 25 joints, 3 channels, 60 classes and width 64. ``dropout`` is the fraction
    of features that each unit but the first drops in training.
    """

    unit = Unit

    def __init__(
        self, channels: int, classes: int, fixed_KVV: np.ndarray, width: int = 64, dropout: float = 0.5
    ) -> None:
        super().__init__(channels, classes, fixed_KVV, width)
        for unit in self.units[1:]:
            unit.time[-1].p = dropout


def build(settings: STGCNSettings, channels: Sequence[int], classes: int, selection: Selection) -> STGCN:
    """Build the network that the settings describe, for the joints of ``selection``."""
    (of_a_joint,) = channels
    return STGCN(of_a_joint, classes, partition(selection), settings.width, settings.dropout)
