"""Decoupled spatial-temporal CNN over skeletons: convolutions over joints and over time, one after the other.

Of the framework that came fourth in MiGA 2026: (1x3) convolutions over joints and (5x1) over time, on joints in an
order that follows the body. What its authors leave open, such as widths and blocks, is ours.
"""

from collections.abc import Sequence

import torch
from torch import nn
from torch.nn import functional

from ..config.networks import DecoupledSTCNNSettings
from ..skeletons.graph import walk
from ..skeletons.keypoints import Selection
from .tokens import Features


class Shortcut(nn.Sequential):
    """A 1 x 1 convolution of every ``stride``-th frame.

    The frames are selected before the convolution. As the stride of the convolution, oneDNN 3.12 (torch 2.13) writes
    outside of its memory in the backward pass of fewer than 16 channels in ``channels_last``.
    """

    def __init__(self, channels: int, width: int, stride: int) -> None:
        super().__init__(nn.Conv2d(channels, width, 1, bias=False), nn.BatchNorm2d(width))
        self.stride = stride

    def forward(self, x_BCTV: torch.Tensor) -> torch.Tensor:
        return super().forward(x_BCTV[:, :, :: self.stride])


class Block(nn.Module):
    """Features_BCTV of features_BCTV: three neighbouring joints, then five frames, around which the input passes.

    Time is divided by ``stride``.
    """

    def __init__(self, channels: int, width: int, stride: int) -> None:
        super().__init__()
        self.joints = nn.Sequential(
            nn.Conv2d(channels, width, (1, 3), padding=(0, 1), bias=False), nn.BatchNorm2d(width), nn.ReLU()
        )
        self.time = nn.Sequential(
            nn.Conv2d(width, width, (5, 1), (stride, 1), padding=(2, 0), bias=False), nn.BatchNorm2d(width)
        )
        self.shortcut = nn.Identity() if channels == width and stride == 1 else Shortcut(channels, width, stride)

    def forward(self, x_BCTV: torch.Tensor) -> torch.Tensor:
        return torch.relu(self.shortcut(x_BCTV) + self.time(self.joints(x_BCTV)))


class DecoupledSTCNN(nn.Module):
    """Logits_BK of skeletons x_BCTV, whose last channel is above 0 where a joint was found.

    The first layer looks at single joints. A missing one is given learned features there, so that whatever else its
    channels hold is never read, and what stands in its place takes no part in the average that is classified. With
    ``joints_apart`` that is an average over time for each joint, side by side, else one over joints too. Each block
    divides time by its entry in ``strides``; any number of frames will do.
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
        self.place = nn.Parameter(0.02 * torch.randn(widths[0], 1, V))  # tells joints of the same position apart
        before = (widths[0], *widths)
        self.blocks = nn.Sequential(*map(Block, before, widths, strides))
        features = widths[-1] * (V if joints_apart else 1)
        self.token_width = widths[-1]
        self.head = nn.Sequential(nn.Dropout(dropout), nn.Linear(features, classes))
        self._averaged = (2,) if joints_apart else (2, 3)
        self.to(memory_format=torch.channels_last)

    def features(self, x_BCTV: torch.Tensor) -> torch.Tensor:
        """Features_BD: what is classified. D is the last width, times the joints if they are kept apart."""
        return self._pooled(*self._tokens(x_BCTV))

    def forward(self, x_BCTV: torch.Tensor) -> torch.Tensor:
        return self.head(self.features(x_BCTV))

    def forward_features(self, x_BCTV: torch.Tensor) -> Features:
        """What the network saw, joint by joint in the order of the selection; a step lasts as long as all strides."""
        tokens_BDTV, share_B1TV = self._tokens(x_BCTV)
        features_BD = self._pooled(tokens_BDTV, share_B1TV)
        return Features(tokens_BDTV[..., self.order.argsort()], features_BD, self.head(features_BD))

    def _tokens(self, x_BCTV: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """What is averaged, joints in the order of the body, and the weight of each in it, 0 to 1."""
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
    """Build the network that the settings describe, for skeletons of a selection."""
    (of_a_joint,) = channels
    return DecoupledSTCNN(
        of_a_joint, classes, walk(selection), settings.widths, settings.strides, settings.dropout, settings.joints_apart
    )
