"""What a network starts from: its own earlier weights, two parents' or a file of another project's."""

import math
import os
import shlex

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from fixtures.small_networks import keeping_time
from microgesture.errors import InputError
from microgesture.networks.poseconv3d import PoseConv3D
from microgesture.networks.rgbposeconv3d import RGBPoseConv3D
from microgesture.networks.slowonly import SlowOnly
from microgesture.streams.weights import About, is_head, load_weights, save_weights, start_from, start_from_file

CLASSES = ("wave", "nod", "shake")


class Small(nn.Module):
    """A network of one convolution, which sees ``more`` channels beside its own two."""

    def __init__(self, more=0):
        super().__init__()
        self.layer = nn.Conv3d(2 + more, 5, 3)
        self.norm = nn.BatchNorm3d(5)
        self.head = nn.Linear(5, len(CLASSES))

    def forward(self, x_BCTHW):
        return self.head(self.norm(self.layer(x_BCTHW)).mean((2, 3, 4)))


class Pair(nn.Module):
    """Two such paths, each of which sees the other's input too."""

    path_prefixes = ("first.", "second.")

    def __init__(self):
        super().__init__()
        self.first, self.second, self.lateral = Small(more=1), Small(more=4), nn.Conv3d(2, 1, 1)


def stream(folder, name, network, classes=CLASSES):
    """The file of a trained stream."""
    save_weights(folder / f"{name}.safetensors", network.state_dict(), About(name, ("rgb",), classes))
    return folder / f"{name}.safetensors"


def settled(network):
    """The network in eval mode with weights as after some training: no norm is 1, no branch adds nothing."""
    generator = torch.Generator().manual_seed(1)
    for name, tensor in network.state_dict().items():
        if tensor.dim() > 1:
            tensor.normal_(std=1 / math.sqrt(tensor[0].numel()), generator=generator)
        elif name.endswith(("weight", "running_var")):
            tensor.uniform_(0.5, 1, generator=generator)
        elif tensor.is_floating_point():
            tensor.normal_(std=0.1, generator=generator)
    return network.eval()


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("head.3.weight", True),
        ("head.weight", True),
        ("video.head.3.bias", True),
        ("heatmap.stem.conv.weight", False),
        ("stages.0.heads.weight", False),
    ],
)
def test_a_head_is_known_by_a_part_of_its_name(name, expected):
    assert is_head(name) is expected


def test_one_parent_of_the_same_classes_gives_everything(tmp_path):
    parent, network = Small(), Small()
    start = start_from(network, [stream(tmp_path, "rgb", parent)], CLASSES)
    assert start.loaded == list(network.state_dict())
    assert (start.parents, start.new, start.left_out, start.reshaped) == (["rgb"], [], [], [])
    x_BCTHW = torch.randn(2, 2, 4, 4, 4)
    assert torch.equal(network.eval()(x_BCTHW), parent.eval()(x_BCTHW))
    assert start.sentence() == "starts from rgb: 9 tensors loaded; new are none; left out are none"


@pytest.mark.parametrize("classes", [("nod", "wave", "shake"), None])
def test_a_head_of_other_or_unknown_classes_stays_new(tmp_path, classes):
    parent, network = Small(), Small()
    file = stream(tmp_path, "rgb", parent, classes or CLASSES)
    if classes is None:
        save_file(parent.state_dict(), file)
    before = network.head.weight.clone()
    start = start_from(network, [file], CLASSES)
    assert set(start.new) == set(start.left_out) == {"head.weight", "head.bias"}
    assert torch.equal(network.head.weight, before)
    assert torch.equal(network.layer.weight, parent.layer.weight)


def test_one_parent_gives_no_more_channels(tmp_path):
    start = start_from(Small(more=1), [stream(tmp_path, "rgb", Small())], CLASSES)
    assert start.new == start.left_out == ["layer.weight"]


def test_two_parents_fill_their_paths_and_what_is_more_starts_at_zero(tmp_path):
    first, second, pair = Small(), Small(), Pair()
    lateral = pair.lateral.weight.clone()
    start = start_from(pair, [stream(tmp_path, "rgb", first), stream(tmp_path, "joint", second)], CLASSES)
    assert start.parents == ["rgb", "joint"]
    assert start.reshaped == ["first.layer.weight", "second.layer.weight"]
    assert start.new == ["lateral.weight", "lateral.bias"]
    assert start.left_out == []
    assert torch.equal(pair.first.layer.weight[:, :2], first.layer.weight)
    assert torch.equal(pair.second.layer.weight[:, :2], second.layer.weight)
    assert not pair.first.layer.weight[:, 2:].any()
    assert not pair.second.layer.weight[:, 2:].any()
    assert torch.equal(pair.second.head.weight, second.head.weight)
    assert torch.equal(pair.lateral.weight, lateral)
    assert start.sentence().startswith(
        "starts from rgb and joint: 18 tensors loaded, 2 of them reshaped (first.layer.weight, second.layer.weight); "
    )


