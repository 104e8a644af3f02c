import math
from fractions import Fraction

import pytest
import torch
from torch import nn

from fixtures.small_networks import narrow_settings, network
from microgesture.config.recipes import Recipe
from microgesture.streams.optimizers import make_optimizer, parameter_groups, rate_factor, set_rate


def test_the_rate_rises_straight_and_falls_as_a_cosine():
    recipe = Recipe(epochs=12, warmup_epochs=2)
    assert [rate_factor(epoch, recipe) for epoch in (0, 1, 2)] == pytest.approx([0.1, 0.55, 1])
    assert [rate_factor(epoch, recipe) for epoch in (4.5, 7, 12)] == pytest.approx([0.5 + math.sqrt(2) / 4, 0.5, 0])


def test_the_rate_falls_in_steps():
    recipe = Recipe(epochs=20, warmup_epochs=1, schedule="steps", decay_epochs=(12, 16))
    factors = [rate_factor(epoch, recipe) for epoch in (0.5, 1, 11.99, 12, 15.99, 16, 19.99)]
    assert factors == pytest.approx([0.55, 1, 1, 0.1, 0.1, 0.01, 0.01])


def test_video_swins_cosine_is_constant_within_an_epoch_and_begins_with_the_first():
    # Published: (1 + cos(pi e / 30)) / 2 in epoch e, times a warm-up from 0.1 over 2.5 epochs.
    recipe = Recipe(epochs=30, warmup_epochs=2.5, schedule="cosine_by_epoch")
    published = {5: 0.9330, 10: 0.75, 15: 0.5, 20: 0.25, 29: 0.0027}
    for epoch, factor in published.items():
        for done in (0, 0.5, 0.999):
            assert rate_factor(epoch + done, recipe) == pytest.approx(factor, abs=5e-5)
    # The cosine of the first three epochs has the values 1, 0.99726 and 0.98907.
    warm = [rate_factor(epoch, recipe) for epoch in (0, 0.5, 1, 2, 2.5)]
    assert warm == pytest.approx([0.1, 0.28, 0.46 * 0.99726, 0.82 * 0.98907, 0.98907], abs=1e-5)


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


def undecayed(module, rule):
    groups = parameter_groups(module, Recipe(weight_decay=0.05, decayed_parameters=rule))
    assert {group.weight_decay for group in groups} <= {0.05, 0.0}
    return {name for group in groups if group.weight_decay == 0 for name in group.names}


def test_video_swin_decays_its_biases_but_neither_norms_nor_position_tables():
    # Published: a parameter is left out if "norm" or "relative_position_bias_table" is a part of its name.
    with torch.device("meta"):
        swin = network(name="video_swin", size="small")
    names = [name for name, _ in swin.named_parameters()]
    published = {name for name in names if "norm" in name or "relative_position_bias_table" in name}
    blocks, merges = 24, 3
    # two norms and a table in each block, a norm at each merge, after the patches and at the end
    assert len(published) == 2 * (2 * blocks + merges + 2) + blocks
    assert undecayed(swin, "all_but_norms") == published
    # the biases of four layers in each block, of the patches and of the head
    assert len(undecayed(swin, "matrices") - published) == 4 * blocks + 2 == 98


@pytest.mark.parametrize("name", ["poseconv3d", "slowonly", "rgbposeconv3d", "agcn"])
def test_pyskl_and_2s_agcn_decay_all_parameters(name):
    module = network(**narrow_settings(name))
    assert undecayed(module, "all") == set()
    assert undecayed(module, "matrices")


def test_every_parameter_is_in_one_group():
    module = network(**narrow_settings("rgbposeconv3d"))
    for rule in ("matrices", "all_but_norms", "all"):
        groups = parameter_groups(module, Recipe(backbone_scale=0.1, decayed_parameters=rule))
        names = [name for group in groups for name in group.names]
        assert sorted(names) == sorted(name for name, _ in module.named_parameters())
        own = dict(module.named_parameters())
        for group in groups:
            assert all(own[name] is parameter for name, parameter in zip(group.names, group.parameters, strict=True))
        assert {name for group in groups if group.scale == 1 for name in group.names} == {
            name for name in names if "head" in name
        }


@pytest.mark.parametrize("nesterov", [False, True])
def test_momentum_as_published(nesterov):
    # v = 0.9 v + g; the step is -rate * v, or with Nesterov's momentum -rate * (g + 0.9 v) (2s-AGCN).
    weight, velocity, rate, decay = Fraction(1), Fraction(0), Fraction(1, 10), Fraction(1, 5)
    module = nn.Linear(1, 1, bias=False)
    nn.init.ones_(module.weight)
    recipe = Recipe(nesterov=nesterov, weight_decay=float(decay), decayed_parameters="all")
    optimizer = make_optimizer(module, recipe)
    set_rate(optimizer, float(rate))
    for _ in range(4):
        gradient = 3 * weight + decay * weight
        velocity = Fraction(9, 10) * velocity + gradient
        weight -= rate * (gradient + Fraction(9, 10) * velocity if nesterov else velocity)
        optimizer.zero_grad()
        (3 * module.weight.square() / 2).sum().backward()
        optimizer.step()
        assert module.weight.item() == pytest.approx(float(weight), rel=1e-5)


def test_nesterov_momentum_is_refused_without_momentum():
    with pytest.raises(ValueError, match="nesterov is for optimizer: sgd, not adamw"):
        Recipe(optimizer="adamw", nesterov=True)
