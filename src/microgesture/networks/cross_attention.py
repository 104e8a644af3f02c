"""Bidirectional cross-attention: two sets of tokens that tell each other what they have found.

The module of token fusion and of emotion. Of "Multi-Track Multimodal Learning on iMiGUE" (arXiv 2512.23291) only the
abstract is public, which names cross-modal token fusion and InterFusion and no more; this form of them is ours.
"""

import torch
from torch import nn

EXPANSION = 2  # channels inside the feed-forward layers over those outside


class CrossAttention(nn.Module):
    """Tokens a_BND and b_BMD after each has looked at the other, then passed through a feed-forward layer.

    Both look at what the other was before the block. Norms come first (pre-norm), and the input passes around. Tokens
    whose ``found_BN`` or ``found_BM`` is False are seen by nobody, whatever they hold; they themselves still look. Each
    side may also look at a learned token that stands for nothing, so that a clip of which nothing was found gives no
    NaN. With ``gated`` what is added counts tanh(gate), learned from 0: at first the block changes nothing (the gated
    residual of Flamingo, arXiv 2204.14198). ``heads`` must divide ``width``.
    """

    def __init__(self, width: int, heads: int, dropout: float = 0.0, *, gated: bool = False) -> None:
        super().__init__()
        self.to_a = OneWay(width, heads, dropout, gated)
        self.to_b = OneWay(width, heads, dropout, gated)

    def forward(
        self, a_BND: torch.Tensor, b_BMD: torch.Tensor, found_BN: torch.Tensor, found_BM: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        return self.to_a(a_BND, b_BMD, found_BM), self.to_b(b_BMD, a_BND, found_BN)


class OneWay(nn.Module):
    """Tokens_BND that have looked at others_BMD, of which those are seen that ``found_BM`` says; one half of the two.

    ``others_BMD`` may have any number of tokens, none included.
    """

    def __init__(self, width: int, heads: int, dropout: float, gated: bool) -> None:
        super().__init__()
        self.norm, self.norm_others = nn.LayerNorm(width), nn.LayerNorm(width)
        # add_bias_kv is the learned token that stands for nothing
        self.attention = nn.MultiheadAttention(width, heads, dropout, add_bias_kv=True, batch_first=True)
        self.feed_forward = nn.Sequential(
            nn.LayerNorm(width),
            nn.Linear(width, EXPANSION * width),
            nn.GELU(),
            nn.Dropout(dropout),
            nn.Linear(EXPANSION * width, width),
            nn.Dropout(dropout),
        )
        self.gates = nn.Parameter(torch.zeros(2)) if gated else None

    def forward(self, tokens_BND: torch.Tensor, others_BMD: torch.Tensor, found_BM: torch.Tensor) -> torch.Tensor:
        keys_BMD = self.norm_others(others_BMD)
        seen_BND, _ = self.attention(
            self.norm(tokens_BND), keys_BMD, keys_BMD, key_padding_mask=~found_BM, need_weights=False
        )
        of_attention, of_feed_forward = (1.0, 1.0) if self.gates is None else self.gates.tanh()
        tokens_BND = tokens_BND + of_attention * seen_BND
        return tokens_BND + of_feed_forward * self.feed_forward(tokens_BND)
