import logging
from itertools import pairwise

import numpy as np
import pandas as pd
import pytest

from fixtures.skeletons import layout_with, named
from microgesture.errors import InputError, UnusableClip
from microgesture.modalities.keypoints import select_keypoints
from microgesture.skeletons.keypoints import VIEW, clean, cut_clip, from_space, hands_swapped, present, swap_hands
from microgesture.skeletons.layouts import mirrored_name
from microgesture.skeletons.person import noted
from microgesture.skeletons.selections import (
    SELECTIONS,
    complete_layouts,
    hand_in_order,
    selection_named,
    usual_limbs,
)
from microgesture.storage.clips import SCHEMA, Clips
from microgesture.storage.shards import Shard, write_shard

every_selection = pytest.mark.parametrize("selection", [*map(selection_named, SELECTIONS)], ids=SELECTIONS)


def recording(frames: int, points: int = 137, seed: int = 0) -> np.ndarray:
    """Random points of which none is missing, the hands around their own wrists."""
    rng = np.random.default_rng(seed)
    recording_TVC = rng.uniform(100, 600, (frames, points, 3)).astype(np.float32)
    recording_TVC[..., 2] = rng.uniform(0.1, 1, (frames, points))
    names = layout_with(points).names
    for joint, name in enumerate(names):
        side, _, rest = name.partition(" ")
        if rest.startswith(("hand", "thumb", "index", "middle", "ring", "little")):
            nearby_T2 = recording_TVC[:, names.index(f"{side} wrist"), :2] + rng.uniform(-20, 20, (frames, 2))
            recording_TVC[:, joint, :2] = nearby_T2
    return recording_TVC


def table(**columns) -> Clips:
    rows = pd.DataFrame({"clip_id": ["a"], "shard": 0, "status": "ok", "skeleton_start": 0, **columns})
    return Clips(rows.reindex(columns=SCHEMA.names), ("x",), ("1",))


@every_selection
def test_mirroring_swaps_left_and_right_and_keeps_the_limbs(selection):
    count, flip = len(selection.joints), selection.flip
    assert len(set(selection.joints)) == count
    assert [flip[flip[joint]] for joint in range(count)] == list(range(count))
    for name, joint in zip(selection.joints, flip, strict=True):
        other = mirrored_name(name)
        assert selection.joints[joint] == (other if other in selection.joints else name)
    for side in ("left ", "right ") if selection.name != "21" else ():
        assert sum(name.startswith(side) for name in selection.joints) == sum(i != j for i, j in enumerate(flip)) / 2
    limbs = {frozenset(edge) for edge in selection.edges}
    assert {frozenset((flip[a], flip[b])) for a, b in selection.edges} == limbs


def test_the_36_points_are_the_published_ones():
    selection = selection_named("36")
    body_and_face = [0, 1, 2, 3, 4, 5, 6, 7, 15, 16, 17, 18, 27, 29, 33, 37, 39, 44, 49, 52, 73, 76, 79, 82]
    published = [*body_and_face, 95, 99, 103, 107, 111, 115, 116, 120, 124, 128, 132, 136]
    assert list(selection.columns(layout_with(137))) == published
    assert {layout.name for layout in complete_layouts(selection)} == {
        "openpose_137",
        "coco_wholebody",
        "halpe_136",
        "mediapipe_holistic",
    }
    assert len(selection.edges) == 36
    left = [17, 8, 10, 12, 13, 20, 2, 3, 4, 30, 31, 32, 33, 34, 35]
    right = [18, 9, 11, 16, 15, 22, 5, 6, 7, 24, 25, 26, 27, 28, 29]
    assert [selection.flip[joint] for joint in left] == right
    unpaired = [joint for joint, mirror in enumerate(selection.flip) if joint == mirror]
    assert unpaired == [0, 1, 14, 19, 21, 23]


def test_the_22_points_are_the_same_joints_in_every_layout():
    indices = {points: selection_named("22").columns(layout_with(points)) for points in (137, 35, 28)}
    for size, chosen in indices.items():
        assert tuple(layout_with(size).names[index] for index in chosen) == selection_named("22").joints
    # OpenPose's documented numbers: nose, neck, right wrist, left wrist, right and left eye.
    assert [indices[137][joint] for joint in (0, 1, 4, 7, 8, 9)] == [0, 1, 4, 7, 15, 16]
    assert [indices[28][joint] for joint in (0, 1, 4, 7, 8, 9)] == [0, 1, 4, 7, 14, 15]
    assert indices[35][12:] == tuple(range(25, 35))


def test_the_68_points_are_all_of_the_hands_7_of_the_body_and_19_of_the_face():
    selection = selection_named("68")
    numbers = np.array(selection.columns(layout_with(137)))
    assert len(numbers) == len(set(numbers)) == 68
    assert set(numbers[numbers >= 95]) == set(range(95, 137))
    assert set(numbers[numbers < 25]) == {1, 2, 3, 4, 5, 6, 7}
    assert ((numbers >= 25) & (numbers < 95)).sum() == 19