def test_each_parent_keeps_its_head_only_for_its_own_classes(tmp_path):
    parents = [stream(tmp_path, "rgb", Small()), stream(tmp_path, "joint", Small(), ("touch", "fold", "rest"))]
    start = start_from(Pair(), parents, CLASSES)
    assert set(start.new) == {"lateral.weight", "lateral.bias", "second.head.weight", "second.head.bias"}
    assert set(start.left_out) == {"second.head.weight", "second.head.bias"}


@torch.no_grad()
def test_a_pair_starts_out_as_exactly_its_parents(tmp_path):
    video, heatmap = settled(SlowOnly(3, 3, width=8)), keeping_time(settled(PoseConv3D(5, 3, width=4)))
    pair = settled(RGBPoseConv3D((3, 5), 3, video_width=8, heatmap_width=4))
    start = start_from(pair, [stream(tmp_path, "rgb", video), stream(tmp_path, "joint", heatmap)], CLASSES)
    # the first convolutions behind each of the two exchanges: the block's and its shortcut's, in both paths
    assert len(start.reshaped) == 8
    assert all(name.startswith("lateral.") for name in start.new)
    assert start.left_out == []
    x_BCTHW, heatmaps_BVTHW = torch.rand(2, 3, 2, 32, 32).double(), torch.rand(2, 5, 8, 8, 8).double()
    video_BK, heatmap_BK = pair.double()(x_BCTHW, heatmaps_BVTHW)
    assert video_BK.std() > 0.01
    # exactly, but for the order in which a library sums over more channels
    torch.testing.assert_close(video_BK, video.double()(x_BCTHW), rtol=0, atol=1e-14)
    torch.testing.assert_close(heatmap_BK, heatmap.double()(heatmaps_BVTHW), rtol=0, atol=1e-14)


def test_a_pair_takes_over_a_pair(tmp_path):
    parent, network = RGBPoseConv3D((3, 5), 3, 4, 4), RGBPoseConv3D((3, 5), 3, 4, 4)
    start = start_from(network, [stream(tmp_path, "rgb_joint", parent)], CLASSES)
    assert start.new == start.left_out == start.reshaped == []
    assert torch.equal(network.lateral[1].to_video.weight, parent.lateral[1].to_video.weight)


def test_parents_that_do_not_fit_are_refused(tmp_path):
    path, other = stream(tmp_path, "rgb", Small()), stream(tmp_path, "other", nn.Sequential(nn.Linear(2, 2)))
    with pytest.raises(InputError, match=r"none of the tensors of .*other.safetensors fits this network"):
        start_from(Small(), [other], CLASSES)
    with pytest.raises(InputError, match=r"none of the tensors of .*other.safetensors fits this network"):
        start_from(Pair(), [path, other], CLASSES)
    with pytest.raises(InputError, match=r"none of the tensors of .*rgb.safetensors.* a stream for each path"):
        start_from(Pair(), [path], CLASSES)
    with pytest.raises(InputError, match="2 streams to start from are too many"):
        start_from(Small(), [path, path], CLASSES)


def test_a_file_of_our_own_keeps_what_is_known_of_its_classes(tmp_path):
    file = stream(tmp_path, "rgb", Small(), ("nod", "wave", "shake"))
    start = start_from_file(Small(), file, CLASSES)
    assert start.parents == ["rgb"]
    assert start.new == ["head.weight", "head.bias"]


@pytest.mark.parametrize("wrap", [lambda s: s, lambda s: {"state_dict": s}, lambda s: {"model": s, "epoch": 3}])
def test_a_state_dict_is_found_where_others_keep_it(tmp_path, wrap):
    parent, network = Small(), Small()
    state = {f"module.{name}": tensor for name, tensor in parent.state_dict().items()}
    torch.save(wrap(state), tmp_path / "saved.pth")
    start = start_from_file(network, tmp_path / "saved.pth", CLASSES)
    assert start.parents == ["saved.pth"]
    assert start.new == start.left_out == []
    assert torch.equal(network.layer.weight, parent.layer.weight)


