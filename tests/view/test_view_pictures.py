import cv2
import numpy as np
import pytest
import torch

from fixtures.training_clips import FRAME, MARGIN, draw_keypoints, make_clips, make_step, write_shards
from microgesture.config.view import HeatmapView
from microgesture.skeletons.selections import selection_named
from microgesture.streams.augment import network_input
from microgesture.streams.crops import keypoints_in_box, video_box
from microgesture.streams.samples import ClipDataset, Sample
from microgesture.videos.person_box import crop, person_box
from microgesture.view.pictures import (
    brightened,
    flow_pictures,
    flow_wheel,
    full_speed,
    heatmap_pictures,
    scaled,
    with_figure,
)

SELECTION = selection_named("36")
WIDTH, HEIGHT = FRAME


def corners(*places):
    """One frame of keypoints (1, 36, 3): the given places, and all other joints missing."""
    keypoints_TVC = np.zeros((1, 36, 3), np.float32)
    keypoints_TVC[0, : len(places)] = [(x, y, 1) for x, y in places]
    return keypoints_TVC


def middle_of_light(picture_HWC):
    """The centre of gravity (x, y) of what is bright, in pixels whose middles are whole numbers."""
    light_HW = picture_HWC.astype(float).sum(-1)
    y_HW, x_HW = np.mgrid[: light_HW.shape[0], : light_HW.shape[1]]
    return (x_HW * light_HW).sum() / light_HW.sum(), (y_HW * light_HW).sum() / light_HW.sum()


@pytest.mark.parametrize("margin", [0.0, 0.2, 0.37])
@pytest.mark.parametrize("mark", [(140, 93), (121, 170), (180, 101), (118, 148)])
@pytest.mark.parametrize("start", [(100, 80), (3, 2), (200, 150)])  # the box may reach beyond the video
def test_a_keypoint_lies_on_the_pixel_that_it_marks(margin, mark, start):
    x, y = (int(start[axis] + mark[axis] - (100, 80)[axis]) for axis in (0, 1))
    keypoints_TVC = corners((x, y), start, (start[0] + 90, start[1] + 95))
    video_HWC = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    video_HWC[y, x] = 255
    cut = person_box(keypoints_TVC, WIDTH, HEIGHT, margin)
    box = video_box(keypoints_TVC, WIDTH, HEIGHT, margin)
    for size in (cut.width, 3 * cut.width):  # as it is, and enlarged, where the mark is a bell about the same place
        stored_HWC = crop(video_HWC, cut, size)
        share = keypoints_in_box(keypoints_TVC, box)[0, 0]
        place = share[0] * stored_HWC.shape[1] - 0.5, share[1] * stored_HWC.shape[0] - 0.5
        np.testing.assert_allclose(place, middle_of_light(stored_HWC), atol=0.02)
        alone_TVC = keypoints_in_box(keypoints_TVC, box)
        alone_TVC[0, 1:] = 0
        drawn_HWC = with_figure(np.zeros_like(stored_HWC)[None], alone_TVC, SELECTION)[0]
        np.testing.assert_allclose(middle_of_light(drawn_HWC), middle_of_light(stored_HWC), atol=0.3)


@pytest.mark.parametrize("inputs", [("joint",), ("rgb", "joint")])
def test_the_box_and_the_heatmaps_are_those_that_the_network_is_shown(tmp_path, inputs):
    """The data set and ``network_input`` say what a network sees; the sheet has to show the same."""
    n_frames = 12
    frames = {"frames": 6, "heatmap_frames": 12} if len(inputs) > 1 else {"frames": n_frames}
    step = make_step(*inputs, num_clips=1, **frames)
    shards = write_shards(tmp_path, inputs, [0, 1])
    dataset = ClipDataset(make_clips(["val"] * 2, [0, 1]).table, shards, step, training=False)
    at = inputs.index("joint")
    margin = MARGIN if len(inputs) > 1 else None
    size = step.recipe.heatmap_size if len(inputs) > 1 else step.recipe.size
    for row in (0, 1):
        sample = dataset[row, 0]
        data = tuple(torch.from_numpy(part)[None] for part in sample.data)
        one = Sample(data, torch.tensor([False]), torch.ones(1), torch.ones(1), *(torch.zeros(1) for _ in range(3)))
        heat_VTHW = network_input(one, inputs, step.recipe, SELECTION)[at][0]
        grey_THW = np.rint(heat_VTHW.amax(0).numpy() * 255).astype(np.uint8)
        expected = [cv2.applyColorMap(grey_HW, cv2.COLORMAP_INFERNO)[..., ::-1] for grey_HW in grey_THW]
        view = HeatmapView(size=size, sigma=step.recipe.sigma, beside_video=len(inputs) > 1, margin=margin)
        shown = heatmap_pictures(draw_keypoints(row, row), "joint", view, SELECTION, WIDTH, HEIGHT, np.arange(n_frames))
        assert grey_THW.max() > 100
        np.testing.assert_array_equal(shown, np.stack(expected))