def test_the_order_of_the_68_points_follows_the_body():
    # From the right little finger over both arms to the left one, each joint is a neighbour of the one before:
    # joined by a limb, or the same knuckle of the next finger.
    selection = selection_named("68")
    limbs = {frozenset(edge) for edge in selection.edges}
    assert selection.joints[24] == "neck"
    assert selection.flip[:49] == tuple(reversed(range(49)))
    for joint in range(48):
        a, b = (selection.joints[i].split()[-1] for i in (joint, joint + 1))
        assert frozenset((joint, joint + 1)) in limbs or a == b, joint


@every_selection
def test_limbs_connect_what_they_should(selection):
    # Everything hangs together with the neck, but for the lips of the published 36 points, which float; of hands alone,
    # each holds together with its wrist.
    roots = ["neck"] if "neck" in selection.joints else ["left hand wrist", "right hand wrist"]
    ahead = [selection.joints.index(root) for root in roots if root in selection.joints]
    reached = set(ahead)
    for joint in ahead:
        ahead += [sum(edge) - joint for edge in selection.edges if joint in edge and sum(edge) - joint not in reached]
        reached |= set(ahead)
    alone = {selection.joints[joint] for joint in set(range(len(selection.joints))) - reached}
    assert all("lip" in name for name in alone)
    assert not alone or selection.name == "36"


@pytest.mark.parametrize("points", [137, 35, 28])
def test_swapped_hands_are_seen_in_every_layout(points):
    straight = named(recording(9, points))
    crossed = swap_hands(straight)
    assert not hands_swapped(straight)
    assert hands_swapped(crossed)
    np.testing.assert_array_equal(swap_hands(crossed).keypoints_TVC, straight.keypoints_TVC)
    np.testing.assert_array_equal(crossed.keypoints_TVC[:, :8], straight.keypoints_TVC[:, :8])


def test_the_majority_of_frames_with_both_hands_decides():
    recording_TVC = recording(9)
    recording_TVC[:4] = swap_hands(named(recording_TVC[:4])).keypoints_TVC
    assert not hands_swapped(named(recording_TVC))
    recording_TVC[6:, 95:116] = 0  # three of the straight frames lose a hand, and with it their vote
    assert hands_swapped(named(recording_TVC))
    once_TVC = recording(30)
    once_TVC[2:, 95:116] = 0
    assert not hands_swapped(swap_hands(named(once_TVC)))  # two frames of 30 say nothing of the recording
    recording_TVC[:, 4] = 0  # no right body wrist anywhere: nothing to compare with
    assert not hands_swapped(named(recording_TVC))


def test_a_joint_is_missing_at_the_origin_alone_and_without_confidence():
    points_V3 = np.array([[0, 7, 1], [7, 0, 1], [0, 0, 1], [7, 7, 0], [7, 7, -1], [np.nan, 7, 1], [7, 7, np.inf]])
    assert present(points_V3[None]).tolist() == [[True, True, False, False, False, False, False]]
    assert clean(points_V3[None, :5]).tolist() == [[[0, 7, 1], [7, 0, 1], [0, 0, 0], [0, 0, 0], [0, 0, 0]]]


def test_values_are_cleaned():
    recording_TVC = recording(3)
    recording_TVC[0, 0, 2] = 1.2
    recording_TVC[1, 1, 2] = 0
    recording_TVC[2, 2, :2] = 0
    clip_TVC = cut_clip(named(recording_TVC), range(3), selection_named("36"), "a.xlsx")
    assert clip_TVC.dtype == np.float32
    assert clip_TVC[0, 0, 2] == 1
    assert not clip_TVC[1, 1].any()
    assert not clip_TVC[2, 2].any()
    assert (clip_TVC[..., 2] > 0).sum() == 3 * 36 - 2


def test_a_recording_that_ends_a_little_early_repeats_its_last_row(caplog):
    recording_TVC = recording(20)
    with caplog.at_level(logging.WARNING):
        clip_TVC = cut_clip(named(recording_TVC), range(10, 25), selection_named("36"), "a.xlsx")
    assert len(clip_TVC) == 15
    for frame in range(10, 15):
        np.testing.assert_array_equal(clip_TVC[frame], clip_TVC[9])
    assert "a.xlsx ends 5 rows" in caplog.text
    with pytest.raises(UnusableClip, match=r"a.xlsx has 20 rows, but the clip needs rows 10 to 25"):
        cut_clip(named(recording_TVC), range(10, 26), selection_named("36"), "a.xlsx")
    with pytest.raises(UnusableClip, match="has 20 rows"):
        cut_clip(named(recording_TVC), range(20, 23), selection_named("36"), "a.xlsx")


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_a_value_that_is_no_number_names_file_row_and_column(value):
    recording_TVC = recording(20)
    recording_TVC[13, 4, 1] = value
    with pytest.raises(UnusableClip, match=r"^a.xlsx, row 13 .*y of right wrist is (nan|-?inf)"):
        cut_clip(named(recording_TVC), range(10, 15), selection_named("36"), "a.xlsx")
    cut_clip(named(recording_TVC), range(13), selection_named("36"), "a.xlsx")  # outside of the clip it does no harm


