import re

import numpy as np
import pytest

from microgesture.config.recipes import Augmentation
from microgesture.skeletons.points import at_times, centre, even_times, fill_box, normalise, random_times, vary
from microgesture.skeletons.selections import SELECTIONS, selection_named


def person(selection: str, T: int = 6) -> np.ndarray:
    """Keypoints (T, V, 3) in pixels, some of them missing, but nothing that anything hangs from."""
    chosen = selection_named(selection)
    generator = np.random.default_rng(0)
    keypoints_TVC = generator.uniform((100, 100, 0.5), (900, 700, 1), (T, len(chosen.joints), 3)).astype(np.float32)
    needed = [name in ("neck", "left shoulder", "right shoulder") or name.endswith("wrist") for name in chosen.joints]
    missing_TV = generator.random((T, len(chosen.joints))) < 0.2
    keypoints_TVC[missing_TV & ~np.array(needed)] = 0
    return keypoints_TVC


def moved(keypoints_TVC: np.ndarray, by: np.ndarray, times: float = 1.0) -> np.ndarray:
    """The found keypoints moved and enlarged, the missing ones left missing."""
    shifted_TVC = keypoints_TVC * np.float32((times, times, 1)) + np.append(by, 0).astype(np.float32)
    return np.where(keypoints_TVC[..., 2:] > 0, shifted_TVC, 0)


def test_even_times_span_the_clip():
    np.testing.assert_allclose(even_times(5, 3), [0, 2, 4])
    np.testing.assert_allclose(even_times(1, 4), 0)
    np.testing.assert_allclose(even_times(2, 5), [0, 0.25, 0.5, 0.75, 1])


@pytest.mark.parametrize("n_frames", [1, 7, 64, 200])
def test_random_times_are_in_order_inside_the_clip_and_long_enough(n_frames):
    spans = []
    for seed in range(200):
        times_S = random_times(n_frames, 64, Augmentation(shortest=0.6), np.random.default_rng(seed))
        assert times_S.shape == (64,)
        assert (np.diff(times_S) >= 0).all()
        assert times_S[0] >= 0
        assert times_S[-1] <= n_frames - 1
        spans.append((times_S[-1] - times_S[0]) / max(n_frames - 1, 1))
    if n_frames > 1:
        assert min(spans) > 0.6 - 1 / 63
        assert max(spans) - min(spans) > 0.3


def test_random_frames_are_whole_sorted_and_equally_likely():
    augmentation = Augmentation(frames="random")
    counts_T = np.zeros(10)
    for seed in range(300):
        times_S = random_times(10, 52, augmentation, np.random.default_rng(seed))
        assert (np.diff(times_S) >= 0).all()
        np.add.at(counts_T, times_S.astype(int), 1)
        assert (times_S == times_S.astype(int)).all()
    np.testing.assert_allclose(counts_T / 300, 5.2, atol=0.5)
    part_S = random_times(100, 52, Augmentation(frames="random", shortest=0.5), np.random.default_rng(0))
    assert np.ptp(part_S) < 99


def test_at_times_of_the_frames_themselves_is_the_clip():
    keypoints_TVC = person("36")
    np.testing.assert_array_equal(at_times(keypoints_TVC, np.arange(6)), keypoints_TVC)


def test_at_times_between_frames():
    clip_TVC = np.zeros((2, 4, 3), np.float32)
    clip_TVC[0, 0], clip_TVC[1, 0] = (10, 20, 0.4), (20, 60, 0.8)  # found in both: a quarter of the way
    clip_TVC[0, 1] = clip_TVC[1, 2] = (7, 8, 0.9)  # found in one of them: as there
    expected_VC = [(12.5, 30, 0.5), (7, 8, 0.9), (7, 8, 0.9), (0, 0, 0)]
    np.testing.assert_allclose(at_times(clip_TVC, np.array([0.25]))[0], expected_VC, rtol=1e-6)


@pytest.mark.parametrize("name", SELECTIONS)
@pytest.mark.parametrize("own_hands", [True, False])
def test_place_and_size_of_a_person_do_not_matter(name, own_hands):
    keypoints_TVC = person(name)
    walking_TVC = np.stack([moved(frame, (30 * t, -7 * t), 1.7) for t, frame in enumerate(keypoints_TVC)])
    expected_TVC = normalise(keypoints_TVC, selection_named(name), own_hands)
    if name in ("21", "42") and not own_hands:  # nothing to follow the person by: the clip's mean stands for the neck
        walking_TVC = moved(keypoints_TVC, np.array((30, -7)), 1.7)
    np.testing.assert_allclose(normalise(walking_TVC, selection_named(name), own_hands), expected_TVC, atol=1e-4)