def test_limbs_have_heatmaps_of_their_own():
    keypoints_TVC = corners(*((100 + 9 * i, 100 + 5 * (i % 3)) for i in range(8)))
    view = HeatmapView(size=32, sigma=0.6)
    pictures = {
        kind: heatmap_pictures(keypoints_TVC, kind, view, SELECTION, None, None, np.array([0]))[0]
        for kind in ("joint", "limb")
    }
    lit = {kind: (picture.astype(int).sum(-1) > 200).sum() for kind, picture in pictures.items()}
    assert lit["limb"] > lit["joint"] > 0  # a limb is lit along its whole length


def test_missing_joints_and_their_limbs_are_not_drawn():
    black_NHWC = np.zeros((1, 40, 40, 3), np.uint8)
    nothing = with_figure(black_NHWC, np.zeros((1, 36, 3), np.float32), SELECTION)
    assert not nothing.any()
    a, b = SELECTION.edges[0]
    shares_TVC = np.zeros((1, 36, 3), np.float32)
    shares_TVC[0, a] = 0.2, 0.2, 1
    one = with_figure(black_NHWC, shares_TVC, SELECTION)
    shares_TVC[0, b] = 0.8, 0.8, 1
    two = with_figure(black_NHWC, shares_TVC, SELECTION)
    assert not one[0, 20, 20].any()
    assert two[0, 20, 20].any()
    assert not black_NHWC.any()


def test_the_persons_sides_have_their_colours():
    black_NHWC = np.zeros((1, 40, 40, 3), np.uint8)
    seen = {}
    for side in ("left", "right"):
        shares_TVC = np.zeros((1, 36, 3), np.float32)
        shares_TVC[0, SELECTION.joints.index(f"{side} shoulder")] = 0.5, 0.5, 1
        seen[side] = with_figure(black_NHWC, shares_TVC, SELECTION).reshape(-1, 3).astype(int).sum(0)
    assert seen["left"][0] > 2 * seen["left"][2]
    assert seen["right"][2] > 2 * seen["right"][0]


@pytest.mark.parametrize("far", [1e6, -1e6, 1e12])
def test_a_joint_far_outside_spoils_nothing(far):
    shares_TVC = np.zeros((1, 36, 3), np.float32)
    shares_TVC[0, 0] = far, far, 1
    drawn = with_figure(np.zeros((1, 40, 40, 3), np.uint8), shares_TVC, SELECTION)
    assert not drawn.any()


def test_rest_is_white_and_opposite_motions_have_complementary_colours():
    assert (flow_pictures(np.zeros((2, 3, 4, 2)), 1.0) == 255).all()
    angles = np.linspace(0, 2 * np.pi, 24, endpoint=False)
    ways = np.stack((np.cos(angles), np.sin(angles)), -1)[None, None].astype(np.float32)
    there, back = (flow_pictures(sign * ways, 1.0)[0, 0].astype(int) for sign in (1, -1))
    np.testing.assert_allclose(there + back, 255, atol=2)
    assert len({tuple(colour) for colour in there.tolist()}) == 24
    np.testing.assert_array_equal(there[0], (255, 0, 0))  # to the right
    half = flow_pictures(ways / 4, 1.0)[0, 0].astype(int)
    np.testing.assert_allclose(half, (there + 255) / 2, atol=2)
    np.testing.assert_array_equal(flow_pictures(9 * ways, 1.0)[0, 0], there)


def test_the_wheel_has_the_colours_of_the_motions_that_lead_to_its_rim():
    wheel_HWC = flow_wheel(101).astype(int)
    for x, y in ((1, 0), (-1, 0), (0, 1), (0, -1)):
        motion = np.array((x, y), np.float32).reshape(1, 1, 1, 2)
        np.testing.assert_allclose(wheel_HWC[50 + 50 * y, 50 + 50 * x], flow_pictures(motion, 1.0)[0, 0, 0], atol=6)
    assert (wheel_HWC[50, 50] == 255).all()
    assert (wheel_HWC[0, 0] == 255).all()


@pytest.mark.parametrize("rest", [0, 128])
def test_brightened_values_keep_their_order_and_rest_stays_rest(rest):
    values_THWC = np.arange(256, dtype=np.uint8).reshape(1, 16, 16, 1)
    shown = brightened(values_THWC, rest).ravel().astype(int)
    assert (np.diff(shown) >= 0).all()
    assert shown[[0, rest]].tolist() == [0, rest]
    most = max(rest, 255 - rest)
    assert shown[255] >= 254
    assert shown[rest + 60] == rest + round((60 / most) ** 0.5 * most)


def test_full_speed_forgives_a_wrong_vector_and_noise():
    flow_THWC = np.zeros((4, 50, 50, 2), np.float32)
    assert full_speed(flow_THWC) == 0.25
    flow_THWC[:, :, :25] = 3, 4
    flow_THWC[0, 0, 0] = 500
    assert full_speed(flow_THWC) == 5


def test_pictures_keep_their_proportions():
    pictures_THWC = np.zeros((2, 36, 64, 3), np.uint8)
    assert scaled(pictures_THWC, 72).shape == (2, 72, 128, 3)
    assert scaled(pictures_THWC, 18).shape == (2, 18, 32, 3)
    dots = np.random.default_rng(0).integers(0, 256, (1, 8, 8, 3), np.uint8)
    np.testing.assert_array_equal(scaled(dots, 32, smooth=False), dots.repeat(4, 1).repeat(4, 2))
