import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from microgesture.skeletons.keypoints import present
from microgesture.skeletons.trajectories import smoothed, steady, without_gaps


def straight(frames: int, points: int = 2, channels: int = 3) -> np.ndarray:
    """Points on straight lines at constant speed, each found in every frame."""
    places_TVC = (
        np.arange(frames)[:, None, None] * np.ones((points, channels)) + 100 * np.arange(1, points + 1)[:, None]
    )
    places_TVC[..., 2] = 0.5
    return places_TVC.astype(np.float32)


def gaps_of(found_T: np.ndarray) -> list[range]:
    """The runs of missing frames, by a plain loop."""
    runs, start = [], None
    for t, found in enumerate([*found_T, True]):
        if not found and start is None:
            start = t
        elif found and start is not None:
            runs.append(range(start, t))
            start = None
    return runs


@given(st.lists(st.booleans(), min_size=1, max_size=40), st.integers(1, 6), st.sampled_from((3, 6)))
def test_exactly_the_short_gaps_inside_are_filled_on_the_line(found, longest, channels):
    whole_TVC = straight(len(found), channels=channels)
    given_TVC = whole_TVC.copy()
    given_TVC[~np.array(found), 0] = 0
    filled_TVC = without_gaps(given_TVC, longest)
    expected_TVC = given_TVC.copy()
    for gap in gaps_of(np.array(found)):
        if gap.start > 0 and gap.stop < len(found) and len(gap) <= longest:
            expected_TVC[gap, 0] = whole_TVC[gap, 0]
    np.testing.assert_allclose(filled_TVC, expected_TVC, rtol=1e-6)


def test_a_filled_point_is_as_sure_as_its_less_sure_neighbour_and_damage_stays():
    keypoints_TVC = straight(9)
    keypoints_TVC[4, 0], keypoints_TVC[3, 0, 2], keypoints_TVC[5, 0, 2] = 0, 0.2, 0.9
    keypoints_TVC[4, 1, 0] = np.nan
    keypoints_TVC[5, 1] = 0
    filled_TVC = without_gaps(keypoints_TVC, 3)
    assert filled_TVC[4, 0, 2] == np.float32(0.2)
    np.testing.assert_array_equal(filled_TVC[:, 1], keypoints_TVC[:, 1])


@pytest.mark.parametrize("channels", [3, 6])
def test_parabolas_stay_and_noise_falls_as_the_filter_promises(channels):
    rng = np.random.default_rng(0)
    keypoints_TVC = straight(2000, 4, channels)
    keypoints_TVC[..., 0] = 5 + 1e-4 * np.arange(2000)[:, None] ** 2
    np.testing.assert_allclose(smoothed(keypoints_TVC, 7), keypoints_TVC, rtol=1e-5)
    noisy_TVC = keypoints_TVC.copy()
    noisy_TVC[..., 1] += rng.normal(0, 1, noisy_TVC.shape[:2])
    left = (smoothed(noisy_TVC, 7) - keypoints_TVC)[3:-3, :, 1].var()
    assert left == pytest.approx(7 / 21, rel=0.06)  # the middle weight of the filter of 7 points, its gain of variance
    np.testing.assert_array_equal(smoothed(noisy_TVC, 7)[..., 2], noisy_TVC[..., 2])


@given(st.integers(0, 2**32 - 1), st.integers(1, 30), st.sampled_from((5, 7, 15)))
def test_only_points_whose_whole_window_is_found_change(seed, frames, window):
    rng = np.random.default_rng(seed)
    keypoints_TVC = rng.uniform(1, 100, (frames, 3, 3)).astype(np.float32)
    keypoints_TVC[rng.random((frames, 3)) < 0.1] = 0
    keypoints_TVC[rng.random((frames, 3)) < 0.05, 0] = np.nan
    result_TVC = steady(keypoints_TVC, 0, window)
    found_TV = present(keypoints_TVC)
    for t in range(frames):
        middle = min(max(t, window // 2), frames - 1 - window // 2)
        around = slice(middle - window // 2, middle + window // 2 + 1)
        whole_V = found_TV[around].all(0) if frames >= window else np.zeros(3, bool)
        np.testing.assert_array_equal(result_TVC[t, ~whole_V], keypoints_TVC[t, ~whole_V])
        assert np.isfinite(result_TVC[t, whole_V]).all()
        assert (present(result_TVC)[t] == found_TV[t]).all()


def test_nothing_is_done_unless_it_is_asked_for():
    keypoints_TVC = straight(9)
    keypoints_TVC[4] = 0
    assert steady(keypoints_TVC, 0, None) is keypoints_TVC
