"""One clip with known joints, written in every layout and file, comes out as the same joints."""

import json
import zlib

import numpy as np
import pytest
import torch

from fixtures import keypoint_files
from fixtures.keypoint_files import layouts_and_writers
from fixtures.mutations import attempt, damaged, fuzz, fuzzed
from fixtures.release_files import write_lines, write_npz
from fixtures.skeletons import the_person
from microgesture.config.layouts import LAYOUT_NAMES, LayoutTable
from microgesture.errors import UnusableClip
from microgesture.skeletons.input import mirror_points
from microgesture.skeletons.keypoints import cut_clip, in_space
from microgesture.skeletons.layouts import Skeleton, layout_named, mirrored_name
from microgesture.skeletons.plausibility import Picture, Rules, doubts
from microgesture.skeletons.reading import in_space as in_space_file
from microgesture.skeletons.reading import read_skeleton, skeleton_length
from microgesture.skeletons.selections import selection_named

T = 4
BY_NAME = {"kinect_v2": "kinect_v2", "ntu_25": "ntu_25"}  # not told by their number


def place(name, t):
    """Where a joint is: the left of the person on the right of the picture, each joint elsewhere, moving."""
    side, _, rest = name.partition(" ")
    other = {"left": 1, "right": -1}.get(side, 0)
    number = zlib.crc32((rest if other else name).encode())
    return 500 + other * (20 + number % 300) + 3 * t, 100 + number // 300 % 700 + t, 0.3 + number % 7 / 10


def clip(layout):
    """The points of a file, (T, V, 3); those without a name are elsewhere."""
    names = layout.table.in_order
    return np.array([[place(name, t) if name else (1, 2, 0.5) for name in names] for t in range(T)], np.float32)


def expected(layout, name):
    if name not in layout.table.means:
        return np.array([place(name, t) for t in range(T)])
    ends_T = np.array([[place(end, t) for end in layout.table.means[name]] for t in range(T)])
    return np.concatenate((ends_T[..., :2].mean(1), ends_T[..., 2:].min(1)), -1)


@pytest.mark.parametrize(
    ("name", "writer"), [pytest.param(*pair, id=f"{pair[0]} {pair[1].__name__}") for pair in layouts_and_writers()]
)
def test_every_layout_and_file_gives_the_same_joints(tmp_path, name, writer):
    layout = layout_named(name)
    path = writer(tmp_path / "clip", clip(layout), layout)
    read = the_person(read_skeleton(path, Rules(layout=BY_NAME.get(name))))
    assert read.layout.names == layout.names
    assert read.keypoints_TVC.shape == (T, len(layout.names), 3)
    for place_in_file, joint in enumerate(layout.names):
        np.testing.assert_allclose(
            read.keypoints_TVC[:, place_in_file], expected(layout, joint), atol=1e-4, err_msg=joint
        )
    if writer not in (keypoint_files.light_hand, keypoint_files.openpose_xlsx):
        assert skeleton_length(path) == T


@pytest.mark.parametrize("name", LAYOUT_NAMES)
def test_mirrored_twice_is_the_identity_and_pairs_are_of_two_sides(name):
    selection = selection_named(name)
    points_BTVC = torch.from_numpy(np.random.default_rng(0).normal(size=(1, 2, len(selection.joints), 3)))
    yes = torch.tensor([True])
    once_BTVC = mirror_points(points_BTVC, yes, selection)
    torch.testing.assert_close(mirror_points(once_BTVC, yes, selection), points_BTVC)
    for joint, mirror in enumerate(selection.flip):
        assert selection.joints[mirror] == mirrored_name(selection.joints[joint])
        torch.testing.assert_close(once_BTVC[0, :, mirror, 0], -points_BTVC[0, :, joint, 0])
    limbs = {frozenset(edge) for edge in selection.edges}
    assert {frozenset(selection.flip[end] for end in limb) for limb in limbs} == limbs


