"""The joints of a Kinect: what its files say, and that everything made for pictures sees nothing of the metres."""

import numpy as np
import pytest

from fixtures.mutations import attempt, changed_rows, damaged, fuzz, fuzzed, reencoded
from fixtures.release_files import (
    COLOUR,
    DEPTH,
    SMG_LABELS,
    kinect_columns,
    kinect_metres,
    kinect_pixels,
    write_kinect,
    write_lines,
    write_smg,
)
from fixtures.skeletons import named
from microgesture.corpora import list_clips
from microgesture.errors import UnusableClip
from microgesture.modalities.keypoints import select_keypoints
from microgesture.modalities.skeleton_depth import skeleton_depth
from microgesture.skeletons.keypoints import cut_clip, in_picture, in_space, present
from microgesture.skeletons.kinect import kinect_joints, swap_sides
from microgesture.skeletons.layouts import layout_named
from microgesture.skeletons.reading import read_skeleton, read_skeletons
from microgesture.skeletons.selections import selection_named
from microgesture.storage.clips import Clips
from microgesture.storage.shards import Shard
from microgesture.streams.crops import person_square
from microgesture.videos.person_box import person_box

NAMES = layout_named("kinect_v2").names
METRES = kinect_metres(12)


def without(columns_TN, frame, joint, values):
    """The rows with other values for one joint in one frame."""
    changed_TVX = columns_TN.reshape(-1, 25, 11).copy()
    changed_TVX[frame, joint] = values
    return changed_TVX.reshape(len(columns_TN), -1)


def test_the_layout_is_that_of_the_sensor_with_the_names_of_the_others():
    shared = set(NAMES) & set(layout_named("openpose_137").names)
    arms = {f"{side} {joint}" for side in ("left", "right") for joint in ("shoulder", "elbow", "wrist")}
    tips = {f"{side} {finger} tip" for side in ("left", "right") for finger in ("thumb", "middle")}
    legs = {f"{side} {joint}" for side in ("left", "right") for joint in ("hip", "knee", "ankle")}
    assert shared == {"nose", "neck", "mid hip"} | arms | tips | legs
    assert [NAMES.index(name) for name in ("mid hip", "nose", "left shoulder", "right wrist", "neck")] == [
        0,
        3,
        4,
        10,
        20,
    ]
    assert [NAMES.index(name) for name in ("left middle tip", "left thumb tip", "right middle tip")] == [21, 22, 23]
    limbs = {frozenset(edge) for edge in selection_named("25").edges}
    assert len(limbs) == 24  # a tree over 25 joints
    assert selection_named("25").joints == NAMES


@pytest.mark.parametrize("mirrored", [True, False])
@pytest.mark.parametrize(("first", "last"), [(COLOUR, DEPTH), (DEPTH, COLOUR)])
def test_pixels_are_those_of_the_colour_picture_wherever_they_stand(mirrored, first, last):
    joints_TVC = kinect_joints(kinect_columns(METRES, mirrored, first, last))
    assert joints_TVC.shape == (12, 25, 6)
    assert joints_TVC.dtype == np.float32
    expected_TV2 = kinect_pixels(METRES, COLOUR, mirrored)
    same_TVC = swap_sides(joints_TVC) if mirrored else joints_TVC
    np.testing.assert_allclose(same_TVC[..., :2], expected_TV2, rtol=1e-5)
    assert (joints_TVC[..., 2] == 1).all()


@pytest.mark.parametrize("last", [0.0, 2.0, 1e6])
def test_columns_that_hold_something_else_are_no_picture(last):
    columns_TVX = kinect_columns(METRES).reshape(12, 25, 11)
    columns_TVX[..., 9:] = last * np.arange(1, 13)[:, None, None]
    joints_TVC = kinect_joints(columns_TVX.reshape(12, -1))
    np.testing.assert_array_equal(joints_TVC, kinect_joints(kinect_columns(METRES)))


@pytest.mark.parametrize("mirrored", [True, False])
def test_the_metres_run_as_the_picture_does(mirrored):
    joints_TVC = kinect_joints(kinect_columns(METRES, mirrored))
    x, y, z, confidence = np.moveaxis(in_space(joints_TVC), -1, 0)
    focal, across, down = COLOUR
    np.testing.assert_allclose(joints_TVC[..., 0], across + focal * x / z, rtol=1e-4)
    np.testing.assert_allclose(joints_TVC[..., 1], down + focal * y / z, rtol=1e-4)
    assert (confidence == 1).all()
    np.testing.assert_array_equal(in_picture(joints_TVC), joints_TVC[..., :3])


