"""The optimizer of a training."""

import torch
from torch import nn

from ..config.recipes import Recipe
from .weights import is_branch, is_head


def make_optimizer(network: nn.Module, recipe: Recipe) -> torch.optim.Optimizer:
    """The recipe's optimizer; parameters are grouped by ``scale`` of the learning rate and by weight decay.

    Norms and biases (all parameters with one dimension) and position tables have no weight decay, as in Video Swin.
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
