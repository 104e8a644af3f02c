import pytest
import torch
from pydantic import TypeAdapter, ValidationError
from torch import nn

from microgesture.config.networks import Network
from microgesture.networks import build
from microgesture.networks.compat import prepare_torchvision

prepare_torchvision()

from torchvision.models.video import mvit, mvit_v2_s  # noqa: E402

SMALL = {"width": 8, "depths": (1, 1, 1), "frames": 4, "side": 48}


def network(classes: int = 7, **settings: object) -> nn.Module:
    torch.manual_seed(0)
    return build(TypeAdapter(Network).validate_python({"name": "mvit", **settings}), (3,), classes)


def awake(module: nn.Module) -> nn.Module:
    """In eval mode with tables of positions and norms as after some training, so that each has its say."""
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for name, parameter in module.named_parameters():
            if "rel_pos" in name or parameter.dim() == 1:
                parameter += 0.3 * torch.randn(parameter.shape, generator=generator)
    return module.eval()


def videos(frames: int, side: int) -> torch.Tensor:
    return torch.randn(2, 3, frames, side, side, generator=torch.Generator().manual_seed(2))


def test_small_is_torchvision_s_network():
    with torch.device("meta"):
        own, theirs = network(32, dropout=0.5), mvit_v2_s(num_classes=32)
    assert sum(parameter.numel() for parameter in own.parameters()) == 34_254_752
    shapes, their_shapes = (
        [(name, tensor.shape) for name, tensor in module.state_dict().items()] for module in (own, theirs)
    )
    assert shapes == their_shapes
    for (name, module), (_, their_module) in zip(own.named_modules(), theirs.named_modules(), strict=True):
        if name != "head.0":  # which does not work in place here
            assert settings_of(module) == settings_of(their_module), name


def settings_of(module: nn.Module) -> dict[str, object]:
    """What a module was built with: strides, heads, shares of dropout."""
    return {key: value for key, value in vars(module).items() if not key.startswith("_")}


def test_base_has_its_published_size():
    with torch.device("meta"):
        base = network(400, size="base", frames=32)
    assert round(sum(parameter.numel() for parameter in base.parameters()) / 1e6, 1) == 51.2


@torch.no_grad()
def test_the_class_token_of_torchvision_s_network_is_classified():
    own, x_BCTHW = awake(network(**SMALL)), videos(4, 48)
    seen = own.forward_features(x_BCTHW)
    assert torch.equal(seen.logits_BK, mvit.MViT.forward(own, x_BCTHW))
    assert torch.equal(seen.logits_BK, own(x_BCTHW))
    torch.testing.assert_close(own.head(seen.features_BD), seen.logits_BK)
    assert (seen.tokens_BDTN.mean((2, 3)) - seen.features_BD).abs().max() > 0.1


@torch.no_grad()
def test_tokens_are_the_last_block_s_behind_the_class_token():
    own = awake(network(**SMALL))
    shown = []
    own.norm.register_forward_hook(lambda module, given, made: shown.append(made))
    tokens_BDTN = own.forward_features(videos(4, 48)).tokens_BDTN
    assert tokens_BDTN.shape == (2, 32, 2, 9)
    assert torch.equal(tokens_BDTN[:, :, 1, 4], shown[0][:, 1 + 9 + 4])


@pytest.mark.parametrize(
    ("depths", "frames", "side", "tokens"),
    [
        ((2,), 2, 16, (8, 1, 16)),
        ((1, 1), 4, 8, (16, 2, 1)),
        ((1, 1, 1), 8, 48, (32, 4, 9)),
        ((1, 2, 1, 1), 4, 48, (64, 2, 4)),  # 12, 6, 3 and 2 squares to a side
        ((1, 1, 1), 6, 20, (32, 3, 4)),  # 5, 3 and 2
        ((1, 1, 1, 1, 1), 2, 64, (128, 1, 1)),
    ],
)
def test_any_depths_length_and_side(depths, frames, side, tokens):
    own = awake(network(width=8, depths=depths, frames=frames, side=side))
    own.train()
    seen = own.forward_features(videos(frames, side))
    assert seen.tokens_BDTN.shape == (2, *tokens)
    seen.logits_BK.square().sum().backward()
    assert [name for name, parameter in own.named_parameters() if parameter.grad is None] == []
    assert all(parameter.grad.isfinite().all() for parameter in own.parameters())


@pytest.mark.parametrize("settings", [{**SMALL, "depths": (2, 1, 3)}, {"width": 8, "frames": 2}])
@torch.no_grad()
def test_keys_lie_on_the_last_stage_s_grid_and_on_one_twice_as_fine_where_a_stage_begins(settings):
    own = network(**settings)
    last, grids = settings.get("side", 224) // 4 // 2 ** (len(settings.get("depths", range(4))) - 1), []
    for block in own.blocks:
        block.attn.pool_k.register_forward_hook(lambda module, given, made: grids.append(made[1]))
    own.eval()(videos(settings["frames"], settings.get("side", 224))[:1])
    begins = [block.pool_skip is not None for block in own.blocks]
    assert sum(begins) == len(settings.get("depths", range(4))) - 1
    steps = settings["frames"] // 2
    assert grids == [(steps, last * (1 + begin), last * (1 + begin)) for begin in begins]


@torch.no_grad()
def test_dropout_leaves_the_features_as_they_are():
    own = network(**SMALL, drop_path=0, dropout=0.9)
    x_BCTHW = videos(4, 48)
    trained, tested = own.train().forward_features(x_BCTHW), own.eval().forward_features(x_BCTHW)
    assert torch.equal(trained.features_BD, tested.features_BD)
    assert not torch.equal(trained.logits_BK, tested.logits_BK)


@torch.no_grad()
def test_narrow_networks_start_with_blocks_that_say_something():
    own = network(**SMALL | {"width": 24})
    given_BD = torch.randn(500, 24, generator=torch.Generator().manual_seed(3))
    for layer in (own.blocks[0].attn.qkv, own.blocks[0].mlp[0]):
        assert layer(given_BD).std() == pytest.approx(1, rel=0.15)


@pytest.mark.parametrize("shape", [(3, 8, 48, 48), (3, 4, 56, 56), (3, 4, 48, 56), (3, 16, 24, 24)])
def test_videos_of_another_length_or_side_are_refused(shape):
    T, H, W = shape[1:]
    with pytest.raises(ValueError, match=rf"of 2 x 12 x 12 tokens .* {T} frames of {W} x {H}"):
        network(**SMALL)(torch.zeros(1, *shape))


@pytest.mark.parametrize("channels", [(36,), (3, 3)])
def test_anything_but_three_channels_is_refused(channels):
    with pytest.raises(ValueError, match=r"mvit .*3 channels, not"):
        build(TypeAdapter(Network).validate_python({"name": "mvit", **SMALL}), channels, 7)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"depths": (1,)}, "too few blocks"),
        ({"depths": (2, 0)}, "too few blocks"),
        ({"depths": (1, 1, 1), "side": 12}, "side 12 .*3 stages.*at least 16"),
        ({"side": 28}, "side 28 .*4 stages.*at least 32"),
        ({"side": 50}, "multiple of 4"),
        ({"frames": 5}, "multiple of 2"),
    ],
)
def test_settings_that_make_no_network_are_refused(change, sentence):
    with pytest.raises(ValidationError, match=sentence):
        network(**change)
