import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fixtures.crossing_people import crossing, shuffled, walker
from microgesture.skeletons.file_format import People
from microgesture.skeletons.keypoints import present
from microgesture.skeletons.person import only
from microgesture.skeletons.tracks import follow, likeness


def everyone(followed):
    """Each followed person alone, as (T, V, 3)."""
    return [only(followed.keypoints_TPVC, track) for track in followed.tracks]


def assert_same_people(followed, true_TPVC):
    found = everyone(followed)
    assert len(found) == true_TPVC.shape[1]
    left = [true_TPVC[:, place] for place in range(true_TPVC.shape[1])]
    for alone_TVC in found:
        [same] = [place for place, one_TVC in enumerate(left) if np.array_equal(one_TVC, alone_TVC)]
        left.pop(same)


@pytest.mark.parametrize("hidden", [0, 5, 12, 20])
def test_people_who_cross_are_followed_also_while_one_hides_the_other(hidden):
    true_TPVC = crossing()
    true_TPVC[50 - hidden // 2 : 50 - hidden // 2 + hidden, 1] = 0
    mixed_TPVC, _ = shuffled(true_TPVC)
    assert_same_people(follow(People(mixed_TPVC)), true_TPVC)


@pytest.mark.parametrize("at", [20, 47, 50, 52, 80])
def test_exchanged_ids_are_mended_and_told(at):
    true_TPVC = crossing()
    mixed_TPVC, order_TP = shuffled(true_TPVC)
    ids_TP = np.array(["anna", "ben"])[order_TP]
    as_filed = follow(People(mixed_TPVC, ids_TP))
    assert sorted(track.names for track in as_filed.tracks) == [("anna",), ("ben",)]
    assert as_filed.mended == ()
    ids_TP[at:] = np.array(["ben", "anna"])[order_TP[at:]]
    followed = follow(People(mixed_TPVC, ids_TP))
    assert_same_people(followed, true_TPVC)
    assert followed.mended == (at,)


def test_one_who_gets_a_new_id_is_followed_under_both():
    true_TPVC = crossing()
    ids_TP = np.tile(["1", "2"], (100, 1))
    ids_TP[30:, 0] = "7"
    followed = follow(People(true_TPVC, ids_TP))
    assert_same_people(followed, true_TPVC)
    assert followed.tracks[0].names == ("1", "7")
    assert followed.mended == (30,)


def test_one_who_comes_near_where_another_with_an_id_has_left_is_someone_else():
    people_TPVC = np.zeros((40, 1, 17, 3), np.float32)
    people_TPVC[:20, 0] = walker(20, (100, 100), (0, 0), seed=1)
    people_TPVC[22:, 0] = walker(18, (140, 100), (0, 0), seed=2)
    ids_TP = np.where(np.arange(40) < 20, "1", "2")[:, None]
    assert [track.names for track in follow(People(people_TPVC, ids_TP)).tracks] == [("1",), ("2",)]


def test_one_who_returns_far_away_is_the_same_only_by_the_id():
    there_TVC = walker(200, (100, 100), (0, 0))
    there_TVC[40:120] = 0
    there_TVC[120:, :, :2] += 500
    people_TPVC = there_TVC[:, None]
    assert len(follow(People(people_TPVC)).tracks) == 2
    ids_TP = np.where(present(people_TPVC).any(-1), "p1", "")
    assert [track[2:] for track in follow(People(people_TPVC, ids_TP)).tracks] == [(0, 199)]


@pytest.mark.parametrize("every", [4, 8])
def test_people_are_followed_at_low_rates_and_by_a_single_joint(every):
    true_TPVC = crossing(100 * every)[::every][:40]
    mixed_TPVC, _ = shuffled(true_TPVC)
    assert_same_people(follow(People(mixed_TPVC)), true_TPVC)
    true_TPVC = crossing()
    true_TPVC[:, :, 1:] = 0
    mixed_TPVC, _ = shuffled(true_TPVC[:45])
    assert_same_people(follow(People(mixed_TPVC)), true_TPVC[:45])


def test_people_who_are_never_together_share_a_place():
    people_TPVC = np.zeros((90, 1, 17, 3), np.float32)
    people_TPVC[:20, 0] = walker(20, (100, 100), (0, 0), seed=1)
    people_TPVC[80:, 0] = walker(10, (600, 100), (0, 0), seed=2)
    followed = follow(People(people_TPVC))
    assert [track[1:] for track in followed.tracks] == [(0, 0, 19), (0, 80, 89)]
    assert followed.keypoints_TPVC.shape == people_TPVC.shape


def test_likeness_is_that_of_boxes_and_joints():
    from microgesture.skeletons.tracks import _Pose

    square_V2 = np.array([[0, 0], [99, 0], [0, 99], [99, 99]], float)
    at = [_Pose(0, "", square_V2 + shift, np.ones(4, bool)) for shift in (0, (50, 0), (500, 500))]
    size = 99 * np.sqrt(2)
    expected = [1, (50 / 150 + 1 / (1 + (50 / size / 0.1) ** 2)) / 2, 1 / (1 + (500 / 99 / 0.1) ** 2) / 2]
    np.testing.assert_allclose(likeness(at[:1], at, 0)[0], expected, atol=1e-12)


@settings(deadline=None, max_examples=30)
@given(st.integers(0, 2**32 - 1), st.sampled_from((1, 3, 30)), st.booleans())
def test_whatever_a_file_has_nobody_is_lost_or_made_up(seed, people, with_ids):
    rng = np.random.default_rng(seed)
    frames = 12
    keypoints_TPVC = np.stack(
        [walker(frames, rng.uniform(0, 800, 2), rng.normal(0, 9, 2), rng.uniform(5, 200), n) for n in range(people)], 1
    )
    keypoints_TPVC[rng.random((frames, people)) < 0.3] = 0
    keypoints_TPVC[rng.random(frames) < 0.2] = 0
    keypoints_TPVC[rng.random(keypoints_TPVC.shape[:3]) < 0.2] = 0
    keypoints_TPVC[rng.random(keypoints_TPVC.shape) < 0.01] = np.nan
    mixed_TPVC, order_TP = shuffled(keypoints_TPVC, seed)
    ids_TP = rng.choice(["", "a", "b", "Zoë 3", "17"], order_TP.shape) if with_ids else None
    followed = follow(People(mixed_TPVC, ids_TP))
    alone = everyone(followed)
    found_TP = present(mixed_TPVC).any(-1)
    assert sum(present(person_TVC).any(-1) for person_TVC in alone).tolist() == found_TP.sum(1).tolist()
    for t in range(frames):
        kept = sorted(person_TVC[t].tobytes() for person_TVC in alone if present(person_TVC[t]).any())
        assert kept == sorted(mixed_TPVC[t, place].tobytes() for place in np.flatnonzero(found_TP[t]))
    assert all(track.first <= track.last and track.names for track in followed.tracks)
    again = follow(People(mixed_TPVC, ids_TP))
    assert again.tracks == followed.tracks
