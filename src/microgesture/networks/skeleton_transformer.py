"""A plain transformer over skeletons, as in MAMP (arXiv 2308.07092): a token is a joint over a few frames.

Unlike the published network it encodes time by sines and cosines, so that it accepts any number of frames.
"""

import math
from collections.abc import Sequence

import torch
from torch import nn
from torch.nn import functional

from ..config.networks import SkeletonTransformerSettings
from ..skeletons.selections import Selection
from .tokens import Features

EXPANSION = 4  # width of the hidden layer of a block, in widths of the tokens
SPREAD = 0.02  # initial standard deviation of learned tokens


class DropPath(nn.Module):
    """Stochastic depth (arXiv 1603.09382): in training, the values of a fraction of the clips become 0."""

    def __init__(self, fraction: float) -> None:
        super().__init__()
        self.fraction = fraction

    def forward(self, x_BNE: torch.Tensor) -> torch.Tensor:
        if not self.training or self.fraction == 0:
            return x_BNE
        kept_B11 = torch.rand(len(x_BNE), 1, 1, device=x_BNE.device) >= self.fraction
        return x_BNE * kept_B11 / (1 - self.fraction)


class Block(nn.Module):
    """Self-attention and two linear layers, each after a norm and with a residual connection: tokens_BNE to tokens_BNE.

    ``drop_path`` is the fraction of residual branches that is skipped in training.
    """

    def __init__(self, width: int, heads: int, drop_path: float = 0.0) -> None:
        super().__init__()
        self.heads = heads
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.qkv = nn.Linear(width, 3 * width)
        self.out = nn.Linear(width, width)
        self.mlp = nn.Sequential(nn.Linear(width, EXPANSION * width), nn.GELU(), nn.Linear(EXPANSION * width, width))
        self.drop_path = DropPath(drop_path)

    def forward(self, tokens_BNE: torch.Tensor) -> torch.Tensor:
        tokens_BNE = tokens_BNE + self.drop_path(self._attended(self.norm1(tokens_BNE)))
        return tokens_BNE + self.drop_path(self.mlp(self.norm2(tokens_BNE)))

    def _attended(self, tokens_BNE: torch.Tensor) -> torch.Tensor:
        query, key, value = self.qkv(tokens_BNE).unflatten(2, (3, self.heads, -1)).permute(2, 0, 3, 1, 4)
        return self.out(functional.scaled_dot_product_attention(query, key, value).transpose(1, 2).flatten(2))


