"""Checkpoints of other projects: every tensor finds its place, and the network computes what theirs does."""

import math
import re

import pytest
import torch
from pydantic import TypeAdapter
from torch import nn

from fixtures.openmmlab import POSECONV3D, SLOWONLY, PairRecognizer, R2Plus1DRecognizer, Recognizer
from microgesture.checkpoints.layouts import adapt, translate
from microgesture.config.networks import Network
from microgesture.errors import InputError
from microgesture.networks import build
from microgesture.networks.compat import prepare_torchvision
from microgesture.streams.weights import start_from_file

prepare_torchvision()

from torchvision.models import ResNet, SwinTransformer, resnet, swin_transformer  # noqa: E402
from torchvision.models.video import SwinTransformer3d, mvit_v2_s, swin3d_b, swin3d_t  # noqa: E402

CLASSES = ("wave", "nod", "shake")
R2PLUS1D_34 = {"name": "r2plus1d", "layers": 34, "variant": "mmaction2"}


def network(channels, classes=3, **settings):
    return build(TypeAdapter(Network).validate_python(settings), channels, classes)


def settled(module, seed=0):
    """In eval mode with weights as after some training: no norm is 1, no branch adds nothing."""
    generator = torch.Generator().manual_seed(seed)
    for name, tensor in module.state_dict().items():
        if name.endswith("relative_position_bias_table"):
            tensor.normal_(generator=generator)
        elif tensor.dim() > 1 and tensor.is_floating_point():
            tensor.normal_(std=1 / math.sqrt(tensor[0].numel()), generator=generator)
        elif name.endswith(("weight", "running_var")):
            tensor.uniform_(0.5, 1, generator=generator)
        elif tensor.is_floating_point():
            tensor.normal_(std=0.1, generator=generator)
    return module.eval()


def load(folder, module, own, state=None):
    """What our network, differently settled, reports after it took the other's state from a file."""
    torch.save(
        {"meta": {"epoch": 3, "CLASSES": ["a"]}, "state_dict": state or module.state_dict()}, folder / "their.pth"
    )
    return start_from_file(settled(own, seed=1), folder / "their.pth", CLASSES)


