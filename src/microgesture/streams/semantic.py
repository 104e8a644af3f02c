"""The Orthogonal Semantic Embedding Loss: the distance of a clip's features to the fixed anchor of its class."""

from collections.abc import Sequence

import numpy as np
import torch
from torch import nn

from ..config.losses import SemanticSettings


def make(
    settings: SemanticSettings, network: nn.Module, counts: Sequence[int], device: torch.device
) -> "SemanticAnchors":
    """The loss term for a network; raises ``ValueError`` as ``SemanticAnchors`` does."""
    return SemanticAnchors(network, device)


def orthogonal_anchors(classes: int, features: int, seed: int = 0) -> torch.Tensor:
    """Fixed anchors_KD of the classes, float32, with orthonormal rows.

    They are computed by the QR decomposition of a random normal matrix and depend on the seed only. Raises
    ``ValueError`` if there are more classes than features, since K orthogonal rows need D >= K.
    """
    if classes > features:
        raise ValueError(
            f"{classes} classes need at least as many features for orthogonal anchors, not {features}; use a wider "
            "network, or set semantic_weight: 0"
        )
    random_DK = torch.randn(features, classes, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    return torch.linalg.qr(random_DK).Q.T.float().contiguous()


def total_semantic_loss(features_BD: torch.Tensor, label_B: torch.Tensor, anchors_KD: torch.Tensor) -> torch.Tensor:
    """Squared distance of the features to the anchor of their class: mean over features, sum over clips.

    This is the Orthogonal Semantic Embedding Loss of the fourth-placed method of MiGA 2026, eq. 1. The entries of an
    anchor are about 1 / sqrt(D), so the loss of a clip with features of 0 is about 1 / D. A weight of about D is
    therefore reasonable.
    """
    return (features_BD.float() - anchors_KD[label_B]).square().mean(1).sum()


class SemanticAnchors:
    """The anchors of the classes, and the features of the network's latest forward pass.

    The classifier ``head`` must be a sequence that ends in dropout and a linear layer; the features are the input of
    the dropout. Raises ``ValueError`` if it is not, or if there are more classes than features.
    """

    def __init__(self, network: nn.Module, device: torch.device) -> None:
        head = getattr(network, "head", None)
        ends = list(head)[-2:] if isinstance(head, nn.Sequential) else []
        if [type(layer) for layer in ends] != [nn.Dropout, nn.Linear]:
            raise ValueError(
                f"the loss semantic needs a network whose head is an nn.Sequential that ends in Dropout and Linear, "
                f"not {type(network).__name__} with head {type(head).__name__}; use another network, or remove the loss"
            )
        linear = network.head[-1]
        self.anchors_KD = orthogonal_anchors(linear.out_features, linear.in_features).to(device)
        network.head[-2].register_forward_pre_hook(self._keep)

    def _keep(self, dropout: nn.Module, arguments: tuple[torch.Tensor]) -> None:
        (self._features_BD,) = arguments

    def total(self, logits: torch.Tensor, label_B: torch.Tensor) -> torch.Tensor:
        """``total_semantic_loss`` of the clips of the latest forward pass, which must be that of these logits."""
        return total_semantic_loss(self._features_BD, label_B, self.anchors_KD)

    def size(self, labels_N: np.ndarray) -> int:
        """The number of clips."""
        return len(labels_N)

    def bounds(self, labels_N: np.ndarray) -> tuple[float, float]:
        """0, and the loss of features at the mean anchor: (1 - sum of squared class frequencies) / features."""
        frequency_K = np.bincount(labels_N) / len(labels_N)
        return 0.0, (1 - (frequency_K**2).sum()) / self.anchors_KD.shape[1]
