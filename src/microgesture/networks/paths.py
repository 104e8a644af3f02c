"""Logits_BK of networks with one classifier, and logits_PBK of networks with one classifier for each path."""

import math

import torch


def per_path(logits: torch.Tensor) -> torch.Tensor:
    """Logits_PBK, given logits_PBK or the logits_BK of a network with one path."""
    return logits if logits.dim() == 3 else logits[None]


def mean_probability(logits: torch.Tensor) -> torch.Tensor:
    """Probability_BK, float32: the softmax of each path, averaged over the paths (RGBPoseConv3D, arXiv 2104.13586)."""
    return per_path(logits).float().softmax(-1).mean(0)


def log_mean_probability(logits: torch.Tensor) -> torch.Tensor:
    """The logarithm of ``mean_probability``, float32 (B, K), finite also where the probability is too small for it."""
    by_path = per_path(logits).float().log_softmax(-1)
    return by_path.logsumexp(0) - math.log(len(by_path))