class SkeletonTransformer(nn.Module):
    """Logits_BK of skeletons x_BCTV, whose last channel is above 0 where a joint was detected.

    A token is one joint in ``patch`` frames. The clip is lengthened to a multiple of these by repeating its last frame.
    The coordinates of missing joints are not used. The mean of all tokens is classified.
    """

    def __init__(
        self,
        channels: int,
        classes: int,
        joints: int,
        width: int = 256,
        depth: int = 8,
        heads: int = 8,
        patch: int = 4,
        drop_path: float = 0.0,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        self.patch, self.token_width = patch, width
        self.embed = nn.Linear(patch * channels, width)
        self.joint = nn.Parameter(SPREAD * torch.randn(joints, width))
        rates = torch.linspace(0, drop_path, depth).tolist()
        self.blocks = nn.ModuleList(Block(width, heads, rate) for rate in rates)
        self.norm = nn.LayerNorm(width)
        self.head = nn.Sequential(nn.Dropout(dropout), nn.Linear(width, classes))
        initialise(self)

    def layer_of(self, name: str) -> int:
        """The layer of a parameter for ``layer_decay``: 0 for the embedding, then the blocks, the last for the rest."""
        first, *rest = name.split(".")
        if first in ("embed", "joint"):
            return 0
        return 1 + int(rest[0]) if first == "blocks" else len(self.blocks) + 1

    @property
    def layers(self) -> int:
        """The number of the last layer."""
        return len(self.blocks) + 1

    def patches(self, x_BCTV: torch.Tensor) -> torch.Tensor:
        """The input of each token, (B, S, V, P): all channels of a joint in the frames of a patch, frame by frame."""
        seen_BCTV = torch.cat((x_BCTV[:, :-1] * (x_BCTV[:, -1:] > 0), x_BCTV[:, -1:]), 1)
        return in_patches(lengthened(seen_BCTV, self.patch), self.patch)

    def embedded(self, x_BCTV: torch.Tensor) -> torch.Tensor:
        """The tokens before the first block, (B, N, E), in the order of time and then of joints."""
        tokens_BSVE = self.embed(self.patches(x_BCTV))
        return (tokens_BSVE + self.places(tokens_BSVE)).flatten(1, 2)

    def places(self, like_BSVE: torch.Tensor) -> torch.Tensor:
        """The encoding of time and joint that is added to each token, (S, V, E)."""
        return time_code(like_BSVE)[:, None] + self.joint

    def encoded(self, tokens_BNE: torch.Tensor) -> torch.Tensor:
        """The tokens after the last block, normed."""
        for block in self.blocks:
            tokens_BNE = block(tokens_BNE)
        return self.norm(tokens_BNE)

    def features(self, x_BCTV: torch.Tensor) -> torch.Tensor:
        """The input of the classifier, features_BD; D is the width."""
        return self.encoded(self.embedded(x_BCTV)).mean(1)

    def forward(self, x_BCTV: torch.Tensor) -> torch.Tensor:
        return self.head(self.features(x_BCTV))

    def forward_features(self, x_BCTV: torch.Tensor) -> Features:
        """The features with one token for each joint and each patch."""
        tokens_BNE = self.encoded(self.embedded(x_BCTV))
        features_BD = tokens_BNE.mean(1)
        tokens_BDTN = tokens_BNE.unflatten(1, (-1, x_BCTV.shape[3])).permute(0, 3, 1, 2)
        return Features(tokens_BDTN, features_BD, self.head(features_BD))


def in_patches(x_BCTV: torch.Tensor, patch: int) -> torch.Tensor:
    """The values of each joint in ``patch`` frames, (B, S, V, P), frame by frame; P is their number times C."""
    return x_BCTV.unflatten(2, (-1, patch)).permute(0, 2, 4, 3, 1).flatten(3)


def lengthened(x_BCTV: torch.Tensor, patch: int) -> torch.Tensor:
    """Repeat the last frame until the number of frames is a multiple of ``patch``."""
    missing = -x_BCTV.shape[2] % patch
    return torch.cat((x_BCTV, x_BCTV[:, :, -1:].expand(-1, -1, missing, -1)), 2)


def time_code(like_BSVE: torch.Tensor) -> torch.Tensor:
    """Sines and cosines of the number of each patch, (S, E), with wavelengths from 2 pi to 20,000 pi."""
    S, E = like_BSVE.shape[1], like_BSVE.shape[3]
    steps_S = torch.arange(S, device=like_BSVE.device, dtype=torch.float32)
    speed_F = torch.exp(-math.log(10_000) * torch.arange(0, E, 2, device=like_BSVE.device) / E)
    angle_SF = steps_S[:, None] * speed_F
    return torch.cat((angle_SF.sin(), angle_SF.cos()), 1).to(like_BSVE.dtype)


def initialise(network: nn.Module) -> None:
    """Set the initial weights of all linear layers of a transformer."""
    for module in network.modules():
        if isinstance(module, nn.Linear):
            nn.init.xavier_uniform_(module.weight)
            nn.init.zeros_(module.bias)


def build(
    settings: SkeletonTransformerSettings, channels: Sequence[int], classes: int, selection: Selection
) -> SkeletonTransformer:
    """Build the network that the settings describe, for the joints of ``selection``."""
    (of_a_joint,) = channels
    return SkeletonTransformer(of_a_joint, classes, len(selection.joints), **settings.sizes)
