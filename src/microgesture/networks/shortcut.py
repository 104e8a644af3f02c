"""The residual connections of blocks over skeletons."""

import torch
from torch import nn


class Shortcut(nn.Sequential):
    """A 1 x 1 convolution of every ``stride``-th frame, and batch norm: features_BCTV to features_BCTV.

    The frames are selected before the convolution. With a strided convolution instead, oneDNN 3.12 (torch 2.13) writes
    out of bounds in the backward pass if there are fewer than 16 channels in ``channels_last``.
    """

    def __init__(self, channels: int, width: int, stride: int, bias: bool = True) -> None:
        super().__init__(nn.Conv2d(channels, width, 1, bias=bias), nn.BatchNorm2d(width))
        self.stride = stride

    def forward(self, x_BCTV: torch.Tensor) -> torch.Tensor:
        return super().forward(x_BCTV[:, :, :: self.stride])


class NoShortcut(nn.Module):
    """The connection of a block without one: 0, to be added to its output."""

    def forward(self, x_BCTV: torch.Tensor) -> torch.Tensor:
        return x_BCTV.new_zeros(())


def shortcut(channels: int, width: int, stride: int = 1, bias: bool = True) -> nn.Module:
    """The residual connection of a block: the identity, or ``Shortcut`` if it changes the channels or the frames."""
    return nn.Identity() if channels == width and stride == 1 else Shortcut(channels, width, stride, bias)