@pytest.mark.parametrize("mirrored", [True, False])
def test_left_and_right_are_those_of_the_person_in_the_picture(mirrored):
    joints_TVC = kinect_joints(kinect_columns(METRES, mirrored))
    for joint in ("shoulder", "elbow", "wrist", "hand palm", "hip", "knee", "thumb tip"):
        left, right = (joints_TVC[:, NAMES.index(f"{side} {joint}")] for side in ("left", "right"))
        assert (left[:, 0] > right[:, 0]).all()  # of somebody who faces the camera
        assert (left[:, 3] > right[:, 3]).all()
    np.testing.assert_array_equal(swap_sides(swap_sides(joints_TVC)), joints_TVC)


def test_a_joint_without_a_place_is_missing_in_that_frame():
    whole_TVC = kinect_joints(kinect_columns(METRES, mirrored=False))
    places = np.array([0.1, 0.2, 2, 1, 0, 0, 0, 900, 500, 250, 200])
    for columns, value in (((7, 8), 0), ((0, 1, 2), 0), (7, np.inf), (8, -np.inf), (2, np.nan), (range(11), 0)):
        values = places.copy()
        values[list(columns) if not isinstance(columns, int) else columns] = value
        joints_TVC = kinect_joints(without(kinect_columns(METRES, mirrored=False), 3, 5, values))
        assert not joints_TVC[3, 5].any()
        expected_TVC = whole_TVC.copy()
        expected_TVC[3, 5] = 0
        np.testing.assert_array_equal(joints_TVC, expected_TVC)
    assert not kinect_joints(np.zeros((4, 275))).any()
    assert not kinect_joints(np.full((4, 275), np.nan)).any()


def test_one_wild_joint_changes_no_other():
    columns_TN = kinect_columns(METRES)
    expected_TVC = kinect_joints(columns_TN)
    wild_TVC = kinect_joints(without(columns_TN, 2, 8, [3e38, -1e30, 1e-30, 1, 0, 0, 0, 1e9, -5e8, 1, 1]))
    mine = np.ones((12, 25), bool)
    mine[2, NAMES.index("left shoulder")] = False  # in the mirror
    np.testing.assert_array_equal(wild_TVC[mine], expected_TVC[mine])


def test_a_file_is_read_as_its_numbers(tmp_path):
    columns_TN = kinect_columns(METRES).round(5)
    read_TVC = read_skeleton(write_kinect(tmp_path / "Sample0001_skeleton.csv", columns_TN))
    np.testing.assert_allclose(read_TVC.keypoints_TVC, kinect_joints(columns_TN), rtol=1e-6)
    bad = write_lines(tmp_path / "a_skeleton.csv", [",".join(["1.5"] * count) for count in (275, 274)])
    with pytest.raises(UnusableClip, match=r"a_skeleton\.csv, row 2: 274 columns, expected 275 \(11 .*25 joints"):
        read_skeleton(bad)
    write_lines(bad, [",".join(["1.5"] * 8 + ["x"] + ["1"] * 266)])
    with pytest.raises(UnusableClip, match=r"a_skeleton\.csv, row 1, column 9: 'x' is not a number"):
        read_skeleton(bad)


@fuzzed
def test_a_damaged_file_gives_its_numbers_or_is_refused(tmp_path, examples):
    columns_TN = kinect_columns(METRES[:3]).round(3)
    path = write_kinect(tmp_path / "Sample0001_skeleton.csv", columns_TN)
    rows = [line.split(",") for line in path.read_text().splitlines()]
    plain = path.read_bytes()

    def check(data):
        path.write_bytes(data)
        read, refused = attempt(read_skeleton, path)
        if refused:
            assert path.name in refused
            return
        read_TVC = read.keypoints_TVC
        assert read_TVC.shape[1:] == (25, 6)
        assert np.isfinite(read_TVC).all()
        assert set(np.unique(read_TVC[..., 2])) <= {0, 1}
        assert not read_TVC[read_TVC[..., 2] == 0].any()
        # Whatever stands for a joint that was found is a number of the file, or its negative.
        said = {np.float32(number) for number in _numbers_in(data)}
        found_NC = np.abs(read_TVC[read_TVC[..., 2] == 1])
        assert {np.float32(value) for value in np.unique(found_NC[:, [0, 1, 3, 4, 5]])} <= {np.abs(n) for n in said}

    fuzz(check, changed_rows(rows) | damaged(plain) | reencoded(plain), examples)


