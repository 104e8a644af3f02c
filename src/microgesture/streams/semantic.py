"""The Orthogonal Semantic Embedding Loss: how far a clip's features are from the fixed anchor of its class."""

from collections.abc import Sequence

import numpy as np
import torch
from torch import nn

from ..config.losses import SemanticSettings


def make(
    settings: SemanticSettings, network: nn.Module, counts: Sequence[int], device: torch.device
) -> "SemanticAnchors":
    """The term for a network; raises ``ValueError`` if it has fewer features than classes."""
    return SemanticAnchors(network, device)


def orthogonal_anchors(classes: int, features: int, seed: int = 0) -> torch.Tensor:
    """Fixed anchors_KD of the classes, float32: rows of length 1, each at right angles to all others.

    From the QR decomposition of a random normal matrix, the same for the same seed. Raises ``ValueError`` if there are
    more classes than features, which leaves no room for as many right angles.
    """
    if classes > features:
        raise ValueError(
            f"{classes} classes need at least as many features for orthogonal anchors, not {features}; let the network "
            "be wider, or set semantic_weight: 0"
        )
    random_DK = torch.randn(features, classes, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    return torch.linalg.qr(random_DK).Q.T.float().contiguous()


def total_semantic_loss(features_BD: torch.Tensor, label_B: torch.Tensor, anchors_KD: torch.Tensor) -> torch.Tensor:
    """Mean squared distance of the features to their class's anchor, over features and summed over clips.

    The Orthogonal Semantic Embedding Loss of the fourth place of MiGA 2026, eq. 1. An anchor's entries are about
    1 / sqrt(D), so that a clip's loss is about 1 / D for features of 0: its weight should be of the size of D.
    """
    return (features_BD.float() - anchors_KD[label_B]).square().mean(1).sum()


class SemanticAnchors:
    """The anchors of a network's classes, and the features that the network showed its classifier last.

    A classifier ends in dropout and a linear layer; its features are what comes to the dropout. Raises ``ValueError``
    if there are more classes than features.
    """

    def __init__(self, network: nn.Module, device: torch.device) -> None:
        linear = network.head[-1]
        self.anchors_KD = orthogonal_anchors(linear.out_features, linear.in_features).to(device)
        network.head[-2].register_forward_pre_hook(self._keep)

    def _keep(self, dropout: nn.Module, arguments: tuple[torch.Tensor]) -> None:
        (self._features_BD,) = arguments

    def total(self, logits: torch.Tensor, label_B: torch.Tensor) -> torch.Tensor:
        """``total_semantic_loss`` of the clips that these logits were computed of just now."""
        return total_semantic_loss(self._features_BD, label_B, self.anchors_KD)

    def size(self, labels_N: np.ndarray) -> int:
        """The number of clips."""
        return len(labels_N)
