"""Bidirectional cross-attention between two sets of tokens.

Token fusion and emotion recognition use it. Only the abstract of "Multi-Track Multimodal Learning on iMiGUE" (arXiv
2512.23291) is public. It names cross-modal token fusion and InterFusion without details; this design is our own.
"""

import torch
from torch import nn

EXPANSION = 2  # hidden channels of the feed-forward layers, as a multiple of the width


class CrossAttention(nn.Module):
    """A block in which tokens a_BND and b_BMD attend to each other and then pass through feed-forward layers.

    Each side attends to the other side's input of the block. Layer norms come first (pre-norm), with residual
    connections. Tokens whose ``found_BN`` or ``found_BM`` is False are masked as keys: no other token attends to them,
    but they still attend to others. Each side also has one learned key, so that a clip without any token gives no NaN.

    With ``gated`` each residual branch is multiplied by tanh(gate); the gate is learned and starts at 0, so the block
    is the identity at first (the gated residual of Flamingo, arXiv 2204.14198). ``heads`` must divide ``width``.
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
    """One direction of ``CrossAttention``: tokens_BND attend to those of others_BMD whose ``found_BM`` is True.

    ``others_BMD`` may have any number of tokens, including zero.
    """

    def __init__(self, width: int, heads: int, dropout: float, gated: bool) -> None:
        super().__init__()
        self.norm, self.norm_others = nn.LayerNorm(width), nn.LayerNorm(width)
        # add_bias_kv adds the learned key
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
