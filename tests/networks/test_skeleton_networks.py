import numpy as np
import pytest
import torch
from pydantic import ValidationError
from torch import nn

from microgesture.config.networks import AGCNSettings, DecoupledSTCNNSettings, STGCNSettings
from microgesture.networks import agcn, stcnn, stgcn
from microgesture.networks.agcn import AGCN, AdaptiveGraphConvolution
from microgesture.networks.stcnn import Block, DecoupledSTCNN
from microgesture.skeletons.graph import adjacency, walk
from microgesture.skeletons.selections import selection_named


def parameters(module: nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


def skeletons(V: int, T: int = 16) -> torch.Tensor:
    """Skeletons x_BCTV, of which a quarter of the joints is missing."""
    generator = torch.Generator().manual_seed(0)
    x_BCTV = torch.randn(2, 3, T, V, generator=generator)
    found_BTV = torch.rand(2, T, V, generator=generator) > 0.25
    x_BCTV[:, 2] = 1
    return x_BCTV * found_BTV[:, None]


def networks(selection: str = "22", classes: int = 7) -> list[nn.Module]:
    torch.manual_seed(0)
    chosen = selection_named(selection)
    return [
        DecoupledSTCNN(3, classes, walk(chosen), widths=(8, 12)).eval(),
        AGCN(3, classes, adjacency(chosen), width=4).eval(),
    ]


@pytest.mark.parametrize(("name", "count"), [("22", 3_457_916), ("36", 3_482_360), ("68", 3_582_392)])
def test_agcn_has_the_published_size(name, count):
    # 3.46, 3.48 and 3.58 million
    settings = AGCNSettings(name="agcn")
    assert parameters(agcn.build(settings, [3], 32, selection_named(name))) == count


def test_stgcn_has_the_published_size():
    # 3.1 million for the 25 joints and 60 classes of NTU RGB+D
    settings = STGCNSettings(name="stgcn")
    assert parameters(stgcn.build(settings, [3], 60, selection_named("25"))) == 3_098_832


def test_a_unit_of_stgcn_is_its_formula():
    torch.manual_seed(0)
    fixed_KVV, x_CTV = np.random.default_rng(0).random((3, 5, 5), np.float32), torch.randn(2, 12, 5)
    unit = stgcn.Unit(2, 2, 1, fixed_KVV).eval()
    nn.init.uniform_(unit.importance_KVV)
    graph_KVV = torch.from_numpy(fixed_KVV) * unit.importance_KVV
    weights = unit.out.weight.reshape(3, 2, 2), unit.out.bias.reshape(3, 2)
    received_CTV = torch.zeros(2, 12, 5)
    for k, weight_CC, bias_C in zip(range(3), *weights, strict=True):
        for j in range(5):
            for i in range(5):
                received_CTV[:, :, j] += graph_KVV[k, i, j] * (weight_CC @ x_CTV[:, :, i] + bias_C[:, None])
    first, _, over_time, second, _ = unit.time
    kernel_CCT = over_time.weight[..., 0]
    padded_CTV = nn.functional.pad(first(received_CTV[None])[0].relu(), (0, 0, 4, 4))
    expected_CTV = torch.stack([sum(kernel_CCT[..., s] @ padded_CTV[:, t + s] for s in range(9)) for t in range(12)], 1)
    expected_CTV = second((expected_CTV + over_time.bias[:, None, None])[None])[0] + x_CTV
    torch.testing.assert_close(unit(x_CTV[None])[0], expected_CTV.relu(), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(("joints_apart", "features"), [(True, 6 * 36), (False, 6)])
def test_stcnn_has_the_size_of_its_layers(joints_apart, features):
    settings = DecoupledSTCNNSettings(name="stcnn", widths=(4, 6), strides=(1, 2), joints_apart=joints_apart)
    first = 4 * 4 * 3 + 4 * 4 * 5 + 2 * (2 * 4)  # over joints, over time, two norms; nothing to do on the way around
    second = 4 * 6 * 3 + 6 * 6 * 5 + 2 * (2 * 6) + (4 * 6 + 2 * 6)
    around = (3 * 4 + 4) + 4 + 4 * 36 + (features * 9 + 9)  # stem, missing, places, classifier
    assert parameters(stcnn.build(settings, [3], 9, selection_named("36"))) == first + second + around


@pytest.mark.parametrize("change", [{"strides": [2, 2]}, {"widths": [8, 8, 0]}, {"strides": [1, 0, 1]}])
def test_stcnn_refuses_blocks_that_cannot_be(change):
    with pytest.raises(ValidationError, match="stcnn"):
        DecoupledSTCNNSettings(name="stcnn", **change)


@pytest.mark.parametrize("frames", [1, 13, 64])
def test_skeleton_networks_take_any_number_of_frames(frames):
    for network in networks():
        assert network(skeletons(22, frames)).shape == (2, 7)


def test_what_stands_where_a_joint_is_missing_is_never_read():
    x_BCTV = skeletons(22)
    nonsense_BCTV = torch.where(x_BCTV[:, 2:] > 0, x_BCTV, torch.tensor([50.0, -80.0, 0.0])[:, None, None])
    for network in networks():
        torch.testing.assert_close(network(nonsense_BCTV), network(x_BCTV))


def test_a_missing_joint_is_not_a_joint_at_the_origin():
    x_BCTV = skeletons(22)
    at_origin_BCTV = torch.where(x_BCTV[:, 2:] > 0, x_BCTV, torch.tensor([0.0, 0.0, 1.0])[:, None, None])
    for network in networks():
        assert (network(at_origin_BCTV) - network(x_BCTV)).abs().max() > 1e-4


def test_nobody_to_be_seen_is_an_answer_too():
    for network in networks():
        assert network(torch.zeros(2, 3, 16, 22)).isfinite().all()


@pytest.mark.parametrize("joints_apart", [True, False])
def test_joints_that_are_never_there_have_no_say(joints_apart):
    # What is far from all that was found, farther than the blocks reach, may be anything.
    network = DecoupledSTCNN(3, 7, range(42), widths=(8, 12), strides=(2, 1), joints_apart=joints_apart).eval()
    x_BCTV = torch.zeros(1, 3, 16, 42)
    x_BCTV[:, :, :, :8] = 1
    before_BD = network.features(x_BCTV)
    with torch.no_grad():
        network.place[..., 30:] += 5
    torch.testing.assert_close(network.features(x_BCTV), before_BD)


def test_features_are_averages_over_the_frames_that_a_joint_is_in():
    network = DecoupledSTCNN(3, 7, range(4), widths=(8,), strides=(1,)).eval()
    x_BCTV = torch.ones(1, 3, 40, 4)
    still_BD = network.features(x_BCTV)
    apart_DV = still_BD.reshape(8, 4)
    x_BCTV[..., 20:, 3] = 0  # the last joint is lost in half of the frames, far from most of the others
    lost_DV = network.features(x_BCTV).reshape(8, 4)
    torch.testing.assert_close(lost_DV[:, :2], apart_DV[:, :2])
    assert (lost_DV[:, 3] - apart_DV[:, 3]).abs().max() < 0.2 * apart_DV.abs().max()


def test_stcnn_sees_joints_in_the_order_of_the_body():
    selection = selection_named("36")
    torch.manual_seed(0)
    network = DecoupledSTCNN(3, 7, walk(selection), widths=(8,), strides=(1,)).eval()
    order = torch.tensor(walk(selection))
    sorted_network = DecoupledSTCNN(3, 7, range(36), widths=(8,), strides=(1,)).eval()
    sorted_network.load_state_dict(network.state_dict())
    x_BCTV = skeletons(36)
    torch.testing.assert_close(network(x_BCTV), sorted_network(x_BCTV[..., order]))
    assert not torch.allclose(network(x_BCTV), sorted_network(x_BCTV))


@pytest.mark.parametrize(("frame", "joint"), [(0, 0), (5, 4), (9, 7)])
def test_a_block_sees_three_joints_and_five_frames(frame, joint):
    torch.manual_seed(0)
    block = Block(2, 32, 1).eval()
    x_BCTV = torch.randn(1, 2, 10, 8, requires_grad=True)
    block(x_BCTV)[0, :, frame, joint].sum().backward()
    seen = {(int(t), int(v)) for t, v in x_BCTV.grad[0].abs().sum(0).nonzero()}
    reach = {(t, v) for t in range(10) for v in range(8) if abs(t - frame) <= 2 and abs(v - joint) <= 1}
    assert seen == reach


def graph_convolution(fixed_KVV: np.ndarray) -> AdaptiveGraphConvolution:
    """One channel in, four out, weights that are easy to follow: theta and phi pass the channel on."""
    layer = AdaptiveGraphConvolution(1, 4, fixed_KVV).eval()
    with torch.no_grad():
        for theta, phi in zip(layer.theta, layer.phi, strict=True):
            for convolution in (theta, phi):
                convolution.weight.fill_(1)
                convolution.bias.zero_()
    return layer


def test_adaptive_graph_by_hand():
    fixed_KVV = np.array([[[1, 0], [0, 1]], [[0, 1], [0, 0]], [[0, 0], [1, 0]]], np.float32)
    layer = graph_convolution(fixed_KVV)
    with torch.no_grad():
        layer.learned_KVV.copy_(torch.arange(12.0).reshape(3, 2, 2) / 10)
    x_BCTV = torch.tensor([[[[1.0, 2.0], [3.0, -1.0]]]])  # joint 0 is 1, then 3; joint 1 is 2, then -1
    # Products of the joints over time, divided by one inner channel times two frames: 0 with 0 is (1 + 9) / 2,
    # 0 with 1 is (2 - 3) / 2, 1 with 1 is (4 + 1) / 2; a softmax down each column.
    p = 1 / (1 + np.exp(-0.5 - 5))
    q = 1 / (1 + np.exp(2.5 + 0.5))
    alike_VV = np.array([[p, q], [1 - p, 1 - q]])
    expected_KVV = fixed_KVV + np.arange(12).reshape(3, 2, 2) / 10 + alike_VV
    np.testing.assert_allclose(layer.graph(x_BCTV)[0].detach(), expected_KVV, rtol=1e-5)


def test_adaptive_graph_convolution_by_hand():
    fixed_KVV = np.array([[[0, 1], [0, 0]]], np.float32)
    layer = graph_convolution(fixed_KVV)
    x_BCTV = torch.tensor([[[[1.0, 2.0], [3.0, -1.0]]]])
    with torch.no_grad():
        layer.norm.weight.fill_(1)
        layer.norm.eps = 0.0
        layer.out[0].weight.copy_(torch.tensor([1.0, -1.0, 2.0, 0.0]).reshape(4, 1, 1, 1))
        layer.shortcut = nn.Identity()
        graph_VV = layer.graph(x_BCTV)[0, 0]
        received_TV = x_BCTV[0, 0] @ graph_VV  # joint j receives the sum over i of graph[i, j] x_i
        by_hand_CTV = torch.tensor([1.0, -1.0, 2.0, 0.0])[:, None, None] * received_TV
        torch.testing.assert_close(layer(x_BCTV)[0], torch.relu(by_hand_CTV + x_BCTV[0]))


def test_adaptive_graph_convolution_joint_by_joint():
    # Equations 3 and 4 of the paper written out: A + B + C of three graphs, over more channels than one.
    torch.manual_seed(0)
    C, T, V, width, inner = 3, 2, 4, 8, 2
    layer = AdaptiveGraphConvolution(C, width, np.random.default_rng(0).random((3, V, V), np.float32)).eval()
    with torch.no_grad():
        layer.learned_KVV.normal_()
        for tensor in (layer.norm.weight, layer.norm.running_var, layer.shortcut[1].running_var):
            tensor.uniform_(0.5, 1.5)
        for tensor in (layer.norm.bias, layer.norm.running_mean, layer.shortcut[1].running_mean):
            tensor.normal_()
    x_CTV = np.random.default_rng(1).standard_normal((C, T, V))
    weights = {name: tensor.double().numpy() for name, tensor in layer.state_dict().items()}

    def convolved(name, column_C):
        return weights[f"{name}.weight"][:, :, 0, 0] @ column_C + weights[f"{name}.bias"]

    def normed(name, column_C):
        scale_C = weights[f"{name}.weight"] / np.sqrt(weights[f"{name}.running_var"] + 1e-5)
        return (column_C - weights[f"{name}.running_mean"]) * scale_C + weights[f"{name}.bias"]

    expected_CTV = np.zeros((width, T, V))
    for k in range(3):
        alike_VV = np.zeros((V, V))
        for i in range(V):
            for j in range(V):
                for t in range(T):
                    alike_VV[i, j] += convolved(f"theta.{k}", x_CTV[:, t, i]) @ convolved(f"phi.{k}", x_CTV[:, t, j])
        alike_VV = np.exp(alike_VV / (inner * T))
        graph_VV = layer.fixed_KVV[k].numpy() + weights["learned_KVV"][k] + alike_VV / alike_VV.sum(0)
        for t in range(T):
            for j in range(V):
                received_C = sum(graph_VV[i, j] * x_CTV[:, t, i] for i in range(V))
                expected_CTV[:, t, j] += convolved(f"out.{k}", received_C)
    for t in range(T):
        for j in range(V):
            around_C = normed("shortcut.1", convolved("shortcut.0", x_CTV[:, t, j]))
            expected_CTV[:, t, j] = np.maximum(normed("norm", expected_CTV[:, t, j]) + around_C, 0)
    with torch.no_grad():
        made_CTV = layer(torch.from_numpy(x_CTV)[None].float())[0]
    assert 0.2 < (expected_CTV > 0).mean() < 0.8
    np.testing.assert_allclose(made_CTV, expected_CTV, rtol=1e-4, atol=1e-5)


def test_agcn_starts_with_the_fixed_graph_and_halves_time_twice():
    network = AGCN(3, 7, adjacency(selection_named("22")), width=4).eval()
    x_BCTV = skeletons(22)
    torch.testing.assert_close(network.units[0].graph.learned_KVV, torch.full((3, 22, 22), 1e-6), atol=0, rtol=0)
    assert network.units(x_BCTV).shape == (2, 16, 4, 22)


def test_a_clip_s_graph_follows_from_that_clip_alone():
    network = AGCN(3, 7, adjacency(selection_named("22")), width=4).eval()
    x_BCTV = skeletons(22)
    graph_BKVV = network.units[0].graph.graph(x_BCTV)
    torch.testing.assert_close(network.units[0].graph.graph(x_BCTV[1:]), graph_BKVV[1:])
    assert not torch.allclose(graph_BKVV[0], graph_BKVV[1])
    own_BKVV = graph_BKVV - network.units[0].graph.fixed_KVV - network.units[0].graph.learned_KVV
    torch.testing.assert_close(own_BKVV.sum(2), torch.ones(2, 3, 22))
