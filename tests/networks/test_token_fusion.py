"""The network that fuses two others: what it begins as, what it does not see, and that all of it learns."""

import math

import pytest
import torch
from pydantic import TypeAdapter
from torch import nn

from fixtures.small_networks import narrow_settings, wake
from microgesture.config.networks import Network, TokenFusionSettings
from microgesture.errors import InputError
from microgesture.networks import build
from microgesture.networks.token_fusion import TokenFusion, found_tokens, waves
from microgesture.networks.tokens import Features
from microgesture.skeletons.selections import selection_named

CLASSES, WIDTH = 5, 8


class Plain(nn.Module):
    """A branch whose tokens are its input, every second frame and place by place; it classifies their mean."""

    token_width = 3

    def __init__(self):
        super().__init__()
        self.head = nn.Linear(3, CLASSES)

    def forward_features(self, x):
        tokens_BDTN = x.flatten(3).unflatten(2, (-1, 2)).mean(3)
        features_BD = tokens_BDTN.mean((2, 3))
        return Features(tokens_BDTN, features_BD, self.head(features_BD))


def fusion_of(*branches, awake=True):
    """A fusion; if awake, as if it had learnt: no part of it is zero."""
    torch.manual_seed(0)
    network = TokenFusion(branches, CLASSES, WIDTH, layers=2, heads=2, dropout=0.0).eval()
    if awake:
        for parameter in network.head.parameters():
            nn.init.normal_(parameter, std=0.3)
    return network


def clips(B=4):
    """A skeleton of six joints and a video for two branches, with the moments of their frames, all new."""
    torch.manual_seed(1)
    skeleton_BCTV, video_BCTHW = torch.randn(B, 3, 8, 6), torch.randn(B, 3, 4, 2, 2)
    skeleton_BCTV[:, -1] = 1
    return [skeleton_BCTV, video_BCTHW, *(torch.linspace(0, 1, T).expand(B, -1).clone() for T in (8, 4))]


def probabilities(branch, x):
    return branch.forward_features(x).logits_BK.softmax(1)


@torch.no_grad()
def test_it_begins_as_the_mean_of_both_whatever_they_say():
    branches = Plain(), Plain()
    x, other_x, *moments = clips()
    for sharpness in (0.1, 1.0, 30.0):
        nn.init.normal_(branches[0].head.weight, std=sharpness)
        network = fusion_of(*branches, awake=False)
        mean_BK = (probabilities(branches[0], x) + probabilities(branches[1], other_x)) / 2
        torch.testing.assert_close(network(x, other_x, *moments).exp(), mean_BK)


@torch.no_grad()
def test_what_it_says_is_a_mixture_of_both_and_a_correction():
    branches = Plain(), Plain()
    network, (x, other_x, *moments) = fusion_of(*branches), clips()
    seen = network.forward_features(x, other_x, *moments)
    assert seen.features_BD.shape == (4, 2 * WIDTH)
    assert seen.tokens_BDTN.shape == (4, WIDTH, 1, 4 * 6 + 2 * 4)
    share_B2 = network.head.gates(seen.features_BD).softmax(1)
    assert share_B2.std(0).max() > 1e-3  # each clip has its own
    mixture_BK = share_B2[:, :1] * probabilities(branches[0], x) + share_B2[:, 1:] * probabilities(branches[1], other_x)
    expected_BK = mixture_BK.log() + network.head.correction(seen.features_BD)
    torch.testing.assert_close(seen.logits_BK, expected_BK)


@torch.no_grad()
def test_a_network_without_tokens_is_named(monkeypatch):
    settings = [TypeAdapter(Network).validate_python(narrow_settings(name)) for name in ("stcnn", "slowonly")]
    monkeypatch.setattr("microgesture.networks.slowonly.build", lambda *_: nn.Linear(3, 2))
    with pytest.raises(InputError, match=r"network 'slowonly' .*forward_features .*token_width"):
        build(TokenFusionSettings(), (3, 3), CLASSES, selection_named("36"), settings)


def test_joints_that_were_not_found_are_not_looked_at():
    network, (x, other_x, *moments) = fusion_of(Plain(), Plain()), clips()
    x[1, :, 2:6, 3], x[2, -1] = 0, 0  # one joint in the second and third step; none in any
    features_BD = network.forward_features(x, other_x, *moments).features_BD
    hidden = x.clone()
    hidden[1, :2, 2:6, 3] = 9.0
    hidden[2, :2] = 9.0
    assert torch.equal(network.forward_features(hidden, other_x, *moments).features_BD, features_BD)
    hidden[1, -1, 5, 3] = 0.5  # it was found in one frame of the third step
    changed_B = (network.forward_features(hidden, other_x, *moments).features_BD != features_BD).any(1)
    assert changed_B.tolist() == [False, True, False, False]


