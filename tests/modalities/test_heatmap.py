import math

import numpy as np
import pytest
import torch

from microgesture.modalities.heatmap import (
    joint_heatmaps,
    joint_heatmaps_everywhere,
    limb_heatmaps,
    limb_heatmaps_everywhere,
)
from microgesture.skeletons.selections import selection_named

SIZE = 20
EDGES = ((0, 1), (1, 2), (3, 0), (4, 4))


def joint_formula(x: float, y: float, confidence: float, sigma: float, size: int) -> np.ndarray:
    """One joint, pixel by pixel in float64."""
    heat_HW = np.zeros((size, size))
    if confidence < 1e-3:
        return heat_HW
    for row in range(max(int(y - 3 * sigma), 0), min(int(y + 3 * sigma) + 1, size)):
        for column in range(max(int(x - 3 * sigma), 0), min(int(x + 3 * sigma) + 1, size)):
            heat_HW[row, column] = math.exp(-((column - x) ** 2 + (row - y) ** 2) / (2 * sigma**2)) * confidence
    return heat_HW


def limb_formula(a: np.ndarray, b: np.ndarray, sigma: float, size: int) -> np.ndarray:
    """One limb, pixel by pixel in float64: the three cases of the distance to a segment."""
    heat_HW = np.zeros((size, size))
    value = min(a[2], b[2])
    if value < 1e-3:
        return heat_HW
    squared = float(((a - b)[:2] ** 2).sum())
    if squared < 1:
        return joint_formula(*a, sigma, size)
    left, right = (int(end(a[0], b[0]) + sign * 3 * sigma) for end, sign in ((min, -1), (max, 1)))
    top, bottom = (int(end(a[1], b[1]) + sign * 3 * sigma) for end, sign in ((min, -1), (max, 1)))
    for row in range(max(top, 0), min(bottom + 1, size)):
        for column in range(max(left, 0), min(right + 1, size)):
            point = np.array([column, row])
            to_a, to_b = ((point - a[:2]) ** 2).sum(), ((point - b[:2]) ** 2).sum()
            share = (to_a - to_b + squared) / 2 / squared
            distance = to_a if share <= 0 else to_b if share >= 1 else to_a - share**2 * squared
            heat_HW[row, column] = math.exp(-distance / (2 * sigma**2)) * value
    return heat_HW


def keypoints(seed: int, spread: float = 6) -> np.ndarray:
    """Two clips of three frames and five joints, some outside of the grid, some missing, some one on the other."""
    rng = np.random.default_rng(seed)
    keypoints_BTVC = rng.uniform(-spread, SIZE + spread, (2, 3, 5, 3))
    keypoints_BTVC[..., 2] = rng.uniform(0, 1, (2, 3, 5))
    keypoints_BTVC[0, 0, 1] = 0
    keypoints_BTVC[0, 1, 2, 2] = 9e-4
    keypoints_BTVC[1, 0, 1, :2] = keypoints_BTVC[1, 0, 0, :2] + 0.5
    keypoints_BTVC[1, 1, 2, 1] = keypoints_BTVC[1, 1, 1, 1]  # a level limb
    keypoints_BTVC[1, 2, 2, 1] = keypoints_BTVC[1, 2, 1, 1] + 0.05  # and one that nearly is
    return keypoints_BTVC.astype(np.float32)


@pytest.mark.parametrize("render", [joint_heatmaps, joint_heatmaps_everywhere])
@pytest.mark.parametrize("sigma", [0.6, 1.5])
@pytest.mark.parametrize("seed", range(4))
def test_joints_are_the_closed_form(render, sigma, seed):
    keypoints_BTVC = keypoints(seed)
    heat_BVTHW = render(torch.from_numpy(keypoints_BTVC), SIZE, sigma)
    assert heat_BVTHW.shape == (2, 5, 3, SIZE, SIZE)
    assert heat_BVTHW.dtype == torch.float32
    for b, t, v in np.ndindex(2, 3, 5):
        expected_HW = joint_formula(*keypoints_BTVC[b, t, v].astype(float), sigma, SIZE)
        np.testing.assert_allclose(heat_BVTHW[b, v, t], expected_HW, atol=1e-5)