@torch.no_grad()
def compare(own, module, *x, tolerance=1e-4):
    expected = module(*x)
    assert expected.std() > 1e-3
    torch.testing.assert_close(own(*x), expected, rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize(
    ("theirs", "ours", "channels", "stem", "stages"),
    [
        ("SlowOnly", {"name": "slowonly", "width": 8}, 3, 2, SLOWONLY),
        ("PoseConv3D", {"name": "poseconv3d", "width": 8}, 5, 1, POSECONV3D),
    ],
)
def test_slow_networks_of_mmaction2_and_pyskl(tmp_path, theirs, ours, channels, stem, stages):
    module, own = settled(Recognizer(channels, 3, 8, stem, stages)), network((channels,), **ours)
    start = load(tmp_path, module, own)
    assert start.loaded == list(own.state_dict())
    assert start.new == start.left_out == start.reshaped == []
    compare(own, module, torch.rand(2, channels, 4, 32, 32))


def test_rgbposeconv3d_of_mmaction2_and_pyskl(tmp_path):
    module = settled(PairRecognizer(5, 3, rgb=8, pose=4))
    own = network((3, 5), name="rgbposeconv3d", video_width=8, heatmap_width=4)
    start = load(tmp_path, module, own)
    assert start.loaded == list(own.state_dict())
    assert start.new == start.left_out == start.reshaped == []
    compare(own, module, torch.rand(2, 3, 2, 32, 32), torch.rand(2, 5, 8, 8, 8))


def test_rgbposeconv3d_of_mmaction2_needs_the_published_ratio_of_frames(tmp_path):
    own = network((3, 5), name="rgbposeconv3d", video_width=8, heatmap_width=4, frame_ratio=2)
    with pytest.raises(InputError, match=r"frame_ratio: 4.*frame_ratio: 2"):
        load(tmp_path, PairRecognizer(5, 3, rgb=8, pose=4), own)


def test_r2plus1d_of_mmaction2(tmp_path):
    module = settled(R2Plus1DRecognizer((2, 2, 2, 2), 3))
    own = network((3,), name="r2plus1d", variant="mmaction2")
    start = load(tmp_path, module, own)
    assert start.loaded == list(own.state_dict())
    assert start.new == start.left_out == start.reshaped == []
    compare(own, module, torch.rand(1, 3, 4, 32, 32))
    torch.save(own.state_dict(), tmp_path / "our.pth")
    for file, variant in (("their.pth", "torchvision"), ("our.pth", "mmaction2")):
        with pytest.raises(InputError, match="would compute something else"):
            start_from_file(network((3,), name="r2plus1d", variant=variant), tmp_path / file, CLASSES)


@pytest.mark.parametrize(
    ("theirs", "ours"),
    [
        ("backbone.conv1.conv.weight", "stem.conv.weight"),
        ("backbone.conv1.bn.running_mean", "stem.norm.running_mean"),
        ("backbone.layer1.0.conv1.conv.weight", "stages.0.res_blocks.0.branch2.conv_a.weight"),
        ("backbone.layer2.3.conv2.bn.num_batches_tracked", "stages.1.res_blocks.3.branch2.norm_b.num_batches_tracked"),
        ("backbone.layer3.0.downsample.conv.weight", "stages.2.res_blocks.0.branch1_conv.weight"),
        ("backbone.layer3.0.downsample.bn.bias", "stages.2.res_blocks.0.branch1_norm.bias"),
        ("cls_head.fc_cls.bias", "head.3.bias"),
    ],
)
def test_names_that_real_checkpoints_have(theirs, ours):
    assert ours in network((36,), name="poseconv3d", width=2).state_dict()
    state = {"backbone.conv1.conv.weight": torch.zeros(0), theirs: torch.ones(1)}
    layout, translated = translate(state)
    assert layout.title == "mmaction2's and pyskl's SlowOnly or PoseConv3D"
    assert translated[ours].numel() == 1


def test_other_joints_leave_the_stem_new_and_other_classes_the_head(tmp_path):
    module, own = settled(Recognizer(17, 60, 4, 1, POSECONV3D)), network((36,), name="poseconv3d", width=4)
    start = load(tmp_path, module, own)
    assert start.new == start.left_out == ["stem.conv.weight", "head.3.weight", "head.3.bias"]
    assert start.loaded[:2] == ["stem.norm.weight", "stem.norm.bias"]


def test_what_means_nothing_here_is_left_out_under_its_own_name(tmp_path):
    module, own = Recognizer(5, 3, 4, 1, POSECONV3D), network((5,), name="poseconv3d", width=4)
    state = module.state_dict() | {"data_preprocessor.mean": torch.ones(3), "backbone.extra.weight": torch.ones(1)}
    start = load(tmp_path, module, own, state)
    assert start.left_out == ["data_preprocessor.mean", "extra.weight"]
    assert start.new == []


def images_to_videos(x_BCHW, frames):
    return x_BCHW[:, :, None].repeat(1, 1, frames, 1, 1)


@torch.no_grad()
def test_an_inflated_resnet_sees_a_still_video_as_its_image(tmp_path):
    module, own = settled(ResNet(resnet.Bottleneck, [3, 4, 6, 3], num_classes=3)), network((3,), name="slowonly")
    start = load(tmp_path, module, own)
    assert start.new == start.left_out == []
    assert len(start.reshaped) == 53  # all convolutions
    x_BCHW = torch.rand(1, 3, 64, 64)
    flat = nn.Sequential(module.conv1, module.bn1, module.relu, module.maxpool, module.layer1, module.layer2)(x_BCHW)
    deep = own.stages[:2](own.stem(images_to_videos(x_BCHW, 3)))
    torch.testing.assert_close(deep, images_to_videos(flat, 3), rtol=1e-4, atol=1e-4)
    # behind it kernels span three frames, and the first and the last frame have one neighbour only
    flat, deep = module.layer3[0](flat), own.stages[2].res_blocks[0](deep)
    torch.testing.assert_close(deep[:, :, 1], flat, rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(own.head[-1].weight, module.fc.weight)


SWIN = {"name": "video_swin", "width": 32, "depths": (2, 2)}
SIZE = {"embed_dim": 32, "depths": [2, 2], "num_heads": [1, 2], "num_classes": 3}


def video_swin(window=(8, 7, 7), **size):
    return settled(SwinTransformer3d(patch_size=[2, 4, 4], window_size=list(window), **SIZE | size))


def test_video_swin_of_torchvision(tmp_path):
    module, own = video_swin(), network((3,), **SWIN)
    start = load(tmp_path, module, own)
    assert start.new == start.left_out == start.reshaped == []
    compare(own, module, torch.rand(1, 3, 8, 56, 56))


@torch.no_grad()
def test_an_inflated_swin_sees_a_still_video_as_its_image(tmp_path):
    module, own = settled(SwinTransformer(patch_size=[4, 4], window_size=[7, 7], **SIZE)), network((3,), **SWIN)
    start = load(tmp_path, module, own)
    assert start.new == start.left_out == []
    tables = [name for name in own.state_dict() if name.endswith("relative_position_bias_table")]
    assert start.reshaped == ["patch_embed.proj.weight", *tables]
    x_BCHW = torch.rand(2, 3, 56, 56)
    videos_BCTHW = images_to_videos(x_BCHW, 32)
    embedded_BTHWC = own.patch_embed(videos_BCTHW)
    torch.testing.assert_close(embedded_BTHWC[:, 5], module.features[0](x_BCHW), rtol=1e-4, atol=1e-4)
    # Frames that are alike share the attention of their window evenly, so all that follows is alike too.
    logits_BK = module(x_BCHW)
    assert logits_BK.std() > 0.01
    torch.testing.assert_close(own(videos_BCTHW), logits_BK, rtol=1e-3, atol=1e-4)


def as_authors(state, head, norm):
    """A state of torchvision's Video Swin under the names of the authors' code, in which a stage owns its merging."""
    named = {}
    for name, tensor in state.items():
        parts = name.split(".")
        if parts[0] == "features" and int(parts[1]) % 2:
            parts[:2] = ["layers", str((int(parts[1]) - 1) // 2), "downsample"]
        elif parts[0] == "features":
            parts[:2] = ["layers", str(int(parts[1]) // 2), "blocks"]
            if parts[4] == "mlp":
                parts[5] = {"0": "fc1", "3": "fc2"}[parts[5]]
        elif parts[0] == "norm":
            parts[0] = norm
        elif parts[0] == "head":
            parts[0] = head
        named[".".join(parts)] = tensor
    return named


@pytest.mark.parametrize("norm", ["norm", "norm3"])
def test_video_swin_of_its_authors_and_of_mmaction2(tmp_path, norm):
    module, own = video_swin(), network((3,), **SWIN)
    renamed = as_authors(module.state_dict(), "head", norm)
    state = {
        f"backbone.{name}" if name[:4] != "head" else f"cls_head.fc_cls{name[4:]}": renamed[name] for name in renamed
    }
    assert {
        "backbone.patch_embed.proj.weight",
        "backbone.layers.0.blocks.1.attn.relative_position_index",
        "backbone.layers.1.blocks.0.mlp.fc2.bias",
        "backbone.layers.0.downsample.reduction.weight",
        f"backbone.{norm}.weight",
        "cls_head.fc_cls.weight",
    } <= set(state)
    start = load(tmp_path, module, own, state)
    assert start.new == start.left_out == start.reshaped == []
    compare(own, module, torch.rand(1, 3, 8, 56, 56))


def test_swin_for_images_of_its_authors(tmp_path):
    flat = settled(SwinTransformer(patch_size=[4, 4], window_size=[7, 7], **SIZE)).state_dict()
    moved = {}  # as torchvision's Video Swin numbers its features
    for name, tensor in flat.items():
        parts = name.split(".")
        if name.startswith("features.0."):
            parts[:3] = ["patch_embed", {"0": "proj", "2": "norm"}[parts[2]]]
        elif parts[0] == "features":
            parts[1] = str(int(parts[1]) - 1)
        moved[".".join(parts)] = tensor
    state = as_authors(moved, "head", "norm") | {"layers.0.blocks.1.attn_mask": torch.zeros(4, 49, 49)}
    ours = [network((3,), **SWIN) for _ in range(2)]
    torch.save({"model": state}, tmp_path / "authors.pth")
    torch.save(flat, tmp_path / "torchvision.pth")
    for own, name in zip(ours, ("authors", "torchvision"), strict=True):
        start = start_from_file(own, tmp_path / f"{name}.pth", CLASSES)
        assert start.new == start.left_out == []
    for name, tensor in ours[0].state_dict().items():
        assert torch.equal(tensor, ours[1].state_dict()[name]), name


MVIT = {"name": "mvit", "width": 8, "depths": (1, 2), "frames": 4, "side": 16}
BLOCKS = [  # names in a block here, and in the authors' code and mmaction2's
    (".attn.project.0.", ".attn.proj."),
    (".project.", ".proj."),
    (".mlp.0.", ".mlp.fc1."),
    (".mlp.3.", ".mlp.fc2."),
    *((f".attn.pool_{pooled}.pool.", f".attn.pool_{pooled}.") for pooled in "qkv"),
    *((f".attn.pool_{pooled}.norm_act.0.", f".attn.norm_{pooled}.") for pooled in "qkv"),
]


@pytest.mark.parametrize(
    ("key", "beside"),
    [
        (
            "model_state",
            {"conv_proj": "patch_embed.proj", "pos_encoding.class_token": "cls_token", "head.1": "head.projection"},
        ),
        (
            "state_dict",
            {
                "conv_proj": "backbone.patch_embed.projection",
                "pos_encoding.class_token": "backbone.cls_token",
                "blocks": "backbone.blocks",
                "norm": "backbone.norm3",
                "head.1": "cls_head.fc_cls",
            },
        ),
    ],
    ids=["SlowFast", "mmaction2"],
)
def test_mvit_of_its_authors_and_of_mmaction2(tmp_path, key, beside):
    module, own = settled(network((3,), **MVIT)), settled(network((3,), **MVIT), seed=1)
    theirs = {}
    for name, tensor in module.state_dict().items():
        for before, after in BLOCKS:
            name = name.replace(before, after)
        for before, after in beside.items():
            name = re.sub(rf"^{re.escape(before)}(?=\.|$)", after, name)
        theirs[name] = tensor.reshape(1, 1, -1) if name.endswith("cls_token") else tensor
    prefix = "backbone." if key == "state_dict" else ""
    assert {
        f"{prefix}{name}"
        for name in (
            "cls_token",
            "blocks.0.attn.qkv.bias",
            "blocks.1.attn.rel_pos_t",
            "blocks.1.attn.pool_v.weight",
            "blocks.1.attn.norm_k.bias",
            "blocks.1.attn.proj.weight",
            "blocks.1.proj.bias",
            "blocks.2.norm2.weight",
            "blocks.2.mlp.fc2.bias",
        )
    } <= set(theirs)
    torch.save({"epoch": 3, key: theirs}, tmp_path / "their.pyth")
    start = start_from_file(own, tmp_path / "their.pyth", CLASSES)
    assert start.loaded == list(own.state_dict())
    assert start.new == start.left_out == []
    assert start.reshaped == ["pos_encoding.class_token"]
    compare(own, module, torch.rand(2, 3, 4, 16, 16), tolerance=0)


def test_mvit_of_torchvision(tmp_path):
    module, own = settled(network((3,), 400, **MVIT)), network((3,), **MVIT)
    start = load(tmp_path, module, own)  # torchvision's names are ours, see test_mvit.py
    assert start.new == start.left_out == ["head.1.weight", "head.1.bias"]
    assert start.reshaped == []
    tokens_BDTN = own.forward_features(x_BCTHW := torch.rand(2, 3, 4, 16, 16)).tokens_BDTN
    assert torch.equal(tokens_BDTN, module.forward_features(x_BCTHW).tokens_BDTN)


def test_networks_of_another_kind_or_size_are_refused(tmp_path):
    own = network((3,), **SWIN)
    second = SwinTransformer(
        patch_size=[4, 4],
        window_size=[7, 7],
        block=swin_transformer.SwinTransformerBlockV2,
        downsample_layer=swin_transformer.PatchMergingV2,
        **SIZE,
    )
    with pytest.raises(InputError, match=r"their.pth \(names of no known project\) has only \d+ of this network's"):
        load(tmp_path, second, own)
    with pytest.raises(InputError, match=r"their.pth \(torchvision's Video Swin\) has only \d+ of .*in the same size"):
        load(tmp_path, video_swin(embed_dim=16), own)
    with pytest.raises(InputError, match=r"has only \d+ of .*relative_position_bias_table"):
        load(tmp_path, video_swin(window=(16, 7, 7)), own)
    with pytest.raises(InputError, match=r"SlowOnly or PoseConv3D\) has only \d+ of"):
        load(tmp_path, Recognizer(5, 3, 4, 1, POSECONV3D), network((3,), name="slowonly", width=8))


@pytest.mark.parametrize(
    ("make", "classes", "ours", "channels"),
    [
        (lambda: Recognizer(17, 60, 32, 1, POSECONV3D), 60, {"name": "poseconv3d"}, (17,)),
        (lambda: Recognizer(3, 400, 64, 2, SLOWONLY), 400, {"name": "slowonly"}, (3,)),
        (lambda: PairRecognizer(17, 60, 64, 32), 60, {"name": "rgbposeconv3d"}, (3, 17)),
        (lambda: R2Plus1DRecognizer((3, 4, 6, 3), 400), 400, R2PLUS1D_34, (3,)),
        (resnet.resnet50, 1000, {"name": "slowonly"}, (3,)),
        (mvit_v2_s, 400, {"name": "mvit"}, (3,)),
        (swin3d_t, 400, {"name": "video_swin"}, (3,)),
        (swin3d_b, 400, {"name": "video_swin", "size": "base"}, (3,)),
        (swin_transformer.swin_s, 1000, {"name": "video_swin", "size": "small"}, (3,)),
    ],
)
def test_every_tensor_of_the_full_networks_has_one_name_in_each_project(make, classes, ours, channels):
    with torch.device("meta"):
        theirs, own = make().state_dict(), network(channels, classes, **ours).state_dict()
    learned = {name: tensor.shape for name, tensor in own.items() if not name.endswith("relative_position_index")}
    _, translated = translate(theirs)
    assert translated.keys() == learned.keys()
    assert len(translated) == len([name for name in theirs if not name.endswith("relative_position_index")])
    assert adapt(translated, learned).keys() == learned.keys()
