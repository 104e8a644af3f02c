import numpy as np
import pytest
import torch

from microgesture.config.recipes import Recipe
from microgesture.skeletons.selections import SELECTIONS, selection_named
from microgesture.streams.augment import (
    flow_image,
    input_channels,
    mirror_flow,
    mirror_image,
    mirror_keypoints,
    network_input,
    relight,
)
from microgesture.streams.samples import Sample

ALL = torch.tensor([True, True])
NONE = ~ALL


def batch(*data: torch.Tensor, mirror: torch.Tensor, light: float = 1.0) -> Sample:
    ones = torch.ones(len(mirror))
    return Sample(data, mirror, light * ones, light * ones, torch.zeros(len(mirror)), torch.arange(len(mirror)), ones)


def random_keypoints(name: str) -> torch.Tensor:
    generator = torch.Generator().manual_seed(0)
    keypoints_BTVC = torch.rand(2, 3, len(selection_named(name).joints), 3, generator=generator)
    keypoints_BTVC[..., 2] = 0.5 + keypoints_BTVC[..., 2] / 2
    keypoints_BTVC[0, :, ::5] = 0  # some are missing
    return keypoints_BTVC


@pytest.mark.parametrize("name", SELECTIONS)
def test_keypoints_mirrored_twice_are_the_same(name):
    keypoints_BTVC = random_keypoints(name)
    once = mirror_keypoints(keypoints_BTVC, ALL, selection_named(name))
    assert not torch.allclose(once, keypoints_BTVC)
    torch.testing.assert_close(mirror_keypoints(once, ALL, selection_named(name)), keypoints_BTVC)


@pytest.mark.parametrize("name", SELECTIONS)
def test_a_right_joint_becomes_the_left_one_on_the_other_side(name):
    joints = selection_named(name).joints
    right = next(joint for joint in joints if joint.startswith("right "))
    left = right.replace("right", "left")
    keypoints_BTVC = torch.zeros(2, 1, len(joints), 3)
    keypoints_BTVC[:, 0, joints.index(right)] = torch.tensor([0.2, 0.6, 0.9])
    mirrored_BTVC = mirror_keypoints(keypoints_BTVC, torch.tensor([True, False]), selection_named(name))
    expected_VC = torch.zeros(len(joints), 3)
    expected_VC[joints.index(left if left in joints else right)] = torch.tensor([0.8, 0.6, 0.9])
    torch.testing.assert_close(mirrored_BTVC[0, 0], expected_VC)
    torch.testing.assert_close(mirrored_BTVC[1], keypoints_BTVC[1])


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("input", ["joint", "limb"])
def test_mirrored_heatmaps_are_the_heatmaps_in_a_mirror(input, training):
    selection, recipe = selection_named("36"), Recipe(size=24, sigma=0.8)
    limbs, flip = list(map(set, selection.edges)), selection.flip
    order = list(flip) if input == "joint" else [limbs.index({flip[a], flip[b]}) for a, b in selection.edges]
    keypoints_BTVC = random_keypoints("36")
    keypoints_BTVC[..., 2] = keypoints_BTVC[..., 2].ceil()  # both ends of a limb are equally sure
    (plain_BVTHW,), (mirrored_BVTHW,) = (
        network_input(batch(keypoints_BTVC, mirror=mirror), (input,), recipe, selection, training=training)
        for mirror in (NONE, ALL)
    )
    expected_BVTHW = plain_BVTHW[:, order].flip(-1)
    assert plain_BVTHW.shape == (2, *input_channels((input,), selection), 3, 24, 24)
    if training:  # as published: x becomes size - x, so that the pixel 0 would become the pixel 24
        mirrored_BVTHW, expected_BVTHW = mirrored_BVTHW[..., 1:], expected_BVTHW[..., :-1]
    # a heatmap ends at 3 sigma rounded towards zero, where it is worth exp(-4.5): the mirror rounds the other way
    torch.testing.assert_close(mirrored_BVTHW, expected_BVTHW, atol=0.012 if training else 1e-5, rtol=0)


def test_flow_in_a_mirror_moves_the_other_way_on_the_other_side():
    flow_BTHWC = torch.zeros(2, 1, 4, 4, 2)
    flow_BTHWC[:, 0, 1, 0] = torch.tensor([0.3, 0.1])  # to the right and down, at the left edge
    mirrored_BTHWC = mirror_flow(flow_BTHWC, ALL)
    torch.testing.assert_close(mirrored_BTHWC[0, 0, 1, 3], torch.tensor([-0.3, 0.1]))
    assert mirrored_BTHWC.abs().sum() == pytest.approx(flow_BTHWC.abs().sum().item())
    torch.testing.assert_close(mirror_flow(mirrored_BTHWC, ALL), flow_BTHWC)
    torch.testing.assert_close(mirror_flow(flow_BTHWC, NONE), flow_BTHWC)


