"""InterFusion: cross-attention between the tokens of several sources, and pooling over the tokens of a video.

Only the abstract of the published system (arXiv 2512.23291) is public; by it, a module of this name fuses facial and
contextual tokens. Its design here is ours: cross-attention in both directions with gated residuals.
"""

from collections.abc import Sequence

import torch
from torch import nn

from ..networks.cross_attention import CrossAttention


class InterFusion(nn.Module):
    """Fuse the tokens of sources by cross-attention; returns all tokens, (B, M, D), and a mask of those that are found.

    The first two sources attend to each other; then the next source and the first two together do. The gates of all
    residuals start at 0, so initially the tokens stay unchanged. Tokens that are not found are masked.
    """

    def __init__(self, sources: int, width: int, heads: int, layers: int, dropout: float) -> None:
        super().__init__()
        self.blocks = nn.ModuleList(
            nn.ModuleList(CrossAttention(width, heads, dropout, gated=True) for _ in range(layers))
            for _ in range(sources - 1)
        )

    def forward(
        self, tokens: Sequence[torch.Tensor], found: Sequence[torch.Tensor]
    ) -> tuple[torch.Tensor, torch.Tensor]:
        joined_BMD, found_BM = tokens[0], found[0]
        for blocks, other_BND, found_BN in zip(self.blocks, tokens[1:], found[1:], strict=True):
            for block in blocks:
                joined_BMD, other_BND = block(joined_BMD, other_BND, found_BM, found_BN)
            joined_BMD = torch.cat((joined_BMD, other_BND), 1)
            found_BM = torch.cat((found_BM, found_BN), 1)
        return joined_BMD, found_BM


class AttentionPooling(nn.Module):
    """Pool a video's found tokens_BMD to their weighted mean, pooled_BD; also returns the weights_BM, which sum to 1.

    Both are zero if no token is found. Initially all weights are equal. (Ilse et al., ICML 2018, equation 8.)
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.score = nn.Sequential(nn.Linear(width, width), nn.Tanh(), nn.Linear(width, 1))
        nn.init.zeros_(self.score[-1].weight)
        nn.init.zeros_(self.score[-1].bias)

    def forward(self, tokens_BMD: torch.Tensor, found_BM: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        score_BM = self.score(tokens_BMD).squeeze(-1).masked_fill(~found_BM, torch.finfo(tokens_BMD.dtype).min)
        weight_BM = score_BM.softmax(1) * found_BM
        return (weight_BM[..., None] * tokens_BMD).sum(1), weight_BM
