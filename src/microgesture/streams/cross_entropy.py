"""Cross-entropy and focal loss with class weights."""

from collections.abc import Sequence

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from ..config.losses import CrossEntropySettings
from ..networks.paths import per_path

TINY = 1e-30  # in place of a probability of 0, whose logarithm is not finite


class CrossEntropy:
    """The loss term ``cross_entropy``; each clip has the weight of its class."""

    def __init__(self, settings: CrossEntropySettings, counts: Sequence[int], device: torch.device) -> None:
        self._settings = settings
        weights = class_weights(counts, settings.class_weights)
        self._weights_K = np.array(weights)
        self._weight_K = torch.tensor(weights, dtype=torch.float32, device=device)

    def total(self, logits: torch.Tensor, label_B: torch.Tensor) -> torch.Tensor:
        """``total_focal_loss`` with the settings' smoothing and gamma."""
        smoothing, gamma = self._settings.label_smoothing, self._settings.focal_gamma
        return total_focal_loss(logits, label_B, self._weight_K, smoothing, gamma)

    def size(self, labels_N: np.ndarray) -> float:
        """The sum of the clips' weights."""
        return self._weights_K[labels_N].sum()

    def bounds(self, labels_N: np.ndarray) -> tuple[float, float]:
        """The loss of predicting the smoothed label of each clip, and that of predicting the weighted mean for all."""
        smoothing, classes = self._settings.label_smoothing, len(self._weights_K)
        target_NK = ((1 - smoothing) * np.eye(classes)[labels_N] + smoothing / classes) * self._weights_K
        said = target_NK, np.broadcast_to(target_NK.mean(0), target_NK.shape)
        label_N, device = torch.tensor(labels_N), self._weight_K.device
        totals = [
            self.total(torch.tensor(np.log(np.maximum(each_NK, TINY))).to(device), label_N.to(device)).item()
            for each_NK in said
        ]
        return totals[0] / self.size(labels_N), totals[1] / self.size(labels_N)


def make(
    settings: CrossEntropySettings, network: nn.Module, counts: Sequence[int], device: torch.device
) -> CrossEntropy:
    """The loss term for a stream; ``counts`` are the numbers of training clips of each class."""
    return CrossEntropy(settings, counts, device)


def class_weights(counts: Sequence[int], scheme: str) -> list[float]:
    """The weight of a clip of each class in the loss: 1, or 1 / sqrt(clips of the class + 1), scaled to mean 1."""
    weights = np.ones(len(counts)) if scheme == "none" else 1 / np.sqrt(np.array(counts) + 1)
    return (weights / weights.mean()).tolist()


def total_focal_loss(
    logits: torch.Tensor, label_B: torch.Tensor, weight_K: torch.Tensor, smoothing: float, gamma: float = 0.0
) -> torch.Tensor:
    """The focal loss -w (1 - p)^gamma log p of logits_BK or logits_PBK in float32, summed over clips and paths.

    Clips that are classified with high confidence count little (arXiv 1708.02002, eq. 5). With ``gamma`` 0 it is the
    weighted cross-entropy. With ``smoothing``, the cross-entropy against the smoothed target replaces -w log p, and p
    remains the probability of the true class. With several paths, each path has its own loss, as in RGBPoseConv3D
    (arXiv 2104.13586).
    """
    logits_PBK = per_path(logits).float()
    logits_NK, label_N = logits_PBK.flatten(0, 1), label_B.repeat(len(logits_PBK))
    loss_N = functional.cross_entropy(logits_NK, label_N, weight_K, label_smoothing=smoothing, reduction="none")
    if gamma:
        probability_N = logits_NK.softmax(1).gather(1, label_N[:, None]).squeeze(1)
        doubt_N = (1 - probability_N).clamp(min=1e-6)  # for gamma < 1 the gradient is infinite at 0
        loss_N = doubt_N**gamma * loss_N
    return loss_N.sum()
