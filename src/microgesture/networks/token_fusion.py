"""Token fusion: two trained networks whose tokens attend to each other.

Only the abstract of "Multi-Track Multimodal Learning on iMiGUE" (arXiv 2512.23291) is public: MViTv2-S over video and
2s-AGCN over skeletons, joined by cross-modal token fusion. This design is our own. It accepts any two networks with
``forward_features``. Before training, its prediction is the mean of the two networks' probabilities.
"""

import math
from collections.abc import Sequence

import torch
from torch import nn
from torch.nn import functional

from ..config.networks import TokenFusionSettings
from .cross_attention import CrossAttention
from .tokens import Features

OCTAVES = 6  # frequencies of the encoding of time, each twice the one before; the lowest is half a wave a clip


class TokenFusion(nn.Module):
    """Logits_BK of two inputs, each x_BCTHW or x_BCTV, and the moments_BT of the frames of each.

    A moment is the position of a frame in its clip, from 0 (start) to 1 (end). It is below 0 if the frame repeats an
    earlier one. All moments are below 0 if the clip lacks the input; its values are then ignored, and the prediction is
    that of the other branch.

    ``branches`` are two networks with one input, ``forward_features`` and ``token_width``. The name of a tensor of a
    branch is one of ``path_prefixes`` followed by its name in that network. All other tensors belong to the ``head``.
    """

    path_prefixes = ("branches.0.", "branches.1.")  # in the order of the inputs

    def __init__(
        self,
        branches: Sequence[nn.Module],
        classes: int,
        width: int = 256,
        layers: int = 2,
        heads: int = 4,
        dropout: float = 0.1,
    ) -> None:
        super().__init__()
        self.branches = nn.ModuleList(branches)
        self.head = Fusion([branch.token_width for branch in branches], classes, width, layers, heads, dropout)

    def forward(self, *x: torch.Tensor) -> torch.Tensor:
        return self.forward_features(*x).logits_BK

    def forward_features(
        self, x: torch.Tensor, other_x: torch.Tensor, moments_BT: torch.Tensor, other_moments_BT: torch.Tensor
    ) -> Features:
        """The features of the fused network: the tokens of both branches after the last block, as one time step."""
        inputs, moments = (x, other_x), (moments_BT, other_moments_BT)
        seen = [
            branch.forward_features(_filled(each, m))
            for branch, each, m in zip(self.branches, inputs, moments, strict=True)
        ]
        found = [found_tokens(each, m, of.tokens_BDTN) for each, m, of in zip(inputs, moments, seen, strict=True)]
        return self.head(seen, moments, found)


class Fusion(nn.Module):
    """The part of a fused network that is not in its branches; see ``forward``."""

    def __init__(
        self, token_widths: Sequence[int], classes: int, width: int, layers: int, heads: int, dropout: float
    ) -> None:
        super().__init__()
        self.project = nn.ModuleList(nn.Sequential(nn.LayerNorm(of), nn.Linear(of, width)) for of in token_widths)
        self.modality = nn.Parameter(0.02 * torch.randn(len(token_widths), width))
        self.time = nn.Linear(2 * OCTAVES, width)
        self.blocks = nn.ModuleList(CrossAttention(width, heads, dropout) for _ in range(layers))
        self.norms = nn.ModuleList(nn.LayerNorm(width) for _ in token_widths)
        self.dropout = nn.Dropout(dropout)
        self.gates = nn.Linear(len(token_widths) * width, len(token_widths))
        self.correction = nn.Linear(len(token_widths) * width, classes)
        for layer in (self.gates, self.correction):  # the initial prediction is the mean of both branches
            nn.init.zeros_(layer.weight)
            nn.init.zeros_(layer.bias)

    def forward(
        self, seen: Sequence[Features], moments: Sequence[torch.Tensor], found: Sequence[torch.Tensor]
    ) -> Features:
        """Fuse both branches: the logits are the log of a mixture of their probabilities, plus a correction.

        The weights of the mixture and the correction are computed from the tokens. ``seen``, ``moments`` (B, T) and
        ``found`` (B, T, N) have one entry for each branch. A branch whose moments are all below 0 has weight 0.
        """
        a_BND, b_BMD = map(self._embedded, range(len(seen)), (of.tokens_BDTN for of in seen), moments)
        found_BN, found_BM = (each_BTN.flatten(1) for each_BTN in found)
        for block in self.blocks:
            a_BND, b_BMD = block(a_BND, b_BMD, found_BN, found_BM)
        a_BND, b_BMD = self.norms[0](a_BND), self.norms[1](b_BMD)
        features_BD = torch.cat((_mean_of(a_BND, found_BN), _mean_of(b_BMD, found_BM)), 1)
        kept_BD = self.dropout(features_BD)
        lacks_B2 = torch.stack([(m < 0).all(1) for m in moments], 1)
        gates_B2 = self.gates(kept_BD).float()
        shares_B2 = gates_B2.masked_fill(lacks_B2, torch.finfo(gates_B2.dtype).min).log_softmax(1)
        said_B2K = torch.stack([of.logits_BK.float().log_softmax(1) for of in seen], 1)
        mixture_BK = (shares_B2[..., None] + said_B2K).logsumexp(1)
        tokens_BD1N = torch.cat((a_BND, b_BMD), 1).transpose(1, 2)[:, :, None]
        return Features(tokens_BD1N, features_BD, mixture_BK + self.correction(kept_BD).float())

    def _embedded(self, index: int, tokens_BDTN: torch.Tensor, moments_BT: torch.Tensor) -> torch.Tensor:
        tokens_BTND = self.project[index](tokens_BDTN.permute(0, 2, 3, 1))
        time_BTD = self.time(waves(_at_tokens(moments_BT, tokens_BDTN.shape[2])))
        return (tokens_BTND + self.modality[index] + time_BTD[:, :, None]).flatten(1, 2)


