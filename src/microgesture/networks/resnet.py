"""The slow 3-D ResNet that SlowOnly and PoseConv3D are two forms of, assembled from pytorchvideo's ResNet parts."""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import nn

from .compat import prepare_torchvision
from .tokens import Features

prepare_torchvision()

from pytorchvideo.models.resnet import create_bottleneck_block, create_res_stage  # noqa: E402
from pytorchvideo.models.stem import create_res_basic_stem  # noqa: E402

EXPANSION = 4  # of a bottleneck: channels out over channels inside


class Stage(NamedTuple):
    """Blocks of one stage, temporal kernel of each one's first convolution, and what the first one divides by."""

    blocks: int
    kernel: int
    time: int
    space: int


class SlowResNet(nn.Module):
    """Logits_BK of x_BCTHW, any length and side: a stem, stages of bottleneck blocks and a classifier.

    The stem's convolution has stride ``stem`` in space, and so has its pooling. Stage i has ``width`` * 2^i channels
    inside its blocks and 4 times as many behind them; ``joined`` are the channels that another network's features add
    to what each stage sees, none unless given.
    """

    def __init__(
        self,
        channels: int,
        classes: int,
        width: int,
        dropout: float,
        stem: int,
        stages: Sequence[Stage],
        joined: Sequence[int] | None = None,
    ) -> None:
        super().__init__()
        self.stem = create_res_basic_stem(
            in_channels=channels,
            out_channels=width,
            conv_kernel_size=(1, 7, 7),
            conv_stride=(1, stem, stem),
            conv_padding=(0, 3, 3),
            pool_stride=(1, stem, stem),
        )
        self.stages = nn.Sequential()
        features = width
        for index, (stage, more) in enumerate(zip(stages, joined or [0] * len(stages), strict=True)):
            inner, stride = width * 2**index, (stage.time, stage.space, stage.space)
            self.stages.append(
                create_res_stage(
                    depth=stage.blocks,
                    dim_in=features + more,
                    dim_inner=inner,
                    dim_out=EXPANSION * inner,
                    bottleneck=create_bottleneck_block,
                    conv_a_kernel_size=(stage.kernel, 1, 1),
                    conv_a_stride=(1, 1, 1),
                    conv_a_padding=(stage.kernel // 2, 0, 0),
                    # Both strides sit in the second convolution, as published; pytorchvideo's default splits them.
                    conv_b_stride=stride,
                )
            )
            # pytorchvideo leaves numpy's integers here, which torch.compile takes for tensors.
            self.stages[-1].res_blocks[0].branch1_conv.stride = stride
            features = EXPANSION * inner
        self.token_width = features
        self.head = nn.Sequential(
            nn.AdaptiveAvgPool3d(1), nn.Flatten(), nn.Dropout(dropout), nn.Linear(features, classes)
        )
        self._initialise()
        # Channels last is a third faster on CPUs and feeds the tensor cores on GPUs; what goes in follows the weights.
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

    def forward(self, x_BCTHW: torch.Tensor) -> torch.Tensor:
        return self.head(self.stages(self.stem(x_BCTHW)))

    def forward_features(self, x_BCTHW: torch.Tensor) -> Features:
        """What the network saw, token by token; the squares are those of the last stage."""
        tokens_BDTHW = self.stages(self.stem(x_BCTHW))
        features_BD = self.head[:2](tokens_BDTHW)  # averaged and flattened
        return Features(tokens_BDTHW.flatten(3), features_BD, self.head[2:](features_BD))