def test_the_numbers_of_well_known_points_are_the_documented_ones():
    documented = {
        "coco_wholebody": {"left shoulder": 5, "right big toe": 20, "chin": 31, "left hand wrist": 91},
        "halpe_136": {"head top": 17, "left heel": 24, "chin": 34, "left hand wrist": 94, "right hand wrist": 115},
        "mediapipe_pose": {"right ear": 8, "left shoulder": 11, "left index 1": 19, "right heel": 30},
        "kinect_v1": {"neck": 2, "left wrist": 6, "right hand palm": 11, "right hip": 16},
        "openpose_137": {"left wrist": 7, "right jaw 0": 25, "left hand wrist": 95, "right little tip": 136},
    }  # fmt: skip
    for name, places in documented.items():
        in_order = layout_named(name).table.in_order
        assert {joint: in_order.index(joint) for joint in places} == places
    holistic = layout_named("mediapipe_holistic").table.in_order
    assert len(holistic) == 543
    assert [holistic.index(joint) for joint in ("nose tip", "chin", "left hand wrist", "right hand wrist")] == [
        33 + 4, 33 + 152, 501, 522
    ]  # fmt: skip


def test_the_36_points_of_whole_bodies_of_other_detectors_have_a_neck():
    layout = layout_named("coco_wholebody")
    skeleton = Skeleton(layout.named(clip(layout)), layout)
    joints = selection_named("36").joints
    cut_TVC = cut_clip(skeleton, range(T), selection_named("36"), "a.npz")
    np.testing.assert_allclose(cut_TVC[:, joints.index("neck")], expected(layout, "neck"), atol=1e-4)


@pytest.mark.parametrize("up", ["y", "-y", "z"])
def test_points_in_space_of_any_unit_have_a_view_from_the_front(tmp_path, up):
    names = layout_named("kinect_v1").table.spelled
    rng = np.random.default_rng(0)
    x, down, away = rng.uniform((-400, -900, 1500), (400, 900, 3000), (T, 20, 3)).transpose(2, 0, 1)  # millimetres
    stored = {"y": (x, -down, away), "-y": (x, down, away), "z": (x, away, -down)}[up]
    np.savez(tmp_path / "a.npz", keypoints=np.stack(stored, -1).astype(np.float32), names=names, unit="mm")
    skeleton = read_skeleton(tmp_path / "a.npz", Rules(up=up))
    assert skeleton.layout.name == "kinect_v1"
    assert skeleton.projected
    np.testing.assert_allclose(in_space(skeleton.keypoints_TVC)[..., :3], np.stack((x, down, away), -1), rtol=1e-5)
    seen_N2 = skeleton.keypoints_TVC[..., :2].reshape(-1, 2)
    np.testing.assert_allclose(np.corrcoef(seen_N2[:, 0], x.ravel())[0, 1], 1, atol=1e-6)
    np.testing.assert_allclose(np.corrcoef(seen_N2[:, 1], down.ravel())[0, 1], 1, atol=1e-6)
    assert seen_N2.min() == pytest.approx(1)
    refused = doubts(skeleton, Picture(640, 480, T))
    assert [doubt.kind for doubt in refused if doubt.refused] == ["space"]


def test_a_tidy_table_with_z_is_in_space(tmp_path):
    rows = [f"{t},{joint},{x},{y},2.5" for t in range(T) for joint, x, y in (("hip", 0.1, 0.2), ("head", 0.1, 0.9))]
    path = write_lines(tmp_path / "mocap.csv", ["frame,joint,x,y,z", *rows])
    skeleton = the_person(read_skeleton(path))
    assert in_space_file(path)
    assert skeleton.projected
    np.testing.assert_allclose(in_space(skeleton.keypoints_TVC)[0], [[0.1, -0.2, 2.5, 1], [0.1, -0.9, 2.5, 1]])


def test_what_tells_the_names_must_not_contradict_itself(tmp_path):
    points_TVC = np.ones((T, 25, 3), np.float32)
    plain = write_npz(tmp_path / "plain.npz", points_TVC)
    with pytest.raises(UnusableClip, match=r"plain.npz: 25 points may be body_25 or kinect_v2"):
        read_skeleton(plain)
    assert read_skeleton(plain, Rules(layout="body_25")).layout.names[8] == "mid hip"
    with pytest.raises(UnusableClip, match=r"25 points, but .* COCO-17, has 17"):
        read_skeleton(plain, Rules(layout="coco_17"))
    np.savez(tmp_path / "wrong.npz", keypoints=points_TVC, names=layout_named("body_25").names)
    with pytest.raises(UnusableClip, match=r"wrong.npz: its point 'nose' is 'mid hip' in .*Kinect v2"):
        read_skeleton(tmp_path / "wrong.npz", Rules(layout="kinect_v2"))
    own = LayoutTable(points=("snout", "left ear", "right ear"), limbs=(("left ear", "snout", "right ear"),))
    mouse = read_skeleton(write_npz(tmp_path / "mouse.npz", points_TVC[:, :3]), Rules(layout=own))
    assert mouse.layout.names == own.points
    with pytest.raises(UnusableClip, match="3 points alone do not tell their names"):
        read_skeleton(tmp_path / "mouse.npz")


