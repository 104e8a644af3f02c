"""What training makes small: the cross entropy of each path of a network, weighted by class."""

from collections.abc import Sequence

import numpy as np
import torch
from torch.nn import functional

from .networks.paths import per_path


def class_weights(counts: Sequence[int], scheme: str) -> list[float]:
    """What a clip of each class counts in the loss: 1, or 1 / sqrt(clips of the class + 1) with mean 1."""
    weights = np.ones(len(counts)) if scheme == "none" else 1 / np.sqrt(np.array(counts) + 1)
    return (weights / weights.mean()).tolist()


def total_cross_entropy(
    logits: torch.Tensor, label_B: torch.Tensor, weight_K: torch.Tensor, smoothing: float
) -> torch.Tensor:
    """The weighted cross entropy of logits_BK or logits_PBK in float32, summed over clips and paths.

    Two paths learn side by side, each from its own logits: the loss of RGBPoseConv3D (arXiv 2104.13586).
    """
    logits_PBK = per_path(logits).float()
    label_N = label_B.repeat(len(logits_PBK))
    return functional.cross_entropy(
        logits_PBK.flatten(0, 1), label_N, weight_K, label_smoothing=smoothing, reduction="sum"
    )


def focal_loss(
    logits_BK: torch.Tensor,
    label_B: torch.Tensor,
    weight_K: torch.Tensor,
    gamma: float = 2.0,
    label_smoothing: float = 0.0,
) -> torch.Tensor:
    """The focal loss of a batch: -w (1 - p)^gamma log p of the true class, over the sum of the clips' weights w.

    A clip that is classified surely counts little (arXiv 1708.02002, eq. 5); with gamma 0 it is the weighted cross
    entropy. With label smoothing the cross entropy against the smoothed target stands for -log p, and p is still the
    true class's. ``weight_K`` is what a clip of each class counts, such as ``class_weights``.
    """
    smoothed_B = functional.cross_entropy(logits_BK, label_B, reduction="none", label_smoothing=label_smoothing)
    probability_B = logits_BK.softmax(1).gather(1, label_B[:, None]).squeeze(1)
    weight_B = weight_K[label_B]
    doubt_B = (1 - probability_B).clamp(min=1e-6)  # the slope of a root is endless at 0
    return (weight_B * doubt_B**gamma * smoothed_B).sum() / weight_B.sum()


def orthogonal_anchors(classes: int, features: int, seed: int = 0) -> torch.Tensor:
    """Fixed anchors_KD of the classes, float32: rows of length 1, each at right angles to all others.

    From the QR decomposition of a random normal matrix, the same for the same seed. Raises ``ValueError`` if there are
    more classes than features, which leaves no room for as many right angles.
    """
    if classes > features:
        raise ValueError(f"{classes} classes need at least as many features for orthogonal anchors, not {features}")
    random_DK = torch.randn(features, classes, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    return torch.linalg.qr(random_DK).Q.T.float().contiguous()


def semantic_loss(features_BD: torch.Tensor, label_B: torch.Tensor, anchors_KD: torch.Tensor) -> torch.Tensor:
    """Mean squared distance of the features to their class's anchor, over clips and features.

    The Orthogonal Semantic Embedding Loss of the fourth place of MiGA 2026, eq. 1. An anchor's entries are about
    1 / sqrt(D), so that the loss is about 1 / D for features of 0: its weight should be of the size of D.
    """
    return functional.mse_loss(features_BD, anchors_KD[label_B])
