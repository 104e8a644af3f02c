import pytest
import torch
from pydantic import TypeAdapter
from torch import nn

from microgesture.networks import NETWORKS, build
from microgesture.networks.settings import NetworkSettings


def network(channels: int = 3, classes: int = 32, **settings: object) -> nn.Module:
    torch.manual_seed(0)
    return build(TypeAdapter(NetworkSettings).validate_python(settings), channels, classes)


def parameters(module: nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


@pytest.mark.parametrize(
    ("settings", "channels", "count"),
    [
        ({"name": "poseconv3d"}, 36, 2_040_288),
        ({"name": "poseconv3d"}, 68, 2_090_464),
        ({"name": "video_swin"}, 3, 27_875_078),
    ],
)
def test_published_sizes(settings, channels, count):
    assert parameters(network(channels, **settings)) == count


@pytest.mark.slow
def test_published_sizes_of_larger_video_swins():
    # 49.8 and 88.0 million with 400 classes: torchvision's documented counts, with our smaller head
    assert parameters(network(classes=400, name="video_swin", size="small")) == 49_816_678
    assert parameters(network(classes=400, name="video_swin", size="base")) == 88_048_984


@pytest.mark.parametrize("shape", [(2, 36, 4, 16, 16), (1, 36, 5, 21, 17)])
def test_poseconv3d_takes_any_length_and_side(shape):
    logits_BK = network(36, 7, name="poseconv3d", width=4).eval()(torch.rand(shape))
    assert logits_BK.shape == (shape[0], 7)


@pytest.mark.parametrize("width", [8, 24, 32, 56, 112])
@pytest.mark.parametrize("shape", [(2, 3, 4, 32, 32), (1, 3, 5, 50, 37)])
def test_narrow_video_swin_takes_any_length_and_side(width, shape):
    logits_BK = network(3, 7, name="video_swin", width=width, depths=(1, 1)).eval()(torch.rand(shape))
    assert logits_BK.shape == (shape[0], 7)


def test_poseconv3d_keeps_time_until_the_last_stage_and_halves_space_in_each():
    pose = network(36, name="poseconv3d", width=4)
    x_BCTHW = pose.stem(torch.rand(1, 36, 8, 32, 32))
    shapes = [tuple(x_BCTHW.shape[1:])]
    for stage in pose.stages:
        x_BCTHW = stage(x_BCTHW)
        shapes.append(tuple(x_BCTHW.shape[1:]))
    assert shapes == [(4, 8, 32, 32), (16, 8, 16, 16), (32, 8, 8, 8), (64, 4, 4, 4)]


def test_poseconv3d_starts_with_residual_branches_that_add_nothing():
    pose = network(36, name="poseconv3d", width=4).eval()
    x_BVTHW = torch.rand(2, 36, 4, 16, 16)
    before_BK = pose(x_BVTHW)
    for stage in pose.stages:
        for block in stage.res_blocks:
            nn.init.normal_(block.branch2.conv_b.weight)
    torch.testing.assert_close(pose(x_BVTHW), before_BK)


@pytest.mark.parametrize("name", NETWORKS)
def test_only_the_head_depends_on_the_classes(name):
    few, many = (
        {key: tuple(value.shape) for key, value in network(3, classes, name=name, width=8).state_dict().items()}
        for classes in (5, 9)
    )
    assert {key for key in few if few[key] != many[key]} == {key for key in few if key.startswith("head.")}


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


def test_video_swin_refuses_heatmaps():
    with pytest.raises(ValueError, match="3 channels, not 36"):
        network(36, name="video_swin", width=8)