@pytest.mark.parametrize("render", [limb_heatmaps, limb_heatmaps_everywhere])
@pytest.mark.parametrize("sigma", [0.6, 1.5])
@pytest.mark.parametrize("seed", range(4))
def test_limbs_are_the_closed_form(render, sigma, seed):
    keypoints_BTVC = keypoints(seed)
    heat_BETHW = render(torch.from_numpy(keypoints_BTVC), EDGES, SIZE, sigma)
    assert heat_BETHW.shape == (2, 4, 3, SIZE, SIZE)
    assert heat_BETHW.dtype == torch.float32
    for b, t, e in np.ndindex(2, 3, 4):
        first, second = (keypoints_BTVC[b, t, joint].astype(float) for joint in EDGES[e])
        expected_HW = limb_formula(first, second, sigma, SIZE)
        np.testing.assert_allclose(heat_BETHW[b, e, t], expected_HW, atol=1e-5)


def test_both_ways_of_rendering_agree_at_the_size_of_the_network():
    rng = np.random.default_rng(5)
    keypoints_BTVC = torch.from_numpy(rng.uniform(0, 56, (1, 4, 36, 3)).astype(np.float32))
    keypoints_BTVC[..., 2] /= 56
    edges = selection_named("36").edges
    near = {"atol": 1e-5, "rtol": 0}
    torch.testing.assert_close(
        joint_heatmaps(keypoints_BTVC, 56), joint_heatmaps_everywhere(keypoints_BTVC, 56, 0.6), **near
    )
    torch.testing.assert_close(
        limb_heatmaps(keypoints_BTVC, edges, 56), limb_heatmaps_everywhere(keypoints_BTVC, edges, 56, 0.6), **near
    )


def test_the_peak_is_the_confidence_and_missing_joints_are_dark():
    keypoints_BTVC = torch.tensor([[[[5.0, 7.0, 0.8], [0.0, 0.0, 0.0], [12.0, 7.0, 0.3]]]])
    joints = joint_heatmaps(keypoints_BTVC, SIZE)
    assert joints[0, 0, 0, 7, 5] == joints.max() == pytest.approx(0.8)
    assert not joints[0, 1].any()
    limbs = limb_heatmaps(keypoints_BTVC, ((0, 2), (0, 1)), SIZE)
    np.testing.assert_allclose(limbs[0, 0, 0, 7, 5:13], 0.3, rtol=1e-6)
    assert not limbs[0, 1].any()


def test_mirrored_keypoints_give_mirrored_volumes():
    # sigma is such that 3 sigma is a whole number of pixels: the published window is cut towards zero, unevenly.
    keypoints_BTVC = torch.from_numpy(keypoints(7, spread=-6).round())
    mirrored_BTVC = keypoints_BTVC.clone()
    mirrored_BTVC[..., 0] = SIZE - 1 - keypoints_BTVC[..., 0]
    heat, mirrored = (limb_heatmaps(k, EDGES, SIZE, 1.0) for k in (keypoints_BTVC, mirrored_BTVC))
    torch.testing.assert_close(mirrored, heat.flip(-1), atol=1e-5, rtol=0)


def test_keypoints_of_any_layout_in_memory_are_read_right():
    keypoints_BTVC = torch.from_numpy(keypoints(3)).double()
    strided = keypoints_BTVC.transpose(1, 2).contiguous().transpose(1, 2)
    assert not strided.is_contiguous()
    expected = joint_heatmaps(keypoints_BTVC.float(), SIZE)
    torch.testing.assert_close(joint_heatmaps(strided, SIZE), expected)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_the_gpu_renders_the_same():
    keypoints_BTVC = torch.from_numpy(keypoints(2))
    joints, limbs = joint_heatmaps(keypoints_BTVC.cuda(), SIZE), limb_heatmaps(keypoints_BTVC.cuda(), EDGES, SIZE)
    assert joints.is_cuda
    assert limbs.is_cuda
    torch.testing.assert_close(joints.cpu(), joint_heatmaps(keypoints_BTVC, SIZE), atol=1e-5, rtol=0)
    torch.testing.assert_close(limbs.cpu(), limb_heatmaps(keypoints_BTVC, EDGES, SIZE), atol=1e-5, rtol=0)