@pytest.mark.parametrize("name", SELECTIONS)
def test_missing_stays_missing_and_found_stays_found(name):
    keypoints_TVC = person(name)
    points_TVC = normalise(keypoints_TVC, selection_named(name))
    np.testing.assert_array_equal(points_TVC[..., 2], keypoints_TVC[..., 2])
    assert not points_TVC[keypoints_TVC[..., 2] == 0].any()
    varied_TVC = vary(points_TVC, Augmentation(rotation=30, scale=0.2, shear=0.2, noise=0.1), np.random.default_rng(0))
    np.testing.assert_array_equal(varied_TVC[..., 2], keypoints_TVC[..., 2])
    assert not varied_TVC[keypoints_TVC[..., 2] == 0].any()


def test_body_is_about_the_neck_in_shoulder_widths():
    selection = selection_named("68")
    joints = selection.joints
    keypoints_TVC = person("68")
    keypoints_TVC[:, joints.index("left shoulder")] = keypoints_TVC[:, joints.index("right shoulder")] + (60, 80, 0)
    elbow, neck = joints.index("left elbow"), joints.index("neck")
    keypoints_TVC[:, elbow] = (300, 400, 1)
    points_TVC = normalise(keypoints_TVC, selection)
    np.testing.assert_allclose(points_TVC[:, neck, :2], 0, atol=1e-6)
    expected_T2 = (keypoints_TVC[:, elbow, :2] - keypoints_TVC[:, neck, :2]) / 100
    np.testing.assert_allclose(points_TVC[:, elbow, :2], expected_T2, rtol=1e-4)


@pytest.mark.parametrize(
    ("name", "wrist"), [("68", "left hand wrist"), ("42", "left hand wrist"), ("22", "left wrist")]
)
def test_hand_is_about_its_wrist_and_reaches_one_far(name, wrist):
    selection = selection_named(name)
    points_TVC = normalise(person(name), selection)
    fingers = [i for i, joint in enumerate(selection.joints) if joint.startswith("left") and joint[-1] in "123p"]
    np.testing.assert_allclose(np.linalg.norm(points_TVC[:, fingers, :2], axis=-1).max(1), 1, rtol=1e-4)
    if name != "22":  # there the wrist is the arm's and stays with the body
        np.testing.assert_allclose(points_TVC[:, selection.joints.index(wrist), :2], 0, atol=1e-6)


def test_hand_that_waves_elsewhere_is_the_same_hand():
    selection = selection_named("68")
    keypoints_TVC = person("68")
    hand = re.compile("right (hand|thumb|index|middle|ring|little) ")
    right = [i for i, name in enumerate(selection.joints) if hand.match(name)]
    waved_TVC = keypoints_TVC.copy()
    waved_TVC[:, right] = moved(keypoints_TVC[:, right], np.array((55, 66)))
    before_TVC, after_TVC = normalise(keypoints_TVC, selection), normalise(waved_TVC, selection)
    np.testing.assert_allclose(after_TVC, before_TVC, atol=1e-4)
    together_TVC = normalise(waved_TVC, selection, own_hands=False)
    assert np.abs(together_TVC - normalise(keypoints_TVC, selection, own_hands=False)).max() > 0.01


def test_neck_that_is_lost_in_a_frame_is_taken_from_the_frames_around_it():
    selection = selection_named("68")
    keypoints_TVC = person("68")
    neck, elbow = selection.joints.index("neck"), selection.joints.index("left elbow")
    keypoints_TVC[:, elbow] = (300, 400, 1)
    keypoints_TVC[2, neck] = (keypoints_TVC[1, neck] + keypoints_TVC[3, neck]) / 2
    expected_VC = normalise(keypoints_TVC, selection)[2]
    keypoints_TVC[2, neck] = 0
    points_TVC = normalise(keypoints_TVC, selection)
    np.testing.assert_allclose(points_TVC[2, elbow], expected_VC[elbow], rtol=1e-4)
    assert not points_TVC[2, neck].any()


@pytest.mark.parametrize("name", SELECTIONS)
def test_a_person_without_neck_shoulders_and_wrists_is_finite_and_of_the_size_of_one(name):
    keypoints_TVC = person(name)
    hidden = ("neck", "wrist", "shoulder")
    keypoints_TVC[:, [i for i, joint in enumerate(selection_named(name).joints) if joint.endswith(hidden)]] = 0
    points_TVC = normalise(keypoints_TVC, selection_named(name))
    assert np.isfinite(points_TVC).all()
    assert 0.5 < np.abs(points_TVC[..., :2]).max() < 10


def test_nobody_is_nobody():
    assert not normalise(np.zeros((3, 36, 3), np.float32), selection_named("36")).any()


