"""R(2+1)D, arXiv 1711.11248: a ResNet over video with convolutions split into space and time; torchvision's parts."""

from collections.abc import Sequence

import torch
from torch import nn

from ..config.networks import R2Plus1DSettings
from .compat import prepare_torchvision
from .tokens import Features

prepare_torchvision()

from torchvision.models.video.resnet import BasicBlock, Conv2Plus1D, R2Plus1dStem, VideoResNet  # noqa: E402

BLOCKS = {18: (2, 2, 2, 2), 34: (3, 4, 6, 3)}  # of each stage


class R2Plus1D(VideoResNet):
    """Logits_BK of videos x_BCTHW of 3 channels, any length and side.

    With 18 layers and 400 classes it is torchvision's network of 31,505,325 parameters, and its tensors have the same
    names but for the classifier's. Torchvision has no network of 34 layers, but all of its parts.
    """

    def __init__(self, classes: int, layers: int = 18, dropout: float = 0.5) -> None:
        super().__init__(BasicBlock, [Conv2Plus1D] * 4, list(BLOCKS[layers]), R2Plus1dStem, num_classes=classes)
        self.token_width = self.fc.in_features
        self.head = nn.Sequential(nn.Dropout(dropout), self.fc)
        del self.fc
        self.to(memory_format=torch.channels_last_3d)

    def forward(self, x_BCTHW: torch.Tensor) -> torch.Tensor:
        return self.head(self.avgpool(self._tokens(x_BCTHW)).flatten(1))

    def forward_features(self, x_BCTHW: torch.Tensor) -> Features:
        """What the network saw, token by token; the squares are those of the last stage."""
        tokens_BDTHW = self._tokens(x_BCTHW)
        features_BD = self.avgpool(tokens_BDTHW).flatten(1)
        return Features(tokens_BDTHW.flatten(3), features_BD, self.head(features_BD))

    def _tokens(self, x_BCTHW: torch.Tensor) -> torch.Tensor:
        for stage in (self.stem, self.layer1, self.layer2, self.layer3, self.layer4):
            x_BCTHW = stage(x_BCTHW)
        return x_BCTHW


def build(settings: R2Plus1DSettings, channels: Sequence[int], classes: int) -> R2Plus1D:
    """Build the network that the settings describe.

    Only images of 3 channels are accepted (``ValueError``), for published weights to fit every stream.
    """
    if tuple(channels) != (3,):
        raise ValueError(f"r2plus1d sees 3 channels, not {' and '.join(map(str, channels))}")
    return R2Plus1D(classes, settings.layers, settings.dropout)
