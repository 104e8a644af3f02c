import pytest
import torch
from torch import nn
from torch.nn.functional import cross_entropy

from fixtures.small_networks import NARROW, keeping_time, narrow_settings, network, wake
from microgesture.config.modalities import HEATMAPS, SKELETONS, VIDEOS
from microgesture.config.networks import NETWORKS, SlowOnlySettings
from microgesture.networks import build
from microgesture.networks.paths import mean_probability, per_path
from microgesture.skeletons.selections import selection_named
from microgesture.streams.weights import start_from_file

SKELETON_NETWORKS = ("stcnn", "agcn", "stgcn", "ctrgcn", "skeleton_transformer")
# token_fusion is made of two others; test_pretrained_video has the networks with an encoder
ALONE = [name for name, own in NETWORKS.items() if name != "token_fusion" and not own.has_encoder]


@pytest.fixture
def shapes_alone():
    """Networks have shapes and no numbers: no time and no memory for those of full size."""
    with torch.device("meta"):
        yield


def parameters(module: nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


@pytest.mark.parametrize(
    ("channels", "name", "count"),
    [
        ((36,), "poseconv3d", 2_040_288),
        ((68,), "poseconv3d", 2_090_464),
        ((3, 36), "rgbposeconv3d", 36_105_984),  # published as 36.1 million
        ((3,), "video_swin", 27_875_078),
    ],
)
@pytest.mark.usefixtures("shapes_alone")
def test_published_sizes(channels, name, count):
    assert parameters(network(channels, name=name)) == count


@pytest.mark.usefixtures("shapes_alone")
def test_slowonly_is_a_resnet50_with_longer_kernels_in_two_stages():
    resnet50 = 25_557_032 - 1000 * (2048 + 1)  # published, without its classifier
    first = 512 * 256 + 5 * 1024 * 256 + 1024 * 512 + 2 * 2048 * 512  # convolutions of the last stages' blocks
    assert parameters(network(name="slowonly")) == resnet50 + 2 * first + 32 * (2048 + 1)


@pytest.mark.usefixtures("shapes_alone")
def test_rgbposeconv3d_is_its_parents_and_what_joins_them():
    # Each join widens the first convolution, of 3 frames, and the shortcut of the stage behind it.
    widened = [(32, 64, 256), (64, 128, 512), (128, 256, 1024), (256, 512, 2048)]  # new channels, inside, behind
    grown = sum(3 * new * inside + new * behind for new, inside, behind in widened)
    lateral = 7 * (128 * 128 + 512 * 32 + 256 * 256 + 1024 * 64) + 2 * (32 + 64)
    parents = parameters(network(name="slowonly")) + parameters(network(name="poseconv3d"))
    assert parameters(network(name="rgbposeconv3d")) == parents + grown + lateral


@pytest.mark.usefixtures("shapes_alone")
def test_published_sizes_of_larger_video_swins():
    # 49.8 and 88.0 million with 400 classes: torchvision's documented counts, with our smaller head
    assert parameters(network(classes=400, name="video_swin", size="small")) == 49_816_678
    assert parameters(network(classes=400, name="video_swin", size="base")) == 88_048_984


@pytest.mark.parametrize("name", ["poseconv3d", "slowonly"])
@pytest.mark.parametrize("shape", [(2, 36, 4, 16, 16), (1, 36, 5, 21, 17)])
def test_slow_resnets_take_any_length_and_side(name, shape):
    logits_BK = network((36,), 7, name=name, width=4).eval()(torch.rand(shape))
    assert logits_BK.shape == (shape[0], 7)


@pytest.mark.parametrize("width", [8, 24, 32, 56, 112])
@pytest.mark.parametrize("shape", [(2, 3, 4, 32, 32), (1, 3, 5, 50, 37)])
def test_narrow_video_swin_takes_any_length_and_side(width, shape):
    logits_BK = network((3,), 7, name="video_swin", width=width, depths=(1, 1)).eval()(torch.rand(shape))
    assert logits_BK.shape == (shape[0], 7)


@pytest.mark.parametrize(
    ("video", "heatmaps", "ratio"),
    [
        ((2, 32, 32), (8, 8, 8), 4),
        ((3, 33, 50), (9, 9, 13), 3),
        ((4, 32, 32), (4, 8, 8), 1),
        ((1, 32, 32), (9, 8, 8), 9),
    ],
)
def test_rgbposeconv3d_takes_any_size_that_fits(video, heatmaps, ratio):
    joined = network((3, 5), 7, frame_ratio=ratio, **NARROW).eval()
    logits_PBK = joined(torch.rand(2, 3, *video), torch.rand(2, 5, *heatmaps))
    assert logits_PBK.shape == (2, 2, 7)


@pytest.mark.parametrize("heatmaps", [(8, 16, 16), (4, 8, 8), (8, 8, 12)])
def test_rgbposeconv3d_refuses_heatmaps_of_another_size(heatmaps):
    joined = network((3, 5), 7, **NARROW)
    with pytest.raises(ValueError, match="4 times the video's frames and a quarter of its side"):
        joined(torch.rand(1, 3, 2, 32, 32), torch.rand(1, 5, *heatmaps))


def test_poseconv3d_keeps_time_until_the_last_stage_and_halves_space_in_each():
    pose = network(name="poseconv3d", width=4)
    shapes = shapes_behind_stages(pose, torch.rand(1, 36, 8, 32, 32))
    assert shapes == [(4, 8, 32, 32), (16, 8, 16, 16), (32, 8, 8, 8), (64, 4, 4, 4)]


def test_slowonly_keeps_time_and_halves_space_twice_before_its_stages():
    slow = network(name="slowonly", width=4)
    shapes = shapes_behind_stages(slow, torch.rand(1, 3, 8, 64, 64))
    assert shapes == [(4, 8, 16, 16), (16, 8, 16, 16), (32, 8, 8, 8), (64, 8, 4, 4), (128, 8, 2, 2)]


def shapes_behind_stages(module: nn.Module, x_BCTHW: torch.Tensor) -> list[tuple[int, ...]]:
    shapes = [tuple((x_BCTHW := module.stem(x_BCTHW)).shape[1:])]
    for stage in module.stages:
        x_BCTHW = stage(x_BCTHW)
        shapes.append(tuple(x_BCTHW.shape[1:]))
    return shapes


@pytest.mark.parametrize(("name", "kernels"), [("poseconv3d", [1, 3, 3]), ("slowonly", [1, 1, 3, 3])])
def test_only_the_last_two_stages_look_beyond_one_frame(name, kernels):
    slow = network(name=name, width=4)
    assert [{block.branch2.conv_a.kernel_size[0] for block in stage.res_blocks} for stage in slow.stages] == [
        {kernel} for kernel in kernels
    ]


@pytest.mark.parametrize("name", ["poseconv3d", "slowonly"])
def test_slow_resnets_start_with_residual_branches_that_add_nothing(name):
    slow = network((5,), name=name, width=4).eval()
    x_BCTHW = torch.rand(2, 5, 4, 32, 32)
    before_BK = slow(x_BCTHW)
    for stage in slow.stages:
        for block in stage.res_blocks:
            nn.init.normal_(block.branch2.conv_b.weight)
    torch.testing.assert_close(slow(x_BCTHW), before_BK)


def test_each_path_gives_its_parents_logits_while_new_channels_weigh_nothing():
    parents = (
        wake(network(name="slowonly", width=8)),
        keeping_time(wake(network(name="poseconv3d", width=4))),
    )
    joined = wake(network(**NARROW))
    own = joined.state_dict()
    for prefix, parent in zip(joined.path_prefixes, parents, strict=True):
        state = parent.state_dict()
        assert [prefix + name for name in state] == [name for name in own if name.startswith(prefix)]
        for name, tensor in state.items():
            grown = own[prefix + name]
            if grown.shape != tensor.shape:
                grown[:, tensor.shape[1] :] = 0
                grown = grown[:, : tensor.shape[1]]
            grown.copy_(tensor)
    x = (torch.randn(2, 3, 2, 32, 32, dtype=torch.float64), torch.rand(2, 36, 8, 8, 8, dtype=torch.float64))
    logits_PBK = joined.double().eval()(*x)
    for logits_BK, parent, seen in zip(logits_PBK, parents, x, strict=True):
        # as exact as sums in another order can be
        torch.testing.assert_close(logits_BK, parent.double().eval()(seen), rtol=1e-12, atol=1e-12)


def test_all_that_joins_two_paths_is_named_lateral():
    joined = network(**NARROW)
    others = [name for name in joined.state_dict() if not name.startswith(joined.path_prefixes)]
    assert others
    assert all(name.startswith("lateral.") for name in others)


@pytest.mark.usefixtures("shapes_alone")
def test_weights_grow_only_where_paths_join():
    own = network(name="rgbposeconv3d").state_dict()
    parents = {"video." + name: tensor for name, tensor in network(name="slowonly").state_dict().items()} | {
        "heatmap." + name: tensor for name, tensor in network(name="poseconv3d").state_dict().items()
    }
    grown = {
        name: (parents[name].shape[1], own[name].shape[1]) for name in parents if parents[name].shape != own[name].shape
    }
    assert grown == {
        f"{stage}.res_blocks.0.{layer}.weight": channels
        for stage, channels in {
            "video.stages.2": (512, 640),
            "video.stages.3": (1024, 1280),
            "heatmap.stages.1": (128, 160),
            "heatmap.stages.2": (256, 320),
        }.items()
        for layer in ("branch1_conv", "branch2.conv_a")
    }


@pytest.mark.parametrize("changed", [0, 1])
def test_the_first_exchange_alone_lets_each_path_hear_the_other(changed):
    # The second exchange is cut off by weights of zero.
    joined = wake(network((3, 5), 7, **NARROW)).eval()
    with torch.no_grad():
        joined.video.stages[3].res_blocks[0].branch1_conv.weight[:, 128:] = 0
        joined.video.stages[3].res_blocks[0].branch2.conv_a.weight[:, 128:] = 0
        joined.heatmap.stages[2].res_blocks[0].branch1_conv.weight[:, 32:] = 0
        joined.heatmap.stages[2].res_blocks[0].branch2.conv_a.weight[:, 32:] = 0
    x = [torch.rand(2, 3, 2, 32, 32), torch.rand(2, 5, 8, 8, 8)]
    before_PBK = joined(*x)
    x[changed] = x[changed].flip(2)
    assert (joined(*x) - before_PBK).abs().amax((1, 2)).min() > 1e-4


def test_an_exchange_sees_what_the_paths_had_before_it():
    exchange = network((3, 5), 7, **NARROW).lateral[0].eval()
    video, pose = torch.rand(1, 64, 2, 4, 4), torch.rand(1, 16, 8, 4, 4)
    joined_video, joined_pose = exchange(video, pose)
    assert joined_video.shape == (1, 64 + 16, 2, 4, 4)
    assert joined_pose.shape == (1, 16 + 4, 8, 4, 4)
    torch.testing.assert_close(joined_video[:, :64], video)
    torch.testing.assert_close(joined_pose[:, :16], pose)
    # frame t of the video meets the heatmaps' frames about 4 t, 3 to each side
    weight = exchange.to_video.weight[..., 0, 0]
    padded = nn.functional.pad(pose, (0, 0, 0, 0, 3, 3))
    for frame in range(2):
        meets = torch.einsum("ocs,bcshw->bohw", weight, padded[:, :, 4 * frame : 4 * frame + 7])
        torch.testing.assert_close(joined_video[:, 64:, frame], meets)
    # and the other way round: a change of the video's frame 1 reaches the heatmaps' frames 4 - 3 to 4 + 3
    changed = video.clone()
    changed[:, :, 1] += 1
    differs = (exchange(changed, pose)[1] - joined_pose).abs().amax((0, 1, 3, 4)) > 0
    assert differs.tolist() == [False] + [True] * 7


@pytest.mark.parametrize("name", ["poseconv3d", "slowonly", "rgbposeconv3d"])
def test_strides_are_whole_numbers_that_can_be_compiled(name):
    convolutions = [m for m in network(name=name).modules() if isinstance(m, nn.Conv3d | nn.ConvTranspose3d)]
    assert {type(stride) for convolution in convolutions for stride in convolution.stride} == {int}


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in ALONE if name != "swinface"])  # which leaves black frames out
def test_all_of_a_network_can_be_compiled_for_batches_of_any_length(name):
    shapes = {"poseconv3d": [(36, 4, 16, 16)], "rgbposeconv3d": [(3, 2, 32, 32), (36, 8, 8, 8)]}
    shapes |= {skeleton: [(3, 8, 36)] for skeleton in SKELETON_NETWORKS}
    module = wake(network(**narrow_settings(name))).eval()
    compiled = torch.compile(module, backend="eager", fullgraph=True)
    for clips in (2, 3):
        x = [torch.rand(clips, *shape) for shape in shapes.get(name, [(3, 4, 32, 32)])]
        torch.testing.assert_close(compiled(*x), module(*x))


