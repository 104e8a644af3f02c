"""R(2+1)D, arXiv 1711.11248: a video ResNet with convolutions split into space and time, of torchvision's blocks.

The paper has as many channels between both parts of a convolution as give it the parameters of a 3-D convolution.
Torchvision computes them once for the two convolutions of a block. mmaction2 also splits the first convolution and the
shortcuts in this way, and pools behind the first convolution (``resnet2plus1d.py`` and ``conv2plus1d.py`` there).
"""

from collections.abc import Sequence

import torch
from torch import nn

from ..config.networks import R2Plus1DSettings
from .compat import prepare_torchvision
from .tokens import Features

prepare_torchvision()

from torchvision.models.video.resnet import BasicBlock, Conv2Plus1D, R2Plus1dStem, VideoResNet  # noqa: E402

BLOCKS = {18: (2, 2, 2, 2), 34: (3, 4, 6, 3)}  # blocks of each stage
EPSILON = 1e-3  # of mmaction2's norms behind a whole convolution; those inside have the usual one


class Conv2Plus1DOfPaper(Conv2Plus1D):
    """A convolution of 3 x 3 x 3 with its own number of channels inside, whatever the block proposes."""

    def __init__(self, in_planes: int, out_planes: int, midplanes: int, stride: int = 1, padding: int = 1) -> None:
        super().__init__(in_planes, out_planes, channels_inside(in_planes, out_planes, 3), stride, padding)


class R2Plus1D(VideoResNet):
    """Logits_BK of videos x_BCTHW of 3 channels, with any number of frames and any side.

    With 18 layers and 400 classes, the variant "torchvision" is torchvision's network with 31,505,325 parameters; only
    the classifier's tensors have other names. With 34 layers it consists of torchvision's blocks and has 61,831,661
    parameters, the variant "paper" 63,697,175, and "mmaction2" 63,759,281.
    """

    def __init__(self, classes: int, layers: int = 18, dropout: float = 0.5, variant: str = "torchvision") -> None:
        convolution = Conv2Plus1D if variant == "torchvision" else Conv2Plus1DOfPaper
        super().__init__(BasicBlock, [convolution] * 4, list(BLOCKS[layers]), R2Plus1dStem, num_classes=classes)
        self.setting = f"variant: {variant}"
        if variant == "mmaction2":
            self._as_in_mmaction2()
        self.token_width = self.fc.in_features
        self.head = nn.Sequential(nn.Dropout(dropout), self.fc)
        del self.fc
        self.to(memory_format=torch.channels_last_3d)

    def _as_in_mmaction2(self) -> None:
        stem = split_convolution(3, 64, 3, 7, time=1, space=2)
        pool = nn.MaxPool3d((1, 3, 3), (1, 2, 2), (0, 1, 1))
        self.stem = nn.Sequential(*stem, nn.BatchNorm3d(64), nn.ReLU(inplace=True), pool)
        self.stem[4].eps = EPSILON
        for stage in (self.layer1, self.layer2, self.layer3, self.layer4):
            for block in stage:
                block.conv1[1].eps = block.conv2[1].eps = EPSILON
                if block.downsample is not None:
                    whole, norm = block.downsample
                    time, space, _ = whole.stride
                    block.downsample[0] = split_convolution(whole.in_channels, whole.out_channels, 1, 1, time, space)
                    norm.eps = EPSILON

    def forward(self, x_BCTHW: torch.Tensor) -> torch.Tensor:
        return self.head(self.avgpool(self._tokens(x_BCTHW)).flatten(1))

    def forward_features(self, x_BCTHW: torch.Tensor) -> Features:
        """The features with one token for each position of the last stage's grid."""
        tokens_BDTHW = self._tokens(x_BCTHW)
        features_BD = self.avgpool(tokens_BDTHW).flatten(1)
        return Features(tokens_BDTHW.flatten(3), features_BD, self.head(features_BD))

    def _tokens(self, x_BCTHW: torch.Tensor) -> torch.Tensor:
        for stage in (self.stem, self.layer1, self.layer2, self.layer3, self.layer4):
            x_BCTHW = stage(x_BCTHW)
        return x_BCTHW


def channels_inside(into: int, out: int, side: int) -> int:
    """The channels between the parts of a convolution of 3 x side x side (section 3.5 of the paper).

    mmaction2 computes them in the same way for the shortcuts, which see one frame.
    """
    return 3 * side**2 * into * out // (side**2 * into + 3 * out)


def split_convolution(into: int, out: int, frames: int, side: int, time: int, space: int) -> nn.Sequential:
    """A convolution of frames x side x side with these strides, split into space and time."""
    inside = channels_inside(into, out, side)
    return nn.Sequential(
        nn.Conv3d(into, inside, (1, side, side), (1, space, space), (0, side // 2, side // 2), bias=False),
        nn.BatchNorm3d(inside),
        nn.ReLU(inplace=True),
        nn.Conv3d(inside, out, (frames, 1, 1), (time, 1, 1), (frames // 2, 0, 0), bias=False),
    )


def build(settings: R2Plus1DSettings, channels: Sequence[int], classes: int) -> R2Plus1D:
    """Build the network that the settings describe.

    Raises ``ValueError`` unless the images have 3 channels; with 3, published weights fit every stream.
    """
    if tuple(channels) != (3,):
        raise ValueError(f"r2plus1d needs 3 channels, not {' and '.join(map(str, channels))}")
    return R2Plus1D(classes, settings.layers, settings.dropout, settings.variant)
