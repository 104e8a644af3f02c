"""Video Swin Transformer, arXiv 2106.13230: torchvision's network in the published sizes and in smaller ones."""

from collections.abc import Sequence

import torch
from torch import nn

from ..config.networks import VideoSwinSettings
from .compat import prepare_torchvision
from .narrow import keep_variance
from .tokens import Features

prepare_torchvision()

from torchvision.models.video import SwinTransformer3d  # noqa: E402

# width, blocks of each stage, drop path of the published Kinetics-400 recipe
SIZES = {
    "tiny": (96, (2, 2, 6, 2), 0.1),
    "small": (96, (2, 2, 18, 2), 0.2),
    "base": (128, (2, 2, 18, 2), 0.3),
}
PATCH = (2, 4, 4)  # frames, rows and columns that make one token
WINDOW = (8, 7, 7)  # tokens that attend to each other
HEAD_WIDTH = 32  # channels of one attention head, as published; a network narrower than that has one head


class VideoSwin(SwinTransformer3d):
    """Torchvision's network, which also shows its tokens."""

    @property
    def token_width(self) -> int:
        """Channels of a token."""
        return self.num_features

    def forward_features(self, x_BCTHW: torch.Tensor) -> Features:
        """What the network saw, token by token; the squares are those of the last stage."""
        embedded_BTHWD = self.pos_drop(self.patch_embed(x_BCTHW))
        tokens_BDTHW = self.norm(self.features(embedded_BTHWD)).permute(0, 4, 1, 2, 3)
        features_BD = self.avgpool(tokens_BDTHW).flatten(1)
        return Features(tokens_BDTHW.flatten(3), features_BD, self.head(features_BD))


def build(settings: VideoSwinSettings, channels: Sequence[int], classes: int) -> VideoSwin:
    """Build the network: logits_BK of x_BCTHW, any length and side; tiny has 27,875,078 parameters for 32 classes.

    Only images of 3 channels are accepted (``ValueError``), for published weights to fit every stream.
    """
    if tuple(channels) != (3,):
        raise ValueError(f"video_swin sees 3 channels, not {' and '.join(map(str, channels))}")
    width, depths, drop_path = SIZES[settings.size]
    width = settings.width or width
    depths = settings.depths or depths
    heads = max(count for count in range(1, max(1, width // HEAD_WIDTH) + 1) if width % count == 0)
    network = VideoSwin(
        patch_size=list(PATCH),
        embed_dim=width,
        depths=list(depths),
        num_heads=[heads * 2**stage for stage in range(len(depths))],
        window_size=list(WINDOW),
        stochastic_depth_prob=drop_path if settings.drop_path is None else settings.drop_path,
        num_classes=classes,
    )
    if settings.width is not None:
        keep_variance(network.features)
    network.head = nn.Sequential(nn.Dropout(settings.dropout), network.head)
    return network