@pytest.mark.parametrize("name", ALONE)
def test_only_the_heads_depend_on_the_classes(name):
    narrow = narrow_settings(name)
    few, many = (
        {key: tuple(value.shape) for key, value in network(None, classes, **narrow).state_dict().items()}
        for classes in (5, 9)
    )
    assert {key for key in few if few[key] != many[key]} == {key for key in few if "head" in key.split(".")}


def test_drop_path_is_the_published_one_unless_set():
    def highest(**settings):
        return max(
            m.p
            for m in network(name="video_swin", width=8, **settings).modules()
            if hasattr(m, "p") and hasattr(m, "mode")
        )

    assert highest(depths=(1, 2)) == pytest.approx(0.1)
    assert highest(size="base", depths=(1, 2)) == pytest.approx(0.3)
    assert highest(drop_path=0.25, depths=(1, 2)) == pytest.approx(0.25)


@pytest.mark.parametrize("depths", [(1,), (2, 0)])
def test_video_swin_refuses_stages_without_blocks(depths):
    with pytest.raises(ValueError, match="too few blocks"):
        network(name="video_swin", width=8, depths=depths)


@pytest.mark.parametrize("channels", [(36,), (3, 3)])
def test_video_swin_refuses_heatmaps(channels):
    with pytest.raises(ValueError, match="3 channels, not"):
        network(channels, name="video_swin", width=8)


