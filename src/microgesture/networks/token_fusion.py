"""Token fusion: two trained networks whose tokens look at each other, and what that tells beyond the two alone.

Of "Multi-Track Multimodal Learning on iMiGUE" (arXiv 2512.23291) only the abstract is public: MViTv2-S over video and
2s-AGCN over skeletons, joined by cross-modal token fusion. This form of it is ours. It takes any two networks that show
their tokens, and starts as the mean of what they say, so that training begins where theirs has ended.
"""

import math
from collections.abc import Sequence

import torch
from torch import nn
from torch.nn import functional

from ..config.networks import TokenFusionSettings
from .cross_attention import CrossAttention
from .tokens import Features

OCTAVES = 6  # of waves over a clip, from half a wave on, that tell a token's moment


class TokenFusion(nn.Module):
    """Logits_BK of two inputs, each x_BCTHW or x_BCTV, and for each the moments_BT of its frames.

    A moment is the share of the clip that has passed, 0 to 1. It is below 0 for a frame that shows nothing new, since
    an earlier one showed the same; all are below 0 where the clip lacks the input, of which the other branch then
    speaks alone, whatever stands there.

    ``branches`` are two networks of one input with ``see`` and ``token_width``. Their tensors have the names of the
    networks behind one of ``path_prefixes``; all that is new is the ``head``.
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
        """What the network saw: the tokens of both branches after all, in one step of time, and what is classified."""
        inputs, moments = (x, other_x), (moments_BT, other_moments_BT)
        seen = [
            branch.forward_features(_filled(each, m))
            for branch, each, m in zip(self.branches, inputs, moments, strict=True)
        ]
        found = [found_tokens(each, m, of.tokens_BDTN) for each, m, of in zip(inputs, moments, seen, strict=True)]
        return self.head(seen, moments, found)


class Fusion(nn.Module):
    """What is new in a fused network; see ``forward``."""

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
        for layer in (self.gates, self.correction):  # the fusion starts as the mean of the two
            nn.init.zeros_(layer.weight)
            nn.init.zeros_(layer.bias)

    def forward(
        self, seen: Sequence[Features], moments: Sequence[torch.Tensor], found: Sequence[torch.Tensor]
    ) -> Features:
        """Logits: the log of a mixture of both branches' probabilities, and a correction; both follow from the tokens.

        The tokens, moments_BT and found_BTN of both branches. A branch whose moments are all below 0 has no share in
        the mixture.
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
    """Sines and cosines_BTC of moments 0 to 1: half a wave over the clip, a whole one, two, four ..."""
    octaves_C = torch.arange(OCTAVES, device=moments_BT.device, dtype=moments_BT.dtype)
    angles_BTC = moments_BT[..., None] * (math.pi * 2**octaves_C)
    return torch.cat((angles_BTC.sin(), angles_BTC.cos()), -1)


def found_tokens(x: torch.Tensor, moments_BT: torch.Tensor, tokens_BDTN: torch.Tensor) -> torch.Tensor:
    """Which tokens_BDTN tell anything, bool_BTN: those of which a frame is new and shows something.

    A skeleton x_BCTV shows the joints whose last channel is above 0. A frame of a video or of heatmaps x_BCTHW shows
    nothing where it is of one colour: no face, or no joint.
    """
    shows_BTV = x[:, -1] > 0 if x.dim() == 4 else (x.amax((3, 4)) > x.amin((3, 4))).any(1)[..., None]
    news_BTV = shows_BTV & (moments_BT >= 0)[..., None]
    T, N = tokens_BDTN.shape[2:]
    told_BTV = functional.adaptive_max_pool2d(news_BTV.float(), (T, news_BTV.shape[2])) > 0
    return told_BTV.expand(-1, -1, N)


def _at_tokens(moments_BT: torch.Tensor, steps: int) -> torch.Tensor:
    """The mean moment of the new frames of each of so many steps; 0 where there are none."""
    new_BT = (moments_BT >= 0).float()
    total_BT = functional.adaptive_avg_pool1d(new_BT * moments_BT, steps)
    return total_BT / functional.adaptive_avg_pool1d(new_BT, steps).clamp(min=torch.finfo(new_BT.dtype).tiny)


def _filled(x: torch.Tensor, moments_BT: torch.Tensor) -> torch.Tensor:
    """The input, another clip's in place of one that is lacking, for batch norm to average over none but real ones."""
    has_B = (moments_BT >= 0).any(1)
    own_B = torch.arange(len(x), device=x.device)
    return x[torch.where(has_B, own_B, has_B.int().argmax())]


def _mean_of(tokens_BND: torch.Tensor, found_BN: torch.Tensor) -> torch.Tensor:
    """The mean over the tokens that were found, zeros where none were."""
    count_B1 = found_BN.sum(1, keepdim=True).clamp(min=1)
    return (tokens_BND * found_BN[..., None]).sum(1) / count_B1


def build(settings: TokenFusionSettings, branches: Sequence[nn.Module], classes: int) -> TokenFusion:
    """Build the network that the settings describe, over two networks of as many classes."""
    return TokenFusion(branches, classes, settings.width, settings.layers, settings.heads, settings.dropout)