@torch.no_grad()
@pytest.mark.parametrize("lacking", [0, 1])
def test_the_other_speaks_for_a_clip_that_lacks_an_input_and_repeated_frames_are_not_looked_at(lacking):
    branches = Plain(), Plain()
    network, (*inputs, first_BT, second_BT) = fusion_of(*branches), clips()
    moments = [first_BT, second_BT]
    moments[lacking][1] = -1
    moments[lacking][2, 2:] = -1  # its later steps show nothing new
    seen = network.forward_features(*inputs, *moments)
    there = 1 - lacking
    expected_K = branches[there].forward_features(inputs[there]).logits_BK[1].log_softmax(0)
    correction_BK = network.head.correction(seen.features_BD)
    torch.testing.assert_close(seen.logits_BK[1] - correction_BK[1], expected_K)
    inputs[lacking] = inputs[lacking].clone()
    inputs[lacking][1], inputs[lacking][2, :2, 2:] = 7.0, 7.0
    again = network.forward_features(*inputs, *moments)
    assert torch.equal(again.features_BD, seen.features_BD)
    assert torch.equal(again.logits_BK[[0, 1, 3]], seen.logits_BK[[0, 1, 3]])


@pytest.mark.parametrize("lacking", [(0, 1, 2, 3), (0, 2), ()])
def test_clips_that_lack_an_input_give_finite_gradients(lacking):
    network, (x, other_x, *moments) = fusion_of(Plain(), Plain()), clips()
    moments[0][list(lacking)] = -1
    moments[1][[row for row in range(4) if row not in lacking]] = -1
    network(x, other_x, *moments).logsumexp(1).sum().backward()
    assert all(parameter.grad.isfinite().all() for parameter in network.parameters())
    for branch, taught in zip(network.branches, (len(lacking) < 4, len(lacking) > 0), strict=True):
        assert branch.head.weight.grad.any() == taught


@torch.no_grad()
def test_the_moment_of_a_frame_matters():
    network, (x, other_x, *moments) = fusion_of(Plain(), Plain()), clips()
    before_BK = network(x, other_x, *moments)
    moments[1][2] = moments[1][2].flip(0)
    assert (network(x, other_x, *moments) != before_BK).any(1).tolist() == [False, False, True, False]


def test_found_tokens_are_those_of_which_a_new_frame_shows_something():
    torch.manual_seed(2)
    x_BCTV, moments_BT = torch.randn(3, 3, 8, 6), torch.rand(3, 8) - 0.3
    tokens_BDTN = torch.zeros(3, 1, 4, 6)
    found_BTN = found_tokens(x_BCTV, moments_BT, tokens_BDTN)
    for clip in range(3):
        for step in range(4):
            frames = [t for t in (2 * step, 2 * step + 1) if moments_BT[clip, t] >= 0]
            for joint in range(6):
                expected = any(x_BCTV[clip, 2, t, joint] > 0 for t in frames)
                assert bool(found_BTN[clip, step, joint]) == expected
    heatmaps_BCTHW = torch.zeros(1, 2, 4, 3, 3)
    heatmaps_BCTHW[0, 1, 2, 1, 1] = 1.0  # a joint, in the third frame only
    found_BTN = found_tokens(heatmaps_BCTHW, torch.arange(4)[None] / 3, torch.zeros(1, 1, 4, 9))
    assert found_BTN[0].all(1).tolist() == [False, False, True, False]
    assert not found_BTN[0, [0, 1, 3]].any()


def test_moments_are_told_apart_by_waves():
    moments_T = torch.linspace(0, 1, 33)
    waves_TC = waves(moments_T[None])[0]
    assert math.isclose(waves_TC[16, 0], 1.0, rel_tol=1e-6)  # half a wave over the clip is highest in its middle
    distance_TT = torch.cdist(waves_TC, waves_TC)
    assert (distance_TT + 9 * torch.eye(33)).min() > 0.5


PAIRS = [("video_swin", "poseconv3d"), ("mvit", "agcn"), ("stcnn", "slowonly")]
INPUTS = {"agcn": (3, 8, 36), "stcnn": (3, 8, 36), "poseconv3d": (36, 4, 16, 16)}  # of the others a video


@pytest.mark.parametrize(("one", "other"), PAIRS)
def test_all_of_it_learns_once_the_first_step_is_done(one, other):
    names, selection = (one, other), selection_named("36")
    torch.manual_seed(0)
    inputs = [torch.rand(4, *INPUTS.get(name, (3, 4, 32, 32))) - 0.1 for name in names]
    moments = [torch.linspace(0, 1, x.shape[2]).expand(4, -1) for x in inputs]
    settings = TokenFusionSettings(width=WIDTH, heads=2, dropout=0)
    branches = [TypeAdapter(Network).validate_python(narrow_settings(name)) for name in names]
    network = build(settings, [x.shape[1] for x in inputs], CLASSES, selection, branches)
    for branch in network.branches:
        wake(branch)
    network.train()
    optimizer = torch.optim.SGD(network.parameters(), 0.1)
    for step in range(2):
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(network(*inputs, *moments), torch.arange(4))
        loss.backward()
        still = {name for name, of in network.named_parameters() if of.grad is None or not of.grad.any()}
        if step == 0:
            asleep = {name for name in still if name.startswith("head.")}
            assert asleep == {name for name, _ in network.named_parameters() if name.startswith("head.")} - {
                f"head.{part}.{kind}" for part in ("gates", "correction") for kind in ("weight", "bias")
            }
        optimizer.step()
    assert still == set()
