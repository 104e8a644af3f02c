import numpy as np
import pytest
import torch

from microgesture.skeletons.graph import parents
from microgesture.skeletons.input import bone_vectors, mirror_points, motion, skeleton_input
from microgesture.skeletons.selections import SELECTIONS, Selection, selection_named

ALL = torch.tensor([True, True])
MODALITIES = ("skeleton", "bone", "direction", "motion")


def random_points(name: str, T: int = 9) -> torch.Tensor:
    generator = torch.Generator().manual_seed(0)
    points_BTVC = torch.randn(2, T, len(selection_named(name).joints), 3, generator=generator)
    points_BTVC[..., 2] = 0.5 + points_BTVC[..., 2].sigmoid() / 2
    points_BTVC[torch.rand(points_BTVC.shape[:3], generator=generator) < 0.2] = 0
    return points_BTVC


@pytest.mark.parametrize("name", SELECTIONS)
@pytest.mark.parametrize("modality", MODALITIES)
def test_channels_and_shape(name, modality):
    points_BTVC = random_points(name)
    x_BCTV = skeleton_input(points_BTVC, ~ALL, modality, selection_named(name))
    assert x_BCTV.shape == (2, 3, 9, points_BTVC.shape[2])


@pytest.mark.parametrize("name", SELECTIONS)
@pytest.mark.parametrize("modality", MODALITIES)
def test_what_is_missing_is_all_zero(name, modality):
    x_BCTV = skeleton_input(random_points(name), ~ALL, modality, selection_named(name))
    assert not (x_BCTV * (x_BCTV[:, -1:] == 0)).any()
    assert (x_BCTV[:, -1] == 0).any()


@pytest.mark.parametrize("name", SELECTIONS)
def test_points_mirrored_twice_are_the_same(name):
    points_BTVC = random_points(name)
    once = mirror_points(points_BTVC, ALL, selection_named(name))
    assert not torch.allclose(once, points_BTVC)
    torch.testing.assert_close(mirror_points(once, ALL, selection_named(name)), points_BTVC)


def test_only_the_clips_that_say_so_are_mirrored():
    selection = selection_named("36")
    points_BTVC = random_points("36")
    mirrored_BTVC = mirror_points(points_BTVC, torch.tensor([False, True]), selection)
    torch.testing.assert_close(mirrored_BTVC[0], points_BTVC[0])
    left, right = selection.joints.index("left elbow"), selection.joints.index("right elbow")
    torch.testing.assert_close(mirrored_BTVC[1, :, left, 0], -points_BTVC[1, :, right, 0])
    torch.testing.assert_close(mirrored_BTVC[1, :, left, 1:], points_BTVC[1, :, right, 1:])


def test_bones_mirror_as_points_do():
    # In hands no limb closes a circle, so each joint and its mirror image hang from mirror images.
    selection = selection_named("42")
    points_BTVC = random_points("42")
    mirrored_bones = mirror_points(bone_vectors(points_BTVC, selection), ALL, selection)
    bones_of_mirrored = bone_vectors(mirror_points(points_BTVC, ALL, selection), selection)
    torch.testing.assert_close(mirrored_bones, bones_of_mirrored)


def test_bones_by_hand():
    selection = Selection("chain", ("nose", "neck", "right shoulder"), ((1, 0), (1, 2)), "a test's")
    points_BTVC = torch.tensor([[[[1.0, 5.0, 0.4], [4.0, 1.0, 0.9], [0.0, 0.0, 0.0]]]])
    expected_VC = torch.tensor([[-3.0, 4.0, 0.4], [0, 0, 0], [0, 0, 0]])  # neck is the root, the shoulder is missing
    torch.testing.assert_close(bone_vectors(points_BTVC, selection)[0, 0], expected_VC)


def test_bones_and_motions_are_enlarged_and_their_confidence_is_not():
    selection, points_BTVC = selection_named("36"), random_points("36")
    for modality, vectors_BTVC in (("bone", bone_vectors(points_BTVC, selection)), ("motion", motion(points_BTVC))):
        x_BCTV = skeleton_input(points_BTVC, ~ALL, modality, selection)
        torch.testing.assert_close(x_BCTV[:, :2], 3 * vectors_BTVC[..., :2].permute(0, 3, 1, 2))
        torch.testing.assert_close(x_BCTV[:, 2], vectors_BTVC[..., 2])


def test_directions_are_bones_of_length_one():
    selection, points_BTVC = selection_named("36"), random_points("36")
    bones_BCTV = skeleton_input(points_BTVC, ~ALL, "bone", selection)
    directions_BCTV = skeleton_input(points_BTVC, ~ALL, "direction", selection)
    lengths_BTV = bones_BCTV[:, :2].norm(dim=1)
    torch.testing.assert_close(directions_BCTV[:, :2] * lengths_BTV[:, None], bones_BCTV[:, :2])
    torch.testing.assert_close(directions_BCTV[:, :2].norm(dim=1), (directions_BCTV[:, 2] > 0).float())
    stretched_BTVC = points_BTVC * torch.tensor((7.0, 7.0, 1.0))
    torch.testing.assert_close(skeleton_input(stretched_BTVC, ~ALL, "direction", selection), directions_BCTV)


def limbs_of(points_TVC: np.ndarray, selection: Selection) -> np.ndarray:
    """The limbs as vectors (T, E, 3) from first to second joint with the lower confidence, zero without both joints."""
    first_TEC, second_TEC = (points_TVC[:, list(ends)] for ends in zip(*selection.edges, strict=True))
    limbs_TEC = second_TEC - first_TEC
    limbs_TEC[..., 2] = np.minimum(first_TEC[..., 2], second_TEC[..., 2])
    return np.where(limbs_TEC[..., 2:] > 0, limbs_TEC, 0)


@pytest.mark.parametrize("name", SELECTIONS)
def test_bones_are_the_limbs_that_the_tree_is_made_of(name):
    selection = selection_named(name)
    points_BTVC = random_points(name)
    found = bone_vectors(points_BTVC, selection)[0].numpy()
    limbs_TEC = limbs_of(points_BTVC[0].numpy(), selection)
    compared = 0
    for joint, parent in enumerate(parents(selection)):
        for sign, edge in ((1, (parent, joint)), (-1, (joint, parent))):
            if edge in selection.edges:
                expected_TC = limbs_TEC[:, selection.edges.index(edge)] * (sign, sign, 1)
                np.testing.assert_allclose(found[:, joint], expected_TC, atol=1e-6)
                compared += 1
    assert compared >= len(selection.joints) - 2


def test_motion_of_steady_movement():
    points_BTVC = torch.zeros(1, 10, 2, 3)
    points_BTVC[0, :, 0, 0] = 0.5 * torch.arange(10.0)
    points_BTVC[0, :, 0, 2] = 1
    moved_TC = motion(points_BTVC, gap=4)[0, :, 0]
    expected_TC = torch.zeros(10, 3)
    expected_TC[2:8] = torch.tensor([2.0, 0.0, 1.0])
    torch.testing.assert_close(moved_TC, expected_TC)
    assert not motion(points_BTVC, gap=4)[0, :, 1].any()


def test_motion_into_or_out_of_nowhere_is_missing():
    points_BTVC = torch.ones(1, 10, 1, 3)
    points_BTVC[0, 5] = 0
    assert motion(points_BTVC, gap=4)[0, :, 0, 2].nonzero().flatten().tolist() == [2, 4, 5, 6]


def test_clips_shorter_than_the_gap_have_no_motion():
    assert not motion(torch.ones(1, 3, 2, 3), gap=4).any()
