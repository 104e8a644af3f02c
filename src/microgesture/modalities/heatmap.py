"""Heatmap volumes of joints and limbs, rendered in the training step (PoseConv3D, CVPR 2022, arXiv 2104.13586).

The value of a joint is exp(-d^2 / (2 sigma^2)) * confidence, with d the distance to the joint. The value of a limb is
the same, with d the distance to the segment between its two joints and the lower of their confidences. As in the
published code (kennymckormick/pyskl), values are written only within 3 sigma of the joint, or of the box around the
limb; a limb shorter than one pixel is rendered as its first joint; a confidence below 0.001 renders nothing.
"""

from collections.abc import Sequence

import numba
import numpy as np
import torch

FAINTEST = 1e-3  # confidence below which nothing is rendered
NEGLIGIBLE = 15.0  # exponent beyond which a value is below 1e-6 and is not computed


def joint_heatmaps(keypoints_BTVC: torch.Tensor, size: int, sigma: float = 0.6) -> torch.Tensor:
    """Render joint volumes float32 (B, V, T, size, size) of keypoints (B, T, V, 3), x and y in pixels of that grid.

    ``sigma`` is also in pixels; the confidence is the value of the peak. A CPU computes only the pixels around each
    joint; a GPU computes the whole grid, which is faster there.
    """
    if keypoints_BTVC.is_cuda:
        return joint_heatmaps_everywhere(keypoints_BTVC, size, sigma)
    B, T, V, _ = keypoints_BTVC.shape
    heat_BVTHW = np.zeros((B, V, T, size, size), np.float32)
    _draw_joints(_as_array(keypoints_BTVC), np.float32(sigma), heat_BVTHW)
    return torch.from_numpy(heat_BVTHW)


def limb_heatmaps(
    keypoints_BTVC: torch.Tensor, edges: Sequence[tuple[int, int]], size: int, sigma: float = 0.6
) -> torch.Tensor:
    """Render limb volumes float32 (B, E, T, size, size), one for each pair of joints in ``edges``.

    See ``joint_heatmaps`` for the rest.
    """
    if keypoints_BTVC.is_cuda:
        return limb_heatmaps_everywhere(keypoints_BTVC, edges, size, sigma)
    B, T, _, _ = keypoints_BTVC.shape
    heat_BETHW = np.zeros((B, len(edges), T, size, size), np.float32)
    _draw_limbs(_as_array(keypoints_BTVC), np.array(edges, np.int64), np.float32(sigma), heat_BETHW)
    return torch.from_numpy(heat_BETHW)


def _as_array(keypoints_BTVC: torch.Tensor) -> np.ndarray:
    """Convert to contiguous float32, so that each kernel below is compiled for one signature only."""
    return np.ascontiguousarray(keypoints_BTVC.detach().numpy(), np.float32)


def joint_heatmaps_everywhere(keypoints_BTVC: torch.Tensor, size: int, sigma: float) -> torch.Tensor:
    """Compute ``joint_heatmaps`` with whole-tensor operations, on the device of the keypoints."""
    x_BVT1, y_BVT1, confidence_BVT1 = keypoints_BTVC.float().transpose(1, 2).split(1, dim=-1)
    across_BVTW = _profile(x_BVT1, size, sigma)
    down_BVTH = _profile(y_BVT1, size, sigma) * _seen(confidence_BVT1)
    return down_BVTH[..., :, None] * across_BVTW[..., None, :]


def limb_heatmaps_everywhere(
    keypoints_BTVC: torch.Tensor, edges: Sequence[tuple[int, int]], size: int, sigma: float
) -> torch.Tensor:
    """Compute ``limb_heatmaps`` with whole-tensor operations, on the device of the keypoints."""
    first, second = torch.tensor(edges, device=keypoints_BTVC.device).unbind(1)
    keypoints_BVTC = keypoints_BTVC.float().transpose(1, 2)
    # One clip at a time: a whole batch would need several times the memory of the volume.
    drawn = [_limbs_of_clip(clip_VTC[first], clip_VTC[second], size, sigma) for clip_VTC in keypoints_BVTC]
    return torch.stack(drawn)