def test_paths_are_averaged_as_probabilities():
    logits_PBK = torch.tensor([[[0.0, 0.0]], [[0.0, 3.0]]]).log_softmax(-1)
    torch.testing.assert_close(per_path(logits_PBK), logits_PBK)
    torch.testing.assert_close(per_path(logits_PBK[1]), logits_PBK[1:])
    sure = 1 / (1 + torch.tensor(-3.0).exp())
    torch.testing.assert_close(mean_probability(logits_PBK)[0, 1], (0.5 + sure) / 2)
    torch.testing.assert_close(mean_probability(logits_PBK[1])[0, 1], sure)
    assert mean_probability(logits_PBK.bfloat16()).dtype == torch.float32


@pytest.mark.slow
@pytest.mark.parametrize(
    ("settings", "shapes"),
    [
        ({"name": "poseconv3d"}, [(36, 48, 56, 56)]),
        ({"name": "slowonly"}, [(3, 8, 224, 224)]),
        ({"name": "rgbposeconv3d"}, [(3, 8, 224, 224), (36, 32, 56, 56)]),
        ({"name": "mvit"}, [(3, 16, 224, 224)]),
        ({"name": "video_swin", "size": "tiny"}, [(3, 32, 224, 224)]),
    ],
    ids=str,
)
def test_a_step_at_full_size_trains_every_weight(settings, shapes):
    full = network(**settings, **({"drop_path": 0} if settings["name"] in ("video_swin", "mvit") else {}))
    optimizer = torch.optim.SGD(full.parameters(), lr=0.01)
    labels_B = torch.tensor([3])
    logits_PBK = per_path(full(*(torch.rand(1, *shape) for shape in shapes)))
    loss = sum(cross_entropy(logits_BK, labels_B) for logits_BK in logits_PBK)
    loss.backward()
    assert torch.isfinite(loss)
    assert [name for name, parameter in full.named_parameters() if parameter.grad is None] == []
    assert all(parameter.grad.isfinite().all() for parameter in full.parameters())
    before = {name: parameter.detach().clone() for name, parameter in full.named_parameters() if "head" in name}
    optimizer.step()
    assert not any(torch.equal(before[name], full.get_parameter(name)) for name in before)


