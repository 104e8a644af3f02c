"""What training makes small: what the classes are mistaken for, and how far features are from their class's anchor."""

from collections.abc import Sequence

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from ..networks.paths import per_path


def class_weights(counts: Sequence[int], scheme: str) -> list[float]:
    """What a clip of each class counts in the loss: 1, or 1 / sqrt(clips of the class + 1) with mean 1."""
    weights = np.ones(len(counts)) if scheme == "none" else 1 / np.sqrt(np.array(counts) + 1)
    return (weights / weights.mean()).tolist()


def total_focal_loss(
    logits: torch.Tensor, label_B: torch.Tensor, weight_K: torch.Tensor, smoothing: float, gamma: float = 0.0
) -> torch.Tensor:
    """The focal loss -w (1 - p)^gamma log p of logits_BK or logits_PBK in float32, summed over clips and paths.

    Clips that are classified surely count little (arXiv 1708.02002, eq. 5); with ``gamma`` 0 it is the weighted cross
    entropy. With ``smoothing`` the cross entropy against the smoothed target stands for -w log p, and p is still the
    true class's. Two paths learn side by side, each from its own logits: the loss of RGBPoseConv3D (arXiv 2104.13586).
    """
    logits_PBK = per_path(logits).float()
    logits_NK, label_N = logits_PBK.flatten(0, 1), label_B.repeat(len(logits_PBK))
    loss_N = functional.cross_entropy(logits_NK, label_N, weight_K, label_smoothing=smoothing, reduction="none")
    if gamma:
        probability_N = logits_NK.softmax(1).gather(1, label_N[:, None]).squeeze(1)
        doubt_N = (1 - probability_N).clamp(min=1e-6)  # the slope of a root is endless at 0
        loss_N = doubt_N**gamma * loss_N
    return loss_N.sum()


def orthogonal_anchors(classes: int, features: int, seed: int = 0) -> torch.Tensor:
    """Fixed anchors_KD of the classes, float32: rows of length 1, each at right angles to all others.

    From the QR decomposition of a random normal matrix, the same for the same seed. Raises ``ValueError`` if there are
    more classes than features, which leaves no room for as many right angles.
    """
    if classes > features:
        raise ValueError(f"{classes} classes need at least as many features for orthogonal anchors, not {features}")
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

    def total_loss(self, label_B: torch.Tensor) -> torch.Tensor:
        """``total_semantic_loss`` of the clips that the network has just seen."""
        return total_semantic_loss(self._features_BD, label_B, self.anchors_KD)
