import numpy as np
import pytest

from microgesture.streams.crops import (
    WHOLE,
    Box,
    keypoints_in_box,
    person_square,
    random_crop,
    resize_part,
    squares,
    to_pixels,
)


@pytest.mark.parametrize("aspect", [1, 16 / 9, 3 / 4])
@pytest.mark.parametrize("area", [(0.08, 1.0), (0.56, 0.7)])
def test_random_crops_lie_inside_with_the_asked_area_and_shape(area, aspect):
    """RandomResizedCrop: shares of the area, and sides between 3:4 and 4:3 in pixels, whatever the picture's."""
    generator = np.random.default_rng(0)
    for _ in range(300):
        x, y, width, height = random_crop(area, generator, aspect)
        assert 0 <= x <= x + width <= 1.00001
        assert 0 <= y <= y + height <= 1.00001
        assert area[0] <= width * height <= area[1]
        assert 3 / 4 <= width * aspect / height <= 4 / 3


def test_a_crop_that_never_fits_is_the_largest_square_in_the_centre():
    # The largest crop of 16:9 with sides of 4:3 has 3/4 of the area.
    assert random_crop((0.8, 1.0), np.random.default_rng(0), 16 / 9) == pytest.approx((7 / 32, 0, 9 / 16, 1))
    assert random_crop((1.0, 1.0), np.random.default_rng(0)) == Box(0, 0, 1, 1)


def test_later_draws_do_not_depend_on_whether_a_crop_fitted():
    for area in ((0.3, 0.4), (0.9, 1.0)):
        generator = np.random.default_rng(3)
        random_crop(area, generator)
        assert generator.random() == np.random.default_rng(3).random(5)[4]


def test_three_crops_of_a_full_frame_are_those_of_video_swin():
    # 720 x 1280 with the shorter side at 224 is 398 wide; squares of 224 at the left, in the centre and at the right
    published = [(0, 0), (87, 0), (174, 0)]
    found = [to_pixels(crop, 398, 224) for crop in squares(398, 224, 3)]
    assert found == [Box(*corner, 224, 224) for corner in published]
    stored = [to_pixels(crop, 455, 256) for crop in squares(455, 256, 3)]  # before it is resized from 256 to 224
    for box, (x, _) in zip(stored, published, strict=True):
        assert box == Box(pytest.approx(x * 256 / 224, abs=1), 0, 256, 256)


@pytest.mark.parametrize(
    ("width", "height", "corners"),
    [(320, 240, [(0, 0), (40, 0), (80, 0)]), (7, 12, [(0, 0), (0, 3), (0, 5)]), (64, 64, [(0, 0)] * 3)],
)
def test_squares_lie_at_both_ends_and_in_the_middle(width, height, corners):
    side = min(width, height)
    found = [to_pixels(crop, width, height) for crop in squares(width, height, 3)]
    assert found == [Box(*corner, side, side) for corner in corners]
    assert squares(width, height, 1) == squares(width, height, 3)[1:2]


@pytest.mark.parametrize("seed", range(20))
def test_a_crop_in_pixels_is_the_crop_to_a_pixel_and_inside(seed):
    generator = np.random.default_rng(seed)
    width, height = generator.integers(1, 300, 2).tolist()
    crop = random_crop((1e-6, 1), generator)
    box = to_pixels(crop, width, height)
    assert all(isinstance(pixels, int) for pixels in box)
    assert 0 <= box.x < box.x + box.width <= width
    assert 0 <= box.y < box.y + box.height <= height
    exact = Box(0, 0, width, height).part(crop)
    np.testing.assert_allclose(box, exact, atol=1.001)


def test_a_part_of_a_box_is_a_share_of_it():
    assert Box(10, 20, 40, 80).part(Box(0.25, 0.5, 0.5, 0.25)) == Box(20, 60, 20, 20)
    assert Box(10, 20, 40, 80).part(WHOLE) == Box(10, 20, 40, 80)


def test_person_square_holds_all_that_was_found_in_any_frame():
    keypoints_TVC = np.zeros((3, 4, 3), np.float32)
    keypoints_TVC[0, 1] = (100, 50, 1)
    keypoints_TVC[2, 3] = (180, 90, 0.5)
    assert person_square(keypoints_TVC) == Box(140 - 50, 70 - 50, 100, 100)
    keypoints_TVC[0, 1, 0] = 99.7  # 40.5 to 139.85 + 50.1875 before its sides are truncated
    assert person_square(keypoints_TVC) == Box(89, 19, 101, 101)
    assert person_square(np.zeros((3, 4, 3), np.float32)).width > 0


def test_keypoints_become_shares_of_the_box_and_missing_ones_stay_missing():
    keypoints_TVC = np.array([[[10, 20, 0.5], [30, 60, 1], [0, 0, 0]]], np.float32)
    placed_TVC = keypoints_in_box(keypoints_TVC, Box(10, 20, 40, 80))
    np.testing.assert_allclose(placed_TVC, [[[0, 0, 0.5], [0.5, 0.5, 1], [0, 0, 0]]])


def test_frames_are_cut_and_resized():
    frames_THWC = np.zeros((2, 8, 12, 3), np.uint8)
    frames_THWC[1, 2:6, 4:8] = 200
    cut_THWC = np.empty((2, 2, 2, 3), np.uint8)
    for frame_HWC, resized_HWC in zip(frames_THWC, cut_THWC, strict=True):
        resize_part(frame_HWC, Box(4, 2, 4, 4), resized_HWC)
    assert (cut_THWC[0] == 0).all()
    assert (cut_THWC[1] == 200).all()