def test_r2plus1d_of_18_layers_is_torchvision_s_and_takes_its_weights(tmp_path):
    from torchvision.models.video import r2plus1d_18

    theirs, ours = r2plus1d_18().eval(), network((3,), 400, name="r2plus1d", dropout=0.5).eval()
    assert parameters(ours) == 31_505_325  # as torchvision documents
    torch.save(theirs.state_dict(), tmp_path / "r2plus1d_18.pth")
    start = start_from_file(ours, tmp_path / "r2plus1d_18.pth", [str(label) for label in range(400)])
    assert start.new == start.left_out == []
    x_BCTHW = torch.rand(1, 3, 4, 32, 32)
    with torch.no_grad():
        torch.testing.assert_close(ours(x_BCTHW), theirs(x_BCTHW), atol=1e-4, rtol=1e-4)


@pytest.mark.usefixtures("shapes_alone")
def test_r2plus1d_of_34_layers_has_twice_the_blocks():
    # Each block has two convolutions, which are two each: together with the first one and the classifier 34 layers.
    deep = network((3,), 32, name="r2plus1d", layers=34)
    blocks = [len(getattr(deep, f"layer{stage}")) for stage in (1, 2, 3, 4)]
    assert 2 * sum(blocks) + 2 == 34
    with pytest.raises(ValueError, match="3 channels, not 36"):
        network((36,), name="r2plus1d")