def test_half_precision_becomes_whole(tmp_path):
    parent, network = Small(), Small()
    torch.save(parent.half().state_dict(), tmp_path / "half.pth")
    start_from_file(network, tmp_path / "half.pth", CLASSES)
    assert network.layer.weight.dtype == torch.float32
    assert torch.equal(network.layer.weight, parent.layer.weight.float())


class Harmful:
    """Unpickling it writes a file."""

    def __init__(self, canary):
        self.canary = canary

    def __reduce__(self):
        return os.mkdir, (str(self.canary),)


@pytest.mark.parametrize("zipped", [True, False])
def test_a_file_that_would_run_code_is_refused_and_runs_none(tmp_path, zipped):
    saved = {"state_dict": Small().state_dict(), "meta": Harmful(tmp_path / "canary")}
    torch.save(saved, tmp_path / "bad.pth", _use_new_zipfile_serialization=zipped)
    with pytest.raises(InputError, match=r"bad.pth holds \w+\.mkdir, .*weights must not run code"):
        start_from_file(Small(), tmp_path / "bad.pth", CLASSES)
    assert not (tmp_path / "canary").exists()
    torch.load(tmp_path / "bad.pth", weights_only=False)
    assert (tmp_path / "canary").exists()  # so the file was a harmful one


def test_the_command_in_the_refusal_takes_the_tensors_out(tmp_path):
    parent, network = Small(), Small()
    torch.save({"state_dict": parent.state_dict(), "meta": {"size": Size(3)}}, tmp_path / "it's.pth")
    with pytest.raises(InputError, match=r"holds test_weights\.Size") as refused:
        start_from_file(network, tmp_path / "it's.pth", CLASSES)
    _, command, last = str(refused.value).split("\n")
    exec(shlex.split(command)[2], {})  # as in a process of its own
    start = start_from_file(network, last.removeprefix("and use ").removesuffix(" instead"), CLASSES)
    assert start.new == []
    assert torch.equal(network.layer.weight, parent.layer.weight)


class Size(int):
    """Something harmless that is no plain value, as trainers keep beside their tensors."""


def garbage(path):
    path.write_bytes(b"hello world" * 100)


def cut(path):
    torch.save(torch.ones(1000), path)
    path.write_bytes(path.read_bytes()[:2000])


@pytest.mark.parametrize(
    ("name", "write", "message"),
    [
        ("none.pth", lambda path: None, "No such file"),
        ("empty.pth", lambda path: path.touch(), "is not a file of weights"),
        ("garbage.pth", garbage, "is not a file of weights"),
        ("cut.pth", cut, "is not a file of weights"),
        ("cut.safetensors", garbage, "is not a safetensors file"),
        ("list.pth", lambda path: torch.save([1, 2], path), "holds no tensors"),
        ("text.pth", lambda path: torch.save({"state_dict": {"a": "b"}}, path), "holds no tensors"),
    ],
)
def test_broken_files_are_named(tmp_path, name, write, message):
    write(tmp_path / name)
    with pytest.raises(InputError, match=rf"(?s){name} .*{message}|{name} {message}"):
        start_from_file(Small(), tmp_path / name, CLASSES)


@pytest.mark.parametrize(
    ("part", "found"), [("norm.running", "only 2 of this network's 6 tensors"), ("norm.", "only 4 .*not layer.weight")]
)
def test_a_part_of_a_network_is_refused(tmp_path, part, found):
    state = {name: tensor for name, tensor in Small().state_dict().items() if name.startswith(part)}
    torch.save(state, tmp_path / "little.pth")
    with pytest.raises(InputError, match=f"names of no known project.*{found}"):
        start_from_file(Small(), tmp_path / "little.pth", CLASSES)


def test_weights_are_read_back_with_what_they_are_for(tmp_path):
    parent = Small()
    file = stream(tmp_path, "rgb", parent)
    state, about = load_weights(file)
    assert about == About("rgb", ("rgb",), CLASSES)
    assert all(torch.equal(state[name], tensor) for name, tensor in parent.state_dict().items())
    before = file.read_bytes()
    stream(tmp_path, "rgb", parent)
    assert file.read_bytes() == before


def test_weights_may_be_read_by_whom_other_files_may(tmp_path):
    other = tmp_path / "other.txt"
    other.touch()
    assert stream(tmp_path, "rgb", Small()).stat().st_mode == other.stat().st_mode
