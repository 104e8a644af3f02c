"""MViTv2, "Improved Multiscale Vision Transformers", arXiv 2112.01526: torchvision's network, of any side and depth.

Queries, keys and values are pooled before they meet: from stage to stage a quarter of the squares is left, twice as
wide, and the keys of every block lie about as far apart as the last stage's. Time is halved once, at the start.
"""

from collections.abc import Sequence

import torch
from torch import nn

from ..config.networks import MViTSettings
from .compat import prepare_torchvision
from .narrow import keep_variance
from .tokens import Features

prepare_torchvision()

from torchvision.models.video import mvit  # noqa: E402

# width, blocks of each stage, drop path of the published Kinetics-400 recipe
SIZES = {
    "small": (96, (1, 2, 11, 2), 0.2),
    "base": (96, (2, 3, 16, 3), 0.3),
}
KERNEL = [3, 3, 3]  # frames, rows and columns that one pooled query, key or value is made of


class MViT(mvit.MViT):
    """Logits_BK of videos x_BCTHW of 3 channels, frames and side as in the settings (else ``ValueError``).

    What is classified is a token of its own, not the mean of the tokens. All tensors have torchvision's names. The
    tables of positions are decayed like other weights, as published.
    """

    @property
    def token_width(self) -> int:
        """Channels of a token."""
        return self.head[-1].in_features

    def forward(self, x_BCTHW: torch.Tensor) -> torch.Tensor:
        return self.forward_features(x_BCTHW).logits_BK

    def forward_features(self, x_BCTHW: torch.Tensor) -> Features:
        """What the network saw, token by token; a time step is two frames, the squares are those of the last stage."""
        embedded_BDTHW = self.conv_proj(x_BCTHW)
        grid = (self.pos_encoding.temporal_size, *self.pos_encoding.spatial_size)
        if embedded_BDTHW.shape[2:] != grid:
            T, H, W = x_BCTHW.shape[2:]
            raise ValueError(
                f"a network for videos that make {' x '.join(map(str, grid))} tokens cannot see {T} frames of {W} x {H}"
            )
        tokens_BND = self.pos_encoding(embedded_BDTHW.flatten(2).transpose(1, 2))
        for block in self.blocks:
            tokens_BND, grid = block(tokens_BND, grid)
        tokens_BND = self.norm(tokens_BND)
        features_BD, tokens_BDN = tokens_BND[:, 0], tokens_BND[:, 1:].transpose(1, 2)
        return Features(tokens_BDN.unflatten(2, (grid[0], -1)), features_BD, self.head(features_BD))


def blocks(width: int, depths: Sequence[int]) -> list[mvit.MSBlockConfig]:
    """Torchvision's description of each block: stage by stage, the first of each stage but one halves rows and columns.

    There is one head in the first stage. Width and heads double between stages, and what keys and values are divided by
    halves.
    """
    described = []
    for stage, depth in enumerate(depths):
        for block in range(depth):
            enters = stage > 0 and block == 0
            stride, stride_of_keys = 2 if enters else 1, 2 ** (len(depths) - 1 - stage)
            described.append(
                mvit.MSBlockConfig(
                    num_heads=2**stage,
                    input_channels=width * 2 ** (stage - enters),
                    output_channels=width * 2**stage,
                    kernel_q=KERNEL,
                    kernel_kv=KERNEL,
                    stride_q=[1, stride, stride],
                    stride_kv=[1, stride_of_keys, stride_of_keys],
                )
            )
    return described


def build(settings: MViTSettings, channels: Sequence[int], classes: int) -> MViT:
    """Build the network that the settings describe; small has 34,254,752 parameters for 32 classes.

    Only images of 3 channels are accepted (``ValueError``), for published weights to fit every stream.
    """
    if tuple(channels) != (3,):
        raise ValueError(f"mvit sees 3 channels, not {' and '.join(map(str, channels))}")
    width, depths, drop_path = SIZES[settings.size]
    network = MViT(
        spatial_size=(settings.side, settings.side),
        temporal_size=settings.frames,
        block_setting=blocks(settings.width or width, settings.depths or depths),
        # what makes it the second version
        residual_pool=True,
        residual_with_cls_embed=False,
        rel_pos_embed=True,
        proj_after_attn=True,
        stochastic_depth_prob=drop_path if settings.drop_path is None else settings.drop_path,
        num_classes=classes,
    )
    if settings.width is not None:
        keep_variance(network.blocks)
    network.head[0] = nn.Dropout(settings.dropout)  # torchvision's would change the features in their place
    return network.to(memory_format=torch.channels_last_3d)  # a quarter faster in training on CPUs
