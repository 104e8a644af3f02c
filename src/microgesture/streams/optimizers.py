"""The optimizer of a training: which parameters learn alike, and the learning rate at each time."""

import math
from typing import NamedTuple

import torch
from torch import nn
from torch.nn.modules.batchnorm import _NormBase

from ..config.recipes import Recipe
from .weights import is_branch, is_head

NORMS = (_NormBase, nn.LayerNorm, nn.GroupNorm, nn.RMSNorm)  # _NormBase: batch and instance norms
MOMENTUM = 0.9
WARMUP_START = 0.1  # of the learning rate
DECAY = 0.1  # of the learning rate, after each of the recipe's decay_epochs


class ParameterGroup(NamedTuple):
    """Parameters that learn alike: their names, ``scale`` of the learning rate, and weight decay."""

    names: list[str]
    parameters: list[nn.Parameter]
    scale: float
    weight_decay: float


def parameter_groups(network: nn.Module, recipe: Recipe) -> list[ParameterGroup]:
    """Divide the parameters of a network, in its order, by ``scale`` of the learning rate and by weight decay.

    The scale is the recipe's ``backbone_scale`` for all layers but the head, times ``layer_decay`` for each layer that
    comes after it in a network with layers. The weight decay is 0 for parameters that the recipe's
    ``decayed_parameters`` leaves out. Frozen parameters are in no group.
    """
    modules = [module for module in network.modules() if isinstance(module, NORMS)]
    norms = {parameter for module in modules for parameter in module.parameters(recurse=False)}
    groups: dict[tuple[float, float], ParameterGroup] = {}
    for name, parameter in network.named_parameters():
        if not parameter.requires_grad:
            continue
        scale = 1.0 if is_head(name) and not is_branch(name) else recipe.backbone_scale
        if recipe.layer_decay != 1:
            scale *= recipe.layer_decay ** (network.layers - network.layer_of(name))
        is_decayed = _is_decayed(name, parameter, parameter in norms, recipe.decayed_parameters)
        decay = recipe.weight_decay if is_decayed else 0.0
        group = groups.setdefault((scale, decay), ParameterGroup([], [], scale, decay))
        group.names.append(name)
        group.parameters.append(parameter)
    return list(groups.values())


def _is_decayed(name: str, parameter: nn.Parameter, in_norm: bool, decayed_parameters: str) -> bool:
    is_table = name.endswith("relative_position_bias_table")
    return {
        "all": True,
        "all_but_norms": not in_norm and not is_table,
        "matrices": parameter.dim() > 1 and not is_table,
    }[decayed_parameters]


def make_optimizer(network: nn.Module, recipe: Recipe) -> torch.optim.Optimizer:
    """The recipe's optimizer for the ``parameter_groups``; ``set_rate`` sets its learning rate."""
    groups = [
        {"params": group.parameters, "scale": group.scale, "weight_decay": group.weight_decay}
        for group in parameter_groups(network, recipe)
    ]
    if recipe.optimizer == "adamw":
        return torch.optim.AdamW(groups, lr=recipe.learning_rate)
    return torch.optim.SGD(groups, lr=recipe.learning_rate, momentum=MOMENTUM, nesterov=recipe.nesterov)


def rate_factor(epoch: float, recipe: Recipe) -> float:
    """The factor of the learning rate at a time in epochs: linear warm-up from 0.1, and the recipe's ``schedule``.

    ``cosine``: after the warm-up, a cosine to 0. ``cosine_by_epoch``: a cosine over all epochs, constant within each,
    times the warm-up (Video Swin). ``steps``: after the warm-up, a factor of 0.1 at each of ``decay_epochs``.
    """
    is_warming = epoch < recipe.warmup_epochs
    warmth = WARMUP_START + (1 - WARMUP_START) * epoch / recipe.warmup_epochs if is_warming else 1.0
    if recipe.schedule == "cosine_by_epoch":
        return warmth * (1 + math.cos(math.pi * math.floor(epoch) / recipe.epochs)) / 2
    if is_warming:
        return warmth
    if recipe.schedule == "steps":
        return DECAY ** sum(epoch >= decay for decay in recipe.decay_epochs)
    done = (epoch - recipe.warmup_epochs) / (recipe.epochs - recipe.warmup_epochs)
    return (1 + math.cos(math.pi * done)) / 2


def set_rate(optimizer: torch.optim.Optimizer, rate: float) -> None:
    """Set the learning rate of each parameter group to ``rate`` times the group's ``scale``."""
    for group in optimizer.param_groups:
        group["lr"] = rate * group["scale"]