def test_image_in_a_mirror():
    x_BTHWC = torch.arange(2 * 2 * 3 * 4 * 3.0).reshape(2, 2, 3, 4, 3)
    mirrored_BTHWC = mirror_image(x_BTHWC, torch.tensor([True, False]))
    torch.testing.assert_close(mirrored_BTHWC[0, :, :, 0], x_BTHWC[0, :, :, 3])
    torch.testing.assert_close(mirrored_BTHWC[1], x_BTHWC[1])
    torch.testing.assert_close(mirror_image(mirrored_BTHWC, torch.tensor([True, False])), x_BTHWC)


def test_flow_becomes_direction_and_speed_relative_to_the_bound():
    image_C = flow_image(torch.tensor([[[[[0.03, -0.04]]]]]), bound=0.1)[0, 0, 0, 0]
    torch.testing.assert_close(image_C, torch.tensor([0.3, -0.4, 0.5]))
    fast_C = flow_image(torch.tensor([[[[[-0.5, 0.0]]]]]), bound=0.1)[0, 0, 0, 0]
    torch.testing.assert_close(fast_C, torch.tensor([-1.0, 0.0, 1.0]))


def test_relight_scales_the_mean_and_the_spread():
    x_BTHWC = torch.rand(2, 2, 3, 4, 3) * 200
    ones = torch.ones(2)
    torch.testing.assert_close(relight(x_BTHWC, ones, ones), x_BTHWC)
    brighter_BTHWC = relight(x_BTHWC, 1.2 * ones, 2 * ones)
    torch.testing.assert_close(brighter_BTHWC.mean((1, 2, 3, 4)), 1.2 * x_BTHWC.mean((1, 2, 3, 4)))
    torch.testing.assert_close(brighter_BTHWC.std((1, 2, 3, 4)), 2.4 * x_BTHWC.std((1, 2, 3, 4)))


@pytest.mark.parametrize("channels", [1, 3])
def test_images_are_normalised_to_three_channels(channels):
    recipe = Recipe(mean=(10, 20, 30), std=(1, 2, 4))
    data_BTHWC = torch.from_numpy(np.full((2, 5, 8, 8, channels), 50, np.uint8))
    inputs = ("depth",) if channels == 1 else ("rgb",)
    (x_BCTHW,) = network_input(batch(data_BTHWC, mirror=NONE), inputs, recipe, None)
    assert x_BCTHW.shape == (2, 3, 5, 8, 8)
    torch.testing.assert_close(x_BCTHW[0, :, 0, 0, 0], torch.tensor([40.0, 15.0, 5.0]))


@pytest.mark.parametrize(
    ("modality", "changed"), [("rgb", True), ("face", True), ("taylor", False), ("depth", False), ("flow", False)]
)
def test_light_changes_in_pictures_alone(modality, changed):
    generator = torch.Generator().manual_seed(0)
    channels = {"depth": 1, "flow": 2}.get(modality, 3)
    data_BTHWC = torch.randint(0, 255, (2, 2, 4, 4, channels), generator=generator).float() / 5000
    plain, relit = (
        network_input(batch(data_BTHWC, mirror=NONE, light=light), (modality,), Recipe(), None)[0] for light in (1, 1.3)
    )
    assert torch.equal(plain, relit) != changed


@pytest.mark.parametrize("mirror", [NONE, ALL, torch.tensor([True, False])])
def test_a_pair_is_what_each_of_its_inputs_is_alone(mirror):
    selection, recipe = selection_named("36"), Recipe(size=32, heatmap_size=16, heatmap_frames=96)
    keypoints_BTVC = random_keypoints("36")
    generator = torch.Generator().manual_seed(1)
    images_BTHWC = torch.randint(0, 256, (2, 3, 32, 32, 3), generator=generator).to(torch.uint8)
    pair = network_input(
        batch(images_BTHWC, keypoints_BTVC, mirror=mirror, light=1.2), ("rgb", "limb"), recipe, selection
    )
    (images,) = network_input(batch(images_BTHWC, mirror=mirror, light=1.2), ("rgb",), recipe, selection)
    small = recipe.model_copy(update={"size": 16})
    (heat,) = network_input(batch(keypoints_BTVC, mirror=mirror), ("limb",), small, selection)
    assert torch.equal(pair[0], images)
    assert torch.equal(pair[1], heat)
    assert input_channels(("rgb", "limb"), selection) == (3, len(selection.edges))
    assert heat.shape == (2, len(selection.edges), 3, 16, 16)
