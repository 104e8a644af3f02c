"""A video and heatmaps of one clip: a joint lies where it is in the picture, through every stage of both."""

import numpy as np
import pytest
import torch

from fixtures.release_files import write_lines, write_video
from fixtures.training_clips import make_step
from microgesture.corpora import list_clips
from microgesture.modalities.rgb import make_rgb
from microgesture.skeletons.selections import selection_named
from microgesture.storage.shards import Shard, write_shard
from microgesture.streams.augment import network_input
from microgesture.streams.batches import load_batches
from microgesture.streams.samples import ClipDataset

N_FRAMES, WIDTH, HEIGHT, SIZE, MARGIN = 12, 160, 120, 48, 0.3
HALF = 0.5  # of a pixel
STEPS = np.arange(N_FRAMES)
SEED_255 = [0, 1, 3, 5, 7, 8, 9, 10]  # pyskl's sampling of 8 frames of a clip of 12 in testing
# Where a joint is in each frame, in pixels of the source, and the shape that its clip is stored in.
PATHS = {
    "in the middle": (np.stack([50 + 4 * STEPS, 70 - 3 * STEPS], 1), (64, 64)),
    "in a corner, so that the box leaves the frame": (np.stack([5 + 5 * STEPS, 118 - 2 * STEPS], 1), (64, 64)),
    "nowhere else, so that the whole frame is kept": (np.stack([90 + 0 * STEPS, 40 + 0 * STEPS], 1), (64, 85)),
}


FULL = (PATHS["in the middle"][0], (64, 85))  # a person whose clip is stored as full frames
CUT = [(path, MARGIN) for path in PATHS.values()] + [(FULL, None)]
NAMES = [*PATHS, "in a full frame"]


def pair_of(folder, path_T2, stored, margin=MARGIN, **recipe):
    """The data set of a clip with one bright dot, which is a joint: a real video, cut by the real stage."""
    root = folder / "corpus"
    frames_THWC = np.full((N_FRAMES, HEIGHT, WIDTH, 3), 30, np.uint8)
    keypoints_TVC = np.zeros((N_FRAMES, 36, 3), np.float32)
    keypoints_TVC[:, 4] = np.concatenate([path_T2, np.ones((N_FRAMES, 1))], 1)
    for frame_HWC, (x, y) in zip(frames_THWC, path_T2, strict=True):
        frame_HWC[max(y - 2, 0) : y + 3, max(x - 2, 0) : x + 3] = 230
    write_video(root / "a.mp4", frames_THWC)
    write_lines(root / "clips.csv", ["clip_id,split,label,video", "c,train,x,a.mp4"])
    clips = list_clips("mine", "manifest", root, 1)
    files = {"rgb": [folder / "rgb.arrow"], "keypoints": [folder / "keypoints.arrow"]}
    write_shard(files["keypoints"][0], [("c", keypoints_TVC)], "zstd")
    make_rgb(clips, 0, root, files["keypoints"][0], files["rgb"][0], folder / "scratch", 64, margin)
    assert Shard(files["rgb"][0]).shape("c") == (N_FRAMES, *stored, 3)
    plain = {"size": SIZE, "heatmap_size": SIZE, "sigma": 1, "mean": (0, 0, 0), "std": (1, 1, 1), "color_jitter": 0}
    step = make_step("rgb", "joint", **plain | recipe).model_copy(update={"margin": margin})
    training = "num_clips" not in recipe
    views = {} if training else {"num_clips": recipe["num_clips"], "num_crops": recipe["num_crops"]}
    return step, ClipDataset(clips.usable, files, step, training=training, **views)


def shown(step, dataset, keys):
    (batch,) = load_batches(dataset, [keys], torch.device("cpu"))
    return batch, *network_input(batch, step.inputs, step.recipe, selection_named("36"))


def centres(x_BTHW):
    """Where the brightness of each picture lies, (B, T, 2) as x and y, in pixels; NaN where it is dark all over."""
    x_BTHW = x_BTHW.double()
    grid = torch.arange(SIZE, dtype=torch.float64)
    total_BT = x_BTHW.sum((2, 3))
    return torch.stack([(x_BTHW.sum(2) * grid).sum(2) / total_BT, (x_BTHW.sum(3) * grid).sum(2) / total_BT], 2)


