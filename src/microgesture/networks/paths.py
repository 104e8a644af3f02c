"""Logits of networks with one classifier and of networks with one for each of their paths, told apart by shape."""

import torch


def per_path(logits: torch.Tensor) -> torch.Tensor:
    """Logits_PBK of logits_PBK or of logits_BK, which are those of a network with one path."""
    return logits if logits.dim() == 3 else logits[None]


def mean_probability(logits: torch.Tensor) -> torch.Tensor:
    """Probability_BK, float32: the mean over the paths of each one's softmax (RGBPoseConv3D, arXiv 2104.13586)."""
    return per_path(logits).float().softmax(-1).mean(0)
