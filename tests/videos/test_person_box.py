"""The box around a person against its definition, and crops against padded frames."""

import numpy as np
import pytest

from microgesture.errors import UnusableClip
from microgesture.videos.person_box import Box, crop, person_box


def points(*xy, confidence=1.0):
    return np.array([[(x, y, confidence) for x, y in xy]], np.float32)


def test_the_box_is_the_extent_with_its_margin_made_square():
    box = person_box(points((20, 10), (30, 50)), 100, 80, margin=0.2)
    # 40 high and so, with a fifth on both sides, 56: a square about the middle (25, 30).
    assert (box.x, box.y) == (-3, 2)
    assert box.width == box.height
    assert 56 <= box.width <= 58


def test_the_box_holds_every_point_of_the_clip_that_lies_in_the_frame():
    random_points = np.random.default_rng(0)
    for _ in range(50):
        keypoints_TVC = random_points.uniform((-20, -20, 0.1), (120, 100, 1), (6, 5, 3))
        box = person_box(keypoints_TVC, 100, 80, margin=0.1)
        inside = keypoints_TVC[..., :2].reshape(-1, 2).clip(0, (100, 80))
        assert box.width == box.height
        assert (inside >= (box.x, box.y)).all()
        assert (inside <= (box.x + box.width, box.y + box.height)).all()


def test_points_outside_the_frame_do_not_widen_the_box():
    far = points((-500, 10), (30, 900), (40, 20))
    # Limited to the frame they are (0, 10), (30, 80) and (40, 20): 70 high, a square about the middle (20, 45).
    box = person_box(far, 100, 80, margin=0)
    assert (box.x, box.y, box.width, box.height) == (-15, 10, 71, 71)
    assert person_box(far, None, None, margin=0).width == 891  # the frame is unknown


def test_the_published_box_of_a_person():
    # MMCompact of pyskl: the centre of the extent, half of 1.25 times the longer side around it
    x, y, half = 550, 400, 1.25 * 400 / 2
    box = person_box(points((400, 200), (700, 600)), 1280, 720, margin=0.125)
    published = (x - half, y - half, 2 * half, 2 * half)
    np.testing.assert_allclose((box.x, box.y, box.width, box.height), published, atol=1)
    outside = person_box(points((10, 20), (700, 700)), 1280, 720, margin=0.125)
    assert max(outside.x, outside.y) < 0  # it is black there
    assert person_box(points((400, 200), (700, 600)), 1280, 720, None) == Box(0, 0, 1280, 720)


def test_missing_points_do_not_count():
    seen = points((20, 10), (30, 50))
    missing = np.zeros((1, 3, 3), np.float32)
    broken = np.array([[(np.nan, 5, 1), (5, np.inf, 1), (90, 70, np.nan)]], np.float32)
    unseen = points((90, 5), confidence=0.0)
    together = np.concatenate([seen, missing, broken, unseen], axis=1)
    assert person_box(together, 100, 80, 0.2) == person_box(seen, 100, 80, 0.2)


def test_without_two_points_the_box_is_the_frame():
    full = Box(0, 0, 100, 80)
    assert person_box(None, 100, 80, 0.2) == full
    assert person_box(np.zeros((4, 36, 3)), 100, 80, 0.2) == full
    assert person_box(points((5, 5)), 100, 80, 0.2) == full
    assert full.resized(40) == (50, 40)
    with pytest.raises(UnusableClip, match="size of the frame is unknown"):
        person_box(points((5, 5)), None, None, 0.2)


def test_crop_equals_padding_the_frame_and_cutting():
    frame = np.random.default_rng(0).integers(0, 255, (80, 100, 3), np.uint8)
    padded = np.pad(frame, ((200, 200), (200, 200), (0, 0)))
    for box in (
        Box(10, 5, 30, 30),
        Box(-20, -10, 60, 60),
        Box(70, 50, 64, 64),
        Box(150, 20, 16, 16),
        Box(0, 0, 100, 80),
    ):
        cut = padded[200 + box.y :, 200 + box.x :][: box.height, : box.width]
        assert np.array_equal(crop(frame, box, min(box.width, box.height)), cut)


def test_crop_shrinks_by_area_so_that_nothing_flickers():
    frame = np.random.default_rng(0).integers(0, 255, (64, 64, 3), np.uint8)
    means = frame.reshape(16, 4, 16, 4, 3).mean((1, 3))
    assert np.abs(crop(frame, Box(0, 0, 64, 64), 16) - means).max() <= 0.5
    assert crop(frame, Box(0, 0, 64, 64), 100).shape == (100, 100, 3)
    assert crop(frame[..., 0], Box(0, 0, 64, 32), 16).shape == (16, 32)