def _limbs_of_clip(first_ETC: torch.Tensor, second_ETC: torch.Tensor, size: int, sigma: float) -> torch.Tensor:
    confidence_ET1 = _seen(torch.minimum(first_ETC[..., 2:], second_ETC[..., 2:]))
    along_ET2 = second_ETC[..., :2] - first_ETC[..., :2]
    length_ET1 = along_ET2.square().sum(-1, keepdim=True)
    short_ET1 = length_ET1 < 1
    confidence_ET1 = torch.where(short_ET1 & (confidence_ET1 > 0), first_ETC[..., 2:], confidence_ET1)
    along_ET2 = along_ET2.masked_fill(short_ET1, 0)
    end_ET2 = torch.where(short_ET1, first_ETC[..., :2], second_ETC[..., :2])
    grid_W = torch.arange(size, device=first_ETC.device, dtype=torch.float32)
    dx_ETW, dy_ETH = grid_W - first_ETC[..., :1], grid_W - first_ETC[..., 1:2]
    step_ET2 = along_ET2 / length_ET1.clamp(min=1)
    where_ETHW = (dy_ETH * step_ET2[..., 1:])[..., :, None] + (dx_ETW * step_ET2[..., :1])[..., None, :]
    where_ETHW = where_ETHW.clamp_(0, 1)
    dx_ETHW = dx_ETW[..., None, :] - where_ETHW * along_ET2[..., :1, None]
    dy_ETHW = dy_ETH[..., :, None] - where_ETHW.mul_(along_ET2[..., 1:, None])
    heat_ETHW = dx_ETHW.square_().add_(dy_ETHW.square_()).mul_(-0.5 / sigma**2).exp_()
    low_ET2, high_ET2 = torch.minimum(first_ETC[..., :2], end_ET2), torch.maximum(first_ETC[..., :2], end_ET2)
    across_ETW = _window(low_ET2[..., :1], high_ET2[..., :1], size, sigma) * confidence_ET1
    down_ETH = _window(low_ET2[..., 1:], high_ET2[..., 1:], size, sigma)
    return heat_ETHW.mul_(across_ETW[..., None, :]).mul_(down_ETH[..., :, None])


def _seen(confidence: torch.Tensor) -> torch.Tensor:
    return confidence.masked_fill(confidence < FAINTEST, 0)


def _window(low: torch.Tensor, high: torch.Tensor, size: int, sigma: float) -> torch.Tensor:
    """Return 1 on the pixels (..., size) that the published code writes, else 0; it truncates both ends to integers."""
    grid = torch.arange(size, device=low.device, dtype=torch.float32)
    return ((grid >= (low - 3 * sigma).trunc()) & (grid <= (high + 3 * sigma).trunc())).float()


def _profile(centre: torch.Tensor, size: int, sigma: float) -> torch.Tensor:
    """Return the Gaussian along one axis, (..., size)."""
    grid = torch.arange(size, device=centre.device, dtype=torch.float32)
    return torch.exp((grid - centre).square() * (-0.5 / sigma**2)) * _window(centre, centre, size, sigma)


@numba.njit(inline="always")
def _reach(low, high, sigma, size):
    """Return the first and the last-plus-one pixel within 3 sigma, both truncated towards zero."""
    return max(int(low - 3 * sigma), 0), min(int(high + 3 * sigma) + 1, size)


@numba.njit(inline="always")
def _draw_joint(x, y, confidence, sigma, heat_HW):
    height, width = heat_HW.shape
    left, right = _reach(x, x, sigma, width)
    top, bottom = _reach(y, y, sigma, height)
    across = np.float32(-0.5) / (sigma * sigma)
    for row in range(top, bottom):
        down = confidence * np.exp(across * (row - y) * (row - y))
        for column in range(left, right):
            heat_HW[row, column] = down * np.exp(across * (column - x) * (column - x))


@numba.njit(cache=True, nogil=True)
def _draw_joints(keypoints_BTVC, sigma, heat_BVTHW):
    B, T, V, _ = keypoints_BTVC.shape
    for b in range(B):
        for v in range(V):
            for t in range(T):
                x, y, confidence = keypoints_BTVC[b, t, v]
                if confidence >= FAINTEST:
                    _draw_joint(x, y, confidence, sigma, heat_BVTHW[b, v, t])


@numba.njit(cache=True, nogil=True)
def _draw_limbs(keypoints_BTVC, edges, sigma, heat_BETHW):
    B, T, _, _ = keypoints_BTVC.shape
    size = heat_BETHW.shape[-1]
    scale = np.float32(-0.5) / (sigma * sigma)
    for b in range(B):
        for e in range(len(edges)):
            for t in range(T):
                ax, ay, first = keypoints_BTVC[b, t, edges[e, 0]]
                bx, by, second = keypoints_BTVC[b, t, edges[e, 1]]
                confidence = min(first, second)
                if confidence < FAINTEST:
                    continue
                dx, dy = bx - ax, by - ay
                length = dx * dx + dy * dy
                if length < 1:
                    _draw_joint(ax, ay, first, sigma, heat_BETHW[b, e, t])
                    continue
                left, right = _reach(min(ax, bx), max(ax, bx), sigma, size)
                top, bottom = _reach(min(ay, by), max(ay, by), sigma, size)
                over_length = np.float32(1) / length
                level = abs(dy) < 0.1
                slope = np.float32(0) if level else dx / dy
                band = np.float32(0) if level else np.sqrt(-NEGLIGIBLE / scale * length) / abs(dy)
                for row in range(top, bottom):
                    start, stop = left, right
                    if not level:
                        # The line crosses this row at middle; farther away than the band, values are negligible.
                        middle = ax + (row - ay) * slope
                        start, stop = max(left, int(middle - band)), min(right, int(middle + band) + 2)
                    for column in range(start, stop):
                        px, py = np.float32(column) - ax, np.float32(row) - ay
                        where = min(max((px * dx + py * dy) * over_length, np.float32(0)), np.float32(1))
                        px -= where * dx
                        py -= where * dy
                        exponent = scale * (px * px + py * py)
                        if exponent > -NEGLIGIBLE:
                            heat_BETHW[b, e, t, row, column] = confidence * np.exp(exponent)