@pytest.mark.parametrize("variant", ["torchvision", "paper", "mmaction2"])
@pytest.mark.usefixtures("shapes_alone")
def test_r2plus1d_has_the_parameters_of_its_variant(variant):
    def split(into, out, frames=3, side=3, inside=None):
        inside = inside or 3 * side**2 * into * out // (side**2 * into + 3 * out)  # 3 for any number of frames
        return inside * (side**2 * into + frames * out + 2)

    # torchvision has 45 channels inside the first convolution
    count = split(3, 64, 3, 7) if variant == "mmaction2" else split(3, 64, 3, 7, 45)
    for (into, out), blocks in zip(((64, 64), (64, 128), (128, 256), (256, 512)), (3, 4, 6, 3), strict=True):
        once = 27 * into * out // (9 * into + 3 * out) if variant == "torchvision" else None
        count += split(into, out) + split(out, out, inside=once) + (2 * blocks - 2) * split(out, out) + 4 * blocks * out
        if into != out:
            count += 2 * out + (split(into, out, 1, 1) if variant == "mmaction2" else into * out)
    count += 2 * 64 + 512 * 400 + 400
    assert round(count / 1e6, 2) == {"torchvision": 61.83, "paper": 63.70, "mmaction2": 63.76}[variant]
    assert parameters(network((3,), 400, name="r2plus1d", layers=34, variant=variant)) == count


@pytest.mark.parametrize(
    ("sees", "count"),
    [((VIDEOS,), 3), ((HEATMAPS,), 3), ((SKELETONS,), 4), ((("skeleton", "motion"),), 4), ((VIDEOS, ("bone",)), 4)],
)
def test_a_network_that_accepts_any_skeleton_gets_the_selection(monkeypatch, sees, count):
    monkeypatch.setattr(SlowOnlySettings, "sees", sees)
    monkeypatch.setattr("microgesture.networks.slowonly.build", lambda *arguments: arguments)
    arguments = build(SlowOnlySettings(name="slowonly"), (3,) * len(sees), 5, selection_named("22"))
    assert len(arguments) == count
    assert (arguments[-1] is selection_named("22")) == (count == 4)
