"""InterFusion: the tokens of several sources look at each other, and what matters of a video is gathered from them.

Of the published system (arXiv 2512.23291) only the abstract is public, which says that facial and contextual tokens are
joined by a module of this name. Its form is ours: cross-attention both ways whose residual is gated.
"""

from collections.abc import Sequence

import torch
from torch import nn

from ..networks.cross_attention import CrossAttention


class InterFusion(nn.Module):
    """The tokens of all sources side by side, (B, M, D), after they have looked at each other, and which are found.

    The first two sources look at each other; the next one and both of them together do so after that. The gates of all
    residuals start at 0: at first the tokens are what they were. What is not found is seen by nobody.
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
    """The weighted mean of a video's tokens_BMD that are found, pooled_BD, and the weights_BM, which sum to 1.

    Where nothing is found both are zeros. At first all tokens count alike. (Ilse et al., ICML 2018, equation 8.)
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