def assert_dots_agree(x_BCTHW, heat_BVTHW):
    """The dot and its heatmap are at one place wherever all of both is to be seen; how many such pictures there are.

    As published, a heatmap is half of its pixels to the right of and below the picture.
    """
    bright_BTHW = (x_BCTHW.mean(1) - 90).clamp(min=0)
    dot_BT2, peak_BT2 = centres(bright_BTHW), centres(heat_BVTHW.amax(1)) - HALF
    inside_BT = ((peak_BT2 > 5) & (peak_BT2 < SIZE - 6)).all(2)
    apart_N2 = (dot_BT2 - peak_BT2)[inside_BT]
    assert apart_N2.abs().max() < 0.75  # pixels of the network's input
    assert apart_N2.mean(0).abs().max() < 0.25  # and no shift to one side
    return int(inside_BT.sum())


@pytest.mark.parametrize(("path", "margin"), CUT, ids=NAMES)
def test_a_joint_is_where_it_is_in_the_picture_in_any_crop_and_mirror(tmp_path, path, margin):
    step, dataset = pair_of(tmp_path, *path, margin, frames=N_FRAMES, heatmap_frames=N_FRAMES, crop_area=(0.3, 1.0))
    batch, x_BCTHW, heat_BVTHW = shown(step, dataset, [(0, draw) for draw in range(40)])
    assert batch.data[0].dtype == torch.uint8  # what is stored in bytes travels in bytes
    assert x_BCTHW.shape == (40, 3, N_FRAMES, SIZE, SIZE)
    assert heat_BVTHW.shape == (40, 36, N_FRAMES, SIZE, SIZE)
    assert 10 < batch.mirror.sum() < 30
    assert assert_dots_agree(x_BCTHW, heat_BVTHW) > 100


@pytest.mark.parametrize(("path", "margin"), CUT, ids=NAMES)
def test_a_joint_is_where_it_is_in_the_picture_in_each_crop_of_testing(tmp_path, path, margin):
    views = {"num_clips": 3, "num_crops": 3}
    step, dataset = pair_of(tmp_path, *path, margin, frames=N_FRAMES, heatmap_frames=N_FRAMES, **views)
    batch, x_BCTHW, heat_BVTHW = shown(step, dataset, dataset.test_keys())
    height, width = path[1]
    assert batch.times.tolist() == ([9] if height == width else [3] * 3)
    assert_dots_agree(x_BCTHW, heat_BVTHW)


def test_each_input_has_a_sampling_of_its_own_in_order(tmp_path):
    """As in RGBPoseConv3D: a video is in order even where its heatmaps repeat the clip. Their places tell the frame."""
    path_T2, stored = PATHS["in the middle"]
    recipe = {"heatmap_frames": 32, "frames": 8, "crop_area": (1, 1), "flip": False}
    step, dataset = pair_of(tmp_path, path_T2, stored, **recipe)
    _, x_BCTHW, heat_BVTHW = shown(step, dataset, [(0, draw) for draw in range(20)])
    across_BT = centres((x_BCTHW.mean(1) - 90).clamp(min=0))[..., 0]
    assert (across_BT.diff(dim=1) > 0).all()
    assert len({tuple(row) for row in across_BT.round().tolist()}) > 10
    turned_BT = centres(heat_BVTHW.amax(1))[..., 0].diff(dim=1) < 0
    assert set(turned_BT.sum(1).tolist()) == {2, 3}  # 32 heatmaps of 12 frames

    step, dataset = pair_of(tmp_path, path_T2, stored, **recipe, num_clips=10, num_crops=1)
    _, x_BCTHW, heat_BVTHW = shown(step, dataset, dataset.test_keys())
    grid = centres(heat_BVTHW.amax(1))[0, :N_FRAMES, 0] - HALF  # the first view starts with the first frame
    frames_BT = (centres((x_BCTHW.mean(1) - 90).clamp(min=0))[..., :1] - grid).abs().argmin(2)
    assert frames_BT[0].tolist() == SEED_255
