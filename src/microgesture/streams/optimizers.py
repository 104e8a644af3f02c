"""How a step's gradient changes the weights: the optimizer and its rate over time."""

import math

import torch
from torch import nn

from ..config.recipes import Recipe
from .weights import is_branch, is_head

WARMUP_START = 0.1  # of the learning rate
DECAY = 0.1  # of the learning rate, after each of the recipe's decay_epochs


def make_optimizer(network: nn.Module, recipe: Recipe) -> torch.optim.Optimizer:
    """The recipe's optimizer, its ``param_groups`` by ``scale`` of the learning rate and by weight decay.

    Norms, biases (all that has one dimension) and position tables are not decayed, as in Video Swin.
    """
    groups: dict[tuple[float, float], list[nn.Parameter]] = {}
    for name, parameter in network.named_parameters():
        decayed = parameter.dim() > 1 and not name.endswith("relative_position_bias_table")
        scale = 1.0 if is_head(name) and not is_branch(name) else recipe.backbone_scale
        groups.setdefault((scale, recipe.weight_decay if decayed else 0.0), []).append(parameter)
    listed = [{"params": found, "scale": scale, "weight_decay": decay} for (scale, decay), found in groups.items()]
    if recipe.optimizer == "adamw":
        return torch.optim.AdamW(listed, lr=recipe.learning_rate)
    return torch.optim.SGD(listed, lr=recipe.learning_rate, momentum=0.9)


def set_rate(optimizer: torch.optim.Optimizer, rate: float) -> None:
    """Let the optimizer's groups learn at their shares of a rate."""
    for group in optimizer.param_groups:
        group["lr"] = rate * group["scale"]


def rate_factor(epoch: float, recipe: Recipe) -> float:
    """Share of the learning rate at a time in epochs: a straight rise from a tenth, then what ``schedule`` says.

    That is a cosine down to 0, or a tenth of what it was after each of ``decay_epochs``.
    """
    if epoch < recipe.warmup_epochs:
        return WARMUP_START + (1 - WARMUP_START) * epoch / recipe.warmup_epochs
    if recipe.schedule == "steps":
        return DECAY ** sum(epoch >= decay for decay in recipe.decay_epochs)
    done = (epoch - recipe.warmup_epochs) / (recipe.epochs - recipe.warmup_epochs)
    return (1 + math.cos(math.pi * done)) / 2
