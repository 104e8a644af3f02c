"""PoseConv3D: a 3-D ResNet over stacked heatmaps, "Revisiting Skeleton-based Action Recognition", arXiv 2104.13586.

The SlowOnly-R50 variant for keypoints: no early pooling in space, three stages instead of four, time untouched up to
the last stage. Assembled from pytorchvideo's ResNet parts.
"""

import torch
from torch import nn

from ..compat import prepare_torchvision
from .settings import PoseConv3DSettings

prepare_torchvision()

from pytorchvideo.models.resnet import create_bottleneck_block, create_res_stage  # noqa: E402
from pytorchvideo.models.stem import create_res_basic_stem  # noqa: E402

# blocks, temporal kernel of each block's first convolution, temporal stride of the first block's second convolution
STAGES = ((4, 1, 1), (6, 3, 1), (3, 3, 2))
EXPANSION = 4  # of a bottleneck: channels out over channels inside


class PoseConv3D(nn.Module):
    """Logits_BK of heatmaps_BVTHW; 2,040,288 parameters for 36 channels, 32 classes and width 32.

    Side and length may be any; space is halved three times and time once.
    """

    def __init__(self, channels: int, classes: int, width: int = 32, dropout: float = 0.5) -> None:
        super().__init__()
        self.stem = create_res_basic_stem(
            in_channels=channels,
            out_channels=width,
            conv_kernel_size=(1, 7, 7),
            conv_stride=(1, 1, 1),
            conv_padding=(0, 3, 3),
            pool_stride=(1, 1, 1),
        )
        self.stages = nn.Sequential()
        features = width
        for index, (blocks, kernel, stride) in enumerate(STAGES):
            inner = width * 2**index
            self.stages.append(
                create_res_stage(
                    depth=blocks,
                    dim_in=features,
                    dim_inner=inner,
                    dim_out=EXPANSION * inner,
                    bottleneck=create_bottleneck_block,
                    conv_a_kernel_size=(kernel, 1, 1),
                    conv_a_stride=(1, 1, 1),
                    conv_a_padding=(kernel // 2, 0, 0),
                    # Both strides sit in the second convolution, as published; pytorchvideo's default splits them.
                    conv_b_stride=(stride, 2, 2),
                )
            )
            features = EXPANSION * inner
        self.head = nn.Sequential(
            nn.AdaptiveAvgPool3d(1), nn.Flatten(), nn.Dropout(dropout), nn.Linear(features, classes)
        )
        self._initialise()
        # Channels last is a third faster on CPUs and feeds the tensor cores on GPUs.
        self.to(memory_format=torch.channels_last_3d)

    def _initialise(self) -> None:
        for module in self.modules():
            if isinstance(module, nn.Conv3d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
        for stage in self.stages:
            for block in stage.res_blocks:
                # Each residual branch starts at zero, so the network starts out shallow and trains at a high rate.
                nn.init.zeros_(block.branch2.norm_c.weight)
        nn.init.normal_(self.head[-1].weight, std=0.01)
        nn.init.zeros_(self.head[-1].bias)

    def forward(self, x_BVTHW: torch.Tensor) -> torch.Tensor:
        x_BVTHW = x_BVTHW.contiguous(memory_format=torch.channels_last_3d)
        return self.head(self.stages(self.stem(x_BVTHW)))


def build(settings: PoseConv3DSettings, channels: int, classes: int) -> PoseConv3D:
    """Build the network that the settings describe."""
    return PoseConv3D(channels, classes, settings.width, settings.dropout)