def test_damage_of_the_files_of_other_programs_is_told(tmp_path):
    layout = layout_named("openpose_137")
    folder = keypoint_files.openpose_json(tmp_path / "clip", clip(layout), layout)
    (folder / "a_000000000001_keypoints.json").unlink()
    with pytest.raises(UnusableClip, match="1 frames are missing, the first is 1"):
        read_skeleton(folder)
    (folder / "a_000000000001_keypoints.json").write_text('{"people": [{"pose_keypoints_2d": [1, 2]}]}')
    with pytest.raises(UnusableClip, match=r"pose_keypoints_2d has 2 numbers, expected 75"):
        read_skeleton(folder)
    (folder / "a_000000000001_keypoints.json").write_text('{"people": []}')
    read = the_person(read_skeleton(folder))
    assert not read.keypoints_TVC[1].any()
    gone = [{"frame_id": t, "instances": [{"keypoints": [[1, 2]] * 17}]} for t in (0, 2)]
    for name, content, message in (
        ("gap.json", gone, "frame 1 has frame_id 2, expected 1"),
        ("other.json", [{"boxes": []}], "neither a file of MMPose"),
        ("text.json", [{"frame_id": 0, "instances": [{"keypoints": [["a", 2]] * 17}]}], "not a number"),
    ):
        (tmp_path / name).write_text(json.dumps(content))
        with pytest.raises(UnusableClip, match=rf"{name}.*{message}"):
            read_skeleton(tmp_path / name)
    for name, lines, message in (
        ("twice.csv", ["frame,joint,x,y", "0,nose,1,2", "0,nose,1,2"], "row 3: frame 0 has 'nose' twice"),
        ("word.csv", ["frame,joint,x,y", "0,nose,one,2"], "row 2, column x: 'one' is not a number"),
        ("half.csv", ["frame,joint,x,y", "0.5,nose,1,2"], "'0.5' is not the number of a frame"),
        ("kind.csv", ["frame,type,landmark_index,x,y", "0,foot,0,1,2"], "type 'foot' is not one of"),
        ("dlc.csv", ["scorer,n,n,n", "bodyparts,a,a,a", "coords,x,y,likelihood", "0,1,2,1", "2,1,2,1"], "missing"),
    ):
        with pytest.raises(UnusableClip, match=rf"{name}.*{message}"):
            read_skeleton(write_lines(tmp_path / name, lines))


def test_values_that_are_no_numbers_are_told(tmp_path):
    layout = layout_named("coco_17")
    points_TVC = clip(layout)
    points_TVC[2, 5, 0] = np.nan
    skeleton = read_skeleton(keypoint_files.npz(tmp_path / "clip", points_TVC, layout))
    (found,) = doubts(skeleton, Picture())
    assert (found.kind, found.refused) == ("numbers", False)
    assert "first left shoulder in frame 2" in found.text


@fuzzed
def test_damaged_files_are_read_or_refused_by_name(tmp_path, examples):
    layout = layout_named("coco_17")
    files = [writer(tmp_path / writer.__name__, clip(layout)[:2], layout)
             for writer in (keypoint_files.mmpose_json, keypoint_files.alphapose_json, keypoint_files.tidy_csv,
                            keypoint_files.wide_csv, keypoint_files.deeplabcut_csv)]  # fmt: skip

    def check_of(path):
        def check(data):
            path.write_bytes(data)
            read, refused = attempt(read_skeleton, path)
            assert path.name in refused if refused else read.length >= 0

        return check

    for path in files:
        fuzz(check_of(path), damaged(path.read_bytes()), examples // len(files))