def _numbers_in(data):
    """Every cell of the text that is a number."""
    for cell in data.decode("utf-8-sig").replace("\r", ",").replace("\n", ",").replace('"', "").split(","):
        try:
            yield float(cell)
        except ValueError:
            continue


@pytest.fixture(scope="module")
def stages(tmp_path_factory):
    """A clips table of SMG, and the shards of its skeletons and of 22 and 25 keypoints."""
    folder = tmp_path_factory.mktemp("smg")
    root = write_smg(folder / "smg", SMG_LABELS, videos=False)
    broken = root / "smg_data_phase1/smg_skeleton_validate/Sample0031/Sample0031_skeleton.csv"
    broken.write_text(broken.read_text().replace(".", ",", 1))
    listed = list_clips("smg", "smg", root, 1)
    clips = Clips(listed.table, listed.classes, listed.targets)
    read_skeletons(clips, 0, root, folder / "skeletons", folder / "scratch")
    for selection in ("22", "25"):
        select_keypoints(clips, 0, folder / "skeletons", folder / selection, folder / "scratch", selection)
    return clips, folder


def test_a_recording_that_cannot_be_read_leaves_the_others(stages):
    clips, folder = stages
    shard = Shard(folder / "25")
    assert set(shard.clip_ids) == set(clips.table.clip_id)
    assert set(shard.reasons) == {"Sample0031_0"}
    assert "row 1: 276 columns, expected 275" in shard.reasons["Sample0031_0"]
    assert shard.read("Sample0001_1").shape == (15, 25, 6)


def test_the_22_points_are_those_that_the_sensor_sees_and_the_others_are_missing(stages):
    _, folder = stages
    all_TVC, chosen_TVC = (Shard(folder / name).read("Sample0001_0") for name in ("25", "22"))
    assert chosen_TVC.shape == (10, 22, 6)
    seen = [name for name in selection_named("22").joints if name in NAMES]
    assert len(seen) == 12
    for joint, name in enumerate(selection_named("22").joints):
        if name in seen:
            np.testing.assert_array_equal(chosen_TVC[:, joint], all_TVC[:, NAMES.index(name)])
        else:
            assert not chosen_TVC[:, joint].any()
    assert present(chosen_TVC).sum() == 10 * 12


def test_selections_that_the_sensor_hardly_sees_are_refused():
    joints_TVC = kinect_joints(kinect_columns(METRES))
    for name in ("36", "68", "42", "21"):
        with pytest.raises(UnusableClip, match=rf"Kinect v2.* selection {name}; use selection 25"):
            cut_clip(named(joints_TVC), range(3), selection_named(name), "Sample0001_skeleton.csv")
    with pytest.raises(UnusableClip, match=r"OpenPose-137.* selection 25"):
        cut_clip(named(np.ones((5, 137, 3), np.float32)), range(3), selection_named("25"), "a.xlsx")


@pytest.mark.parametrize("name", ["22", "25"])
def test_what_is_made_for_pictures_sees_nothing_of_the_metres(stages, name):
    _, folder = stages
    keypoints_TVC = Shard(folder / name).read("Sample0001_2")
    picture_TVC = in_picture(keypoints_TVC)
    box = person_box(keypoints_TVC, 1920, 1080, 0.2)
    assert box == person_box(picture_TVC, 1920, 1080, 0.2)
    assert person_square(keypoints_TVC) == person_square(picture_TVC)
    depth_THW = skeleton_depth(keypoints_TVC, selection_named(name), box, 64)
    np.testing.assert_array_equal(depth_THW, skeleton_depth(picture_TVC, selection_named(name), box, 64))
    assert np.ptp(depth_THW) > 0


def test_depth_from_all_joints_shows_the_head_above_the_shoulders(stages):
    _, folder = stages
    keypoints_TVC = Shard(folder / "25").read("Sample0001_2")
    legless_TVC = keypoints_TVC.copy()
    legless_TVC[:, [i for i, n in enumerate(NAMES) if n.endswith(("spine", "hip", "knee", "ankle", "foot"))]] = 0
    box = person_box(keypoints_TVC, 1920, 1080, 0.2)
    depths = [skeleton_depth(each_TVC, selection_named("25"), box, 64) for each_TVC in (keypoints_TVC, legless_TVC)]
    np.testing.assert_array_equal(*depths)  # legs are not drawn, and do not drag the head down
