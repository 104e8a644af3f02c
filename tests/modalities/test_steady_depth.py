import weakref

import numpy as np
import pytest

from microgesture.modalities.steady_depth import WINDOW, joined, on_one_scale, scale_and_shift, steady

LENGTHS = [1, 2, 9, 10, 11, 32, 33, 54, 55, 100]


def scene(frames: int, seed: int = 0) -> np.ndarray:
    """A smooth relief that stands still, float32 (T, 24, 30)."""
    y, x = np.mgrid[:24, :30] / 30
    relief = np.sin(4 * x + seed) + y + 0.1 * np.random.default_rng(seed).normal(size=x.shape)
    return np.repeat(relief[None], frames, 0).astype(np.float32)


def disturbed(maps_THW: np.ndarray, seed: int = 0) -> np.ndarray:
    """Each map with a scale and a shift of its own."""
    rng = np.random.default_rng(seed)
    scale_T11 = rng.uniform(0.3, 3, (len(maps_THW), 1, 1))
    return (maps_THW * scale_T11 + rng.uniform(-5, 5, scale_T11.shape)).astype(np.float32)


def on_scale_of(maps_THW: np.ndarray, target_THW: np.ndarray) -> np.ndarray:
    """All maps with the one scale and shift that brings the first to its target."""
    scale, shift = np.polyfit(maps_THW[0].ravel(), target_THW[0].ravel(), 1)
    return maps_THW * scale + shift


def steadied(maps_THW: np.ndarray) -> np.ndarray:
    return np.stack(list(steady(maps_THW)))


@pytest.mark.parametrize("length", LENGTHS)
def test_a_known_scale_and_shift_of_every_frame_is_undone_exactly(length):
    still_THW = scene(length)
    found_THW = steadied(disturbed(still_THW))
    assert found_THW.shape == still_THW.shape
    assert found_THW.dtype == np.float32
    np.testing.assert_allclose(on_scale_of(found_THW, still_THW), still_THW, atol=1e-5)


def test_what_moves_does_not_move_the_rest():
    moving_THW = scene(80)
    moved = np.zeros(moving_THW.shape, bool)
    for t in range(80):
        moving_THW[t, 4:12, t % 20 : t % 20 + 7] += 2 + np.sin(t)
        moved[t, 4:12, t % 20 : t % 20 + 7] = True
    found_THW = on_scale_of(steadied(disturbed(moving_THW)), moving_THW)
    np.testing.assert_allclose(found_THW[~moved], moving_THW[~moved], atol=1e-3)
    np.testing.assert_allclose(found_THW[moved], moving_THW[moved], atol=1e-3)


def test_a_known_scale_and_shift_of_a_window_is_undone_exactly_whatever_moves():
    rng = np.random.default_rng(0)
    true_THW = rng.normal(size=(54, 8, 9)).astype(np.float32)
    before_THW, window_THW = true_THW[:32], 0.4 * true_THW[22:] - 7
    found_THW = joined(before_THW[22:], window_THW)
    np.testing.assert_allclose(found_THW, true_THW[22:], atol=1e-5)


def test_one_window_turns_into_the_next_linearly():
    rng = np.random.default_rng(0)
    before_OHW = rng.normal(size=(5, 8, 8)).astype(np.float32)
    window_THW = np.concatenate([before_OHW, before_OHW]) + rng.normal(size=(10, 8, 8)).astype(np.float32) * 0.2
    found_THW = joined(before_OHW, window_THW)
    # The frames after the shared ones show with what scale and shift the window came over.
    scale, shift = np.polyfit(window_THW[5:].ravel(), found_THW[5:].ravel(), 1)
    assert scale == pytest.approx(1, abs=0.1)
    for frame, share in enumerate((0, 0.25, 0.5, 0.75, 1)):
        blend_HW = (1 - share) * before_OHW[frame] + share * (scale * window_THW[frame] + shift)
        np.testing.assert_allclose(found_THW[frame], blend_HW, atol=1e-5)


def test_noise_does_not_flatten_the_depth_of_later_frames():
    noisy_THW = scene(200) + np.random.default_rng(1).normal(size=(200, 24, 30)).astype(np.float32) * 0.3
    deviation_T = steadied(disturbed(noisy_THW)).std((1, 2))
    assert deviation_T[-30:].mean() > 0.9 * deviation_T[:30].mean()


def test_scale_and_shift_are_the_least_squares_ones_of_the_pixels_that_fit():
    rng = np.random.default_rng(0)
    source = rng.normal(size=(20, 20))
    assert scale_and_shift(source, 3 * source - 2) == pytest.approx((3, -2))
    target = 3 * source - 2
    target[:4, :15] = rng.normal(size=(4, 15)) + 30  # 15 % say something else
    assert scale_and_shift(source, target) == pytest.approx((3, -2))
    flat = np.ones((20, 20))
    for one, other in ((flat, source), (source, -source)):
        assert scale_and_shift(one, other) == (1, 0)


def test_flat_and_reversed_frames_harm_no_others():
    maps_THW = scene(12)
    maps_THW[3], maps_THW[4] = 7, -maps_THW[4]
    found_THW = on_one_scale(disturbed(maps_THW))
    assert np.isfinite(found_THW).all()
    np.testing.assert_allclose(found_THW[3], found_THW[3].mean(), atol=1e-5)
    rest = [0, 1, 2, *range(5, 12)]
    np.testing.assert_allclose(found_THW[rest], found_THW[:1].repeat(10, 0), atol=1e-4)


def test_what_is_held_depends_on_the_window_and_not_on_the_clip():
    alive = pulled = yielded = most_alive = most_waiting = 0

    class Map(np.ndarray):  # a plain array would not tell when it is gone
        pass

    def one_less():
        nonlocal alive
        alive -= 1

    def estimated():
        nonlocal pulled, alive, most_alive
        for map_HW in disturbed(scene(500)):
            pulled += 1
            one = map_HW.copy().view(Map)
            weakref.finalize(one, one_less)
            alive += 1
            most_alive = max(most_alive, alive)
            yield one
            del one

    for _ in steady(estimated()):
        yielded += 1
        most_waiting = max(most_waiting, pulled - yielded)
    assert pulled == yielded == 500
    assert most_waiting < WINDOW
    assert most_alive <= 2 * WINDOW