@pytest.mark.parametrize("columns", [3, 4])
def test_a_filled_box_reaches_from_minus_one_to_one_along_each_axis(columns):
    keypoints_TVC = np.random.default_rng(0).uniform(5, 9, (6, 7, columns)).astype(np.float32)
    keypoints_TVC[..., -1] = 1
    keypoints_TVC[2, 3] = 0
    found_TV = keypoints_TVC[..., -1] > 0
    filled_TVC = fill_box(centre(keypoints_TVC))
    places_ND = keypoints_TVC[found_TV][:, :-1]
    low_D, high_D = places_ND.min(0), places_ND.max(0)
    expected_ND = (places_ND - low_D) / (high_D - low_D) * 2 - 1
    np.testing.assert_allclose(filled_TVC[found_TV][:, :-1], expected_ND, atol=1e-5)
    assert not filled_TVC[~found_TV].any()
    np.testing.assert_array_equal(filled_TVC[..., -1], keypoints_TVC[..., -1])


def test_a_centred_clip_keeps_its_proportions_and_has_length_one():
    keypoints_TVC = person("36")
    found_TV = keypoints_TVC[..., 2] > 0
    centred_ND = centre(keypoints_TVC)[found_TV][:, :2]
    np.testing.assert_allclose(centred_ND.max(0), -centred_ND.min(0), atol=1e-5)
    assert np.ptp(centred_ND, 0).max() == pytest.approx(1, abs=1e-5)
    shown = np.linalg.norm(keypoints_TVC[found_TV][1:, :2] - keypoints_TVC[found_TV][:-1, :2], axis=1)
    ratio = np.linalg.norm(np.diff(centred_ND, axis=0), axis=1) / shown
    np.testing.assert_allclose(ratio, ratio[0], rtol=1e-3)


def test_boxes_of_nothing_and_of_one_place_are_zero():
    nobody_TVC = np.zeros((3, 5, 4), np.float32)
    still_TVC = np.full((3, 5, 4), 2, np.float32)
    assert not fill_box(centre(nobody_TVC)).any()
    assert not fill_box(centre(still_TVC))[..., :3].any()


def test_nothing_varies_by_default():
    points_TVC = normalise(person("36"), selection_named("36"))
    np.testing.assert_allclose(vary(points_TVC, Augmentation(), np.random.default_rng(0)), points_TVC, atol=1e-6)


def test_turning_keeps_lengths_and_angles():
    points_TVC = normalise(person("36"), selection_named("36"))
    turned_TVC = vary(points_TVC, Augmentation(rotation=40), np.random.default_rng(1))
    before, after = (each_TVC[..., 0] + 1j * each_TVC[..., 1] for each_TVC in (points_TVC, turned_TVC))
    seen = np.abs(before) > 0
    turn = after[seen] / before[seen]
    np.testing.assert_allclose(turn, turn[0], atol=1e-4)
    assert abs(turn[0]) == pytest.approx(1, abs=1e-5)
    assert 0.01 < abs(np.angle(turn[0], deg=True)) < 40


def test_stretching_and_shearing_are_linear():
    points_TVC = normalise(person("36"), selection_named("36"))
    changed_TVC = vary(points_TVC, Augmentation(scale=0.3, shear=0.3), np.random.default_rng(1))
    seen = points_TVC[..., 2] > 0
    matrix_22, residual, _, _ = np.linalg.lstsq(points_TVC[seen][:, :2], changed_TVC[seen][:, :2], rcond=None)
    assert residual.max() < 1e-6
    assert np.abs(matrix_22 - np.eye(2)).max() > 0.02


def test_joint_dropout_hides_joints_through_the_clip():
    points_TVC = np.ones((7, 400, 3), np.float32)
    hidden_TV = vary(points_TVC, Augmentation(joint_dropout=0.25), np.random.default_rng(0))[..., 2] == 0
    assert (hidden_TV == hidden_TV[0]).all()
    assert hidden_TV[0].mean() == pytest.approx(0.25, abs=0.07)


def test_the_same_seed_varies_alike():
    points_TVC = normalise(person("36"), selection_named("36"))
    augmentation = Augmentation(rotation=20, noise=0.1, joint_dropout=0.2)
    first, second, other = (vary(points_TVC, augmentation, np.random.default_rng(seed)) for seed in (3, 3, 4))
    np.testing.assert_array_equal(first, second)
    assert not np.array_equal(first, other)


def test_noise_is_normal_with_a_size_between_nothing_and_twice_the_setting():
    points_TVC = np.full((20, 50, 3), 0.5, np.float32)
    sizes = []
    for seed in range(200):
        varied_TVC = vary(points_TVC, Augmentation(noise=0.1), np.random.default_rng(seed))
        assert (varied_TVC[..., 2] == 0.5).all()
        noise_N = (varied_TVC - points_TVC)[..., :2].ravel()
        sizes.append(noise_N.std())
        assert np.mean(np.abs(noise_N) < sizes[-1]) == pytest.approx(0.683, abs=0.05)
    assert max(sizes) < 0.21
    assert np.mean(sizes) == pytest.approx(0.1, abs=0.01)
    assert np.std(sizes) == pytest.approx(0.2 / np.sqrt(12), abs=0.01)
