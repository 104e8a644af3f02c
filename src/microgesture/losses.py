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
