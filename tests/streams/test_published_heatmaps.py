"""The whole test pipeline of PoseConv3D against pyskl's formulas, from keypoints in a picture to heatmaps.

PoseCompact: the extent of all points, times 1.25, made square, truncated to pixels. Resize: a joint at x of a box of
width w comes to x * 64 / w. GeneratePoseTarget: exp(-d^2 / (2 sigma^2)) * score at whole pixels from int(m - 3 sigma)
to int(m + 3 sigma), with sigma 0.6. The second half of the test views are the first in a mirror, sides exchanged.
"""

import numpy as np
import pytest
import torch

from fixtures.training_clips import draw_keypoints, make_clips, make_step
from microgesture.skeletons.selections import selection_named
from microgesture.storage.shards import write_shard
from microgesture.streams.augment import step_input
from microgesture.streams.batches import load_batches
from microgesture.streams.samples import ClipDataset

SIZE, SIGMA = 64, 0.6


def published(keypoints_TVC):
    x_TV, y_TV, score_TV = np.moveaxis(keypoints_TVC.astype(np.float64), -1, 0)
    half = 1.25 / 2 * max(x_TV.max() - x_TV.min(), y_TV.max() - y_TV.min())
    middle_x, middle_y = (x_TV.max() + x_TV.min()) / 2, (y_TV.max() + y_TV.min()) / 2
    left, top, right, bottom = (int(v) for v in (middle_x - half, middle_y - half, middle_x + half, middle_y + half))
    x_TV, y_TV = (x_TV - left) * SIZE / (right - left), (y_TV - top) * SIZE / (bottom - top)
    heat_VTHW = np.zeros((*x_TV.T.shape, SIZE, SIZE))
    for t, v in np.ndindex(x_TV.shape):
        x, y = x_TV[t, v], y_TV[t, v]
        for column in range(max(int(x - 3 * SIGMA), 0), min(int(x + 3 * SIGMA) + 1, SIZE)):
            for row in range(max(int(y - 3 * SIGMA), 0), min(int(y + 3 * SIGMA) + 1, SIZE)):
                distance2 = (column - x) ** 2 + (row - y) ** 2
                heat_VTHW[v, t, row, column] = np.exp(-distance2 / 2 / SIGMA**2) * score_TV[t, v]
    return heat_VTHW


@pytest.mark.parametrize("mirror", [False, True])
def test_the_test_pipeline_of_poseconv3d_is_pyskls(tmp_path, mirror):
    keypoints_TVC = draw_keypoints(0, 5, n_frames=4)  # as many frames as the network sees: all of them, in order
    keypoints_TVC[..., 2] = np.random.default_rng(0).uniform(0.2, 1, keypoints_TVC.shape[:2])
    write_shard(tmp_path / "keypoints.arrow", [("c0", keypoints_TVC)], "zstd")
    step = make_step("joint", frames=4, size=56, test_size=SIZE, sigma=SIGMA, num_clips=1)
    clips = make_clips(["test"], [0], 4)
    dataset = ClipDataset(clips.usable, {"keypoints": [tmp_path / "keypoints.arrow"]}, step, training=False)
    (batch,) = load_batches(dataset, [dataset.test_keys()], torch.device("cpu"))
    (heat_BVTHW,) = step_input(batch._replace(mirror=torch.tensor([mirror])), step, training=False)
    expected_VTHW = published(keypoints_TVC)
    if mirror:
        expected_VTHW = expected_VTHW[list(selection_named("36").flip), :, :, ::-1]
    error = np.linalg.norm(heat_BVTHW[0].numpy() - expected_VTHW) / np.linalg.norm(expected_VTHW)
    assert error < 1e-4