def waves(moments_BT: torch.Tensor) -> torch.Tensor:
    """Sines and cosines (B, T, C) of moments from 0 to 1: half a wave over the clip, one wave, two, four ..."""
    octaves_C = torch.arange(OCTAVES, device=moments_BT.device, dtype=moments_BT.dtype)
    angles_BTC = moments_BT[..., None] * (math.pi * 2**octaves_C)
    return torch.cat((angles_BTC.sin(), angles_BTC.cos()), -1)


def found_tokens(x: torch.Tensor, moments_BT: torch.Tensor, tokens_BDTN: torch.Tensor) -> torch.Tensor:
    """Which tokens_BDTN carry information, bool_BTN: at least one of their frames is new and not empty.

    In a skeleton x_BCTV, a joint is present where its last channel is above 0. A frame of a video or of heatmaps
    x_BCTHW is empty (no face, or no joint) if it has one colour.
    """
    shows_BTV = x[:, -1] > 0 if x.dim() == 4 else (x.amax((3, 4)) > x.amin((3, 4))).any(1)[..., None]
    news_BTV = shows_BTV & (moments_BT >= 0)[..., None]
    T, N = tokens_BDTN.shape[2:]
    told_BTV = functional.adaptive_max_pool2d(news_BTV.float(), (T, news_BTV.shape[2])) > 0
    return told_BTV.expand(-1, -1, N)


def _at_tokens(moments_BT: torch.Tensor, steps: int) -> torch.Tensor:
    """The mean moment of the new frames in each of ``steps`` time steps; 0 where there are none."""
    new_BT = (moments_BT >= 0).float()
    total_BT = functional.adaptive_avg_pool1d(new_BT * moments_BT, steps)
    return total_BT / functional.adaptive_avg_pool1d(new_BT, steps).clamp(min=torch.finfo(new_BT.dtype).tiny)


def _filled(x: torch.Tensor, moments_BT: torch.Tensor) -> torch.Tensor:
    """The input, with another clip's in place of a missing one, so that batch norm averages over real inputs only."""
    has_B = (moments_BT >= 0).any(1)
    own_B = torch.arange(len(x), device=x.device)
    return x[torch.where(has_B, own_B, has_B.int().argmax())]


def _mean_of(tokens_BND: torch.Tensor, found_BN: torch.Tensor) -> torch.Tensor:
    """The mean over the tokens with information; zeros if there are none."""
    count_B1 = found_BN.sum(1, keepdim=True).clamp(min=1)
    return (tokens_BND * found_BN[..., None]).sum(1) / count_B1


def build(settings: TokenFusionSettings, branches: Sequence[nn.Module], classes: int) -> TokenFusion:
    """Build the network that the settings describe, over two networks with the same number of classes."""
    return TokenFusion(branches, classes, settings.width, settings.layers, settings.heads, settings.dropout)
