import math

import pytest
import torch
from torch import nn

from microgesture.config.recipes import Recipe
from microgesture.streams.optimizers import make_optimizer
from microgesture.streams.train import rate_factor, set_rate


def test_the_rate_rises_straight_and_falls_as_a_cosine():
    recipe = Recipe(epochs=12, warmup_epochs=2)
    assert [rate_factor(epoch, recipe) for epoch in (0, 1, 2)] == pytest.approx([0.1, 0.55, 1])
    assert [rate_factor(epoch, recipe) for epoch in (4.5, 7, 12)] == pytest.approx([0.5 + math.sqrt(2) / 4, 0.5, 0])


def test_the_rate_falls_in_steps():
    recipe = Recipe(epochs=20, warmup_epochs=1, schedule="steps", decay_epochs=(12, 16))
    factors = [rate_factor(epoch, recipe) for epoch in (0.5, 1, 11.99, 12, 15.99, 16, 19.99)]
    assert factors == pytest.approx([0.55, 1, 1, 0.1, 0.1, 0.01, 0.01])


class Small(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(2, 2)
        self.norm = nn.LayerNorm(2)
        self.relative_position_bias_table = nn.Parameter(torch.zeros(3, 2))
        self.head = nn.Linear(2, 2)


def test_groups_of_the_optimizer():
    network = Small()
    optimizer = make_optimizer(network, Recipe(backbone_scale=0.1, weight_decay=0.05, optimizer="adamw"))
    names = {parameter: name for name, parameter in network.named_parameters()}
    found = {
        (group["scale"], group["weight_decay"]): {names[parameter] for parameter in group["params"]}
        for group in optimizer.param_groups
    }
    assert found == {
        (0.1, 0.05): {"layer.weight"},
        (0.1, 0.0): {"layer.bias", "norm.weight", "norm.bias", "relative_position_bias_table"},
        (1.0, 0.05): {"head.weight"},
        (1.0, 0.0): {"head.bias"},
    }


def test_what_a_fused_network_starts_from_is_all_its_backbone():
    network = nn.ModuleDict({"branches": nn.ModuleList([Small()]), "head": nn.Linear(2, 2)})
    optimizer = make_optimizer(network, Recipe(backbone_scale=0.1))
    fast = {parameter for group in optimizer.param_groups if group["scale"] == 1 for parameter in group["params"]}
    assert fast == set(network["head"].parameters())


def test_every_group_learns_at_its_share_of_the_rate():
    optimizer = make_optimizer(Small(), Recipe(backbone_scale=0.25))
    set_rate(optimizer, 2.0)
    assert {(group["scale"], group["lr"]) for group in optimizer.param_groups} == {(0.25, 0.5), (1.0, 2.0)}