def test_joints_that_a_file_does_not_have_are_refused_with_advice():
    with pytest.raises(UnusableClip, match=r"a.csv .*lacks right jaw 2, .* selection 36; use selection 22"):
        cut_clip(named(recording(5, 35)), range(5), selection_named("36"), "a.csv")
    with pytest.raises(InputError, match=r"no keypoint selection '37'.*21, 22, 36, 42, 68"):
        selection_named("37")


def test_the_stage_cuts_each_clip_and_says_why_one_has_none(tmp_path, caplog):
    straight_TVC = recording(30)
    skeletons = [
        ("one.xlsx", noted(named(straight_TVC))),
        ("two.xlsx", noted(swap_hands(named(recording(12, seed=1))))),
        ("bad.xlsx", UnusableClip("bad.xlsx is empty")),
    ]
    write_shard(tmp_path / "skeletons", skeletons, "zstd")
    clips = table(
        clip_id=["a", "b", "c", "d", "elsewhere"],
        shard=[0, 0, 0, 0, 1],
        status="ok",
        skeleton=["one.xlsx", "two.xlsx", "bad.xlsx", None, "one.xlsx"],
        skeleton_start=[5, 0, 0, 0, 0],
        n_frames=[20, 12, 3, 4, 30],
    )
    with caplog.at_level(logging.WARNING):
        select_keypoints(clips, 0, tmp_path / "skeletons", tmp_path / "out", tmp_path / "scratch", "36")
    written = Shard(tmp_path / "out")
    assert written.clip_ids == ["a", "b", "c", "d"]
    indices = list(selection_named("36").columns(layout_with(137)))
    np.testing.assert_array_equal(written.read("a"), straight_TVC[5:25][:, indices])
    np.testing.assert_array_equal(written.read("b"), recording(12, seed=1)[:, indices])
    assert "two.xlsx: the left and right hand are swapped" in caplog.text
    assert "one.xlsx" not in caplog.text
    assert written.reasons == {"c": "bad.xlsx is empty", "d": "d has no keypoints"}


def test_a_hand_in_order_goes_up_one_finger_and_down_the_next():
    order = hand_in_order("left")
    assert len(order) == len(set(order)) == 21
    assert order[:2] == ["left hand wrist", "left thumb 1"]
    for finger, other, end in (("thumb", "index", "tip"), ("index", "middle", 1), ("middle", "ring", "tip")):
        place = order.index(f"left {finger} {end}")
        assert order[place + 1] == f"left {other} {end}"
    assert order[-1] == "left little tip"


def test_the_usual_limbs_are_those_of_the_body_and_join_it_to_the_hands():
    arm = ["neck", "right shoulder", "right elbow", "right wrist"]
    hand = ["right hand wrist", "right index 1", "right index 2", "left index 1"]
    limbs = {frozenset(limb) for limb in usual_limbs(arm + hand)}
    joined = [*pairwise(arm), *pairwise(hand[:3])]
    assert limbs == {frozenset(limb) for limb in (*joined, ("right wrist", "right hand wrist"))}
    assert len(usual_limbs(arm + hand)) == len(limbs)  # each once, though several parts have it
    assert usual_limbs(["neck", "right elbow"]) == []


@pytest.mark.parametrize(
    ("up", "axes", "signs"), [("y", (0, 1, 2), (1, -1, 1)), ("-y", (0, 1, 2), (1, 1, 1)), ("z", (0, 2, 1), (1, -1, 1))]
)
def test_points_in_space_are_turned_and_seen_from_the_front(up, axes, signs):
    space_TVC = np.random.default_rng(0).uniform(-1, 1, (3, 4, 4)).astype(np.float32)
    space_TVC[..., 3] = 0.5
    space_TVC[0, 1, 3] = 0
    space_TVC[1, 2, 0] = np.nan
    keypoints_TVC = from_space(space_TVC, up)
    found_TV = present(keypoints_TVC)
    assert np.argwhere(~found_TV).tolist() == [[0, 1], [1, 2]]
    assert not keypoints_TVC[~found_TV].any()
    placed_N3 = space_TVC[found_TV][:, axes] * np.array(signs, np.float32)
    np.testing.assert_array_equal(keypoints_TVC[found_TV][:, 3:], placed_N3)
    assert (keypoints_TVC[found_TV][:, 2] == 0.5).all()
    low_2, whole = placed_N3[:, :2].min(0), np.ptp(placed_N3[:, :2], axis=0).max()
    np.testing.assert_allclose(keypoints_TVC[found_TV][:, :2], 1 + VIEW * (placed_N3[:, :2] - low_2) / whole, rtol=1e-5)
    same_TVC = np.tile(np.float32([0, 0, 0, 1]), (2, 1, 1))  # one joint that stays: no length to divide by
    assert from_space(same_TVC, up)[..., :3].tolist() == [[[1, 1, 1]]] * 2
    assert not from_space(np.zeros((2, 3, 4), np.float32), up).any()
