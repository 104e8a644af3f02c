from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from fixtures.release_files import keypoints, write_light_hand, write_lines, write_npz, write_openpose, write_xlsx
from microgesture.errors import UnusableClip
from microgesture.skeletons.reading import read_skeleton, read_skeletons, skeleton_length
from microgesture.storage.clips import SCHEMA, Clips
from microgesture.storage.shards import Shard


def test_an_openpose_file_is_read_as_it_is(tmp_path):
    keypoints_TVC = keypoints(7, 137)
    keypoints_TVC[3] = 0  # nobody in the frame
    read = read_skeleton(write_openpose(tmp_path / "0012_openpose.xlsx", keypoints_TVC)).keypoints_TVC
    assert read.dtype == np.float32
    np.testing.assert_array_equal(read, keypoints_TVC)


COLUMN_NAMES = ",".join(f"point{point}_{axis}" for point in range(35) for axis in "xyc")


@pytest.mark.parametrize(
    "header",
    [
        None,
        f"frame,{COLUMN_NAMES}",
        f",{COLUMN_NAMES}",
        "," + ",".join(map(str, range(105))),
        ",".join(map(str, range(106))),
    ],
)
def test_light_hand_files_with_and_without_column_names_are_read_alike(tmp_path, header):
    keypoints_TVC = keypoints(5, 35)
    read = read_skeleton(write_light_hand(tmp_path / "0012_light_hand.csv", keypoints_TVC, header)).keypoints_TVC
    np.testing.assert_allclose(read, keypoints_TVC, rtol=1e-6)


def test_a_single_frame_is_not_taken_for_column_names(tmp_path):
    keypoints_TVC = keypoints(1, 137)
    assert read_skeleton(write_openpose(tmp_path / "a.xlsx", keypoints_TVC)).keypoints_TVC.shape == (1, 137, 3)


@pytest.mark.parametrize("columns", [410, 412])
def test_an_openpose_file_of_the_wrong_width_names_file_row_and_count(tmp_path, columns):
    path = write_xlsx(tmp_path / "0012_openpose.xlsx", [[1.5] * columns] * 3)
    with pytest.raises(UnusableClip, match=rf"0012_openpose\.xlsx, row 1: {columns} columns, expected 411"):
        read_skeleton(path)


@pytest.mark.parametrize("columns", [105, 107])
def test_a_light_hand_file_of_the_wrong_width_names_file_row_and_count(tmp_path, columns):
    path = write_lines(tmp_path / "0012_light_hand.csv", [",".join(["1.5"] * columns)] * 3)
    with pytest.raises(UnusableClip, match=rf"0012_light_hand\.csv, row 1: {columns} columns, expected 106"):
        read_skeleton(path)


def test_a_cell_that_is_no_number_names_file_row_and_column(tmp_path):
    rows = keypoints(4, 137).reshape(4, -1).tolist()
    rows[2][9] = "n/a"
    with pytest.raises(UnusableClip, match=r"a_openpose\.xlsx, row 3, column 10: 'n/a' is not a number"):
        read_skeleton(write_xlsx(tmp_path / "a_openpose.xlsx", rows))


def test_nan_and_empty_cells_stay_missing_values(tmp_path):
    rows = keypoints(4, 137).reshape(4, -1).tolist()
    rows[2][9] = None
    read = read_skeleton(write_xlsx(tmp_path / "a.xlsx", rows)).keypoints_TVC
    assert np.argwhere(np.isnan(read)).tolist() == [[2, 3, 0]]
    cells = ["0", *["1"] * 104, "nan"]
    assert np.isnan(read_skeleton(write_lines(tmp_path / "a.csv", [",".join(cells)])).keypoints_TVC[0, 34, 2])


def test_files_with_nothing_in_them_are_refused_by_name(tmp_path):
    write_xlsx(tmp_path / "0347_2.xlsx", [])
    write_lines(tmp_path / "0347_light_hand.csv", [])
    write_lines(tmp_path / "names_light_hand.csv", [f"frame,{COLUMN_NAMES}"])
    write_lines(tmp_path / "text.xlsx", ["no spreadsheet"])
    write_lines(tmp_path / "text.npz", ["no archive"])
    write_npz(tmp_path / "none.npz", np.empty((0, 137, 3), np.float32))
    for name in (*(path.name for path in sorted(tmp_path.iterdir())), "missing.xlsx", "missing.npz"):
        with pytest.raises(UnusableClip, match=name):
            read_skeleton(tmp_path / name)


@pytest.mark.parametrize("points", [137, 35, 28])
def test_archives_keep_their_points_and_tell_their_length_without_being_read(tmp_path, points):
    keypoints_TVC = keypoints(6, points)
    path = write_npz(tmp_path / "clip.npz", keypoints_TVC)
    np.testing.assert_array_equal(read_skeleton(path).keypoints_TVC, keypoints_TVC)
    assert skeleton_length(path) == 6


def test_archives_of_another_shape_or_content_are_refused(tmp_path):
    write_npz(tmp_path / "channels.npz", np.zeros((5, 137, 5), np.float32))
    write_npz(tmp_path / "flat.npz", np.zeros((5, 411), np.float32))
    np.savez(tmp_path / "name.npz", pose=np.zeros((5, 137, 3), np.float32))
    np.savez(tmp_path / "pickle.npz", keypoints=np.array([[[Path("x")] * 3] * 137], object))
    data = write_npz(tmp_path / "cut.npz", keypoints(50, 137)).read_bytes()
    (tmp_path / "cut.npz").write_bytes(data[: len(data) // 2])
    write_npz(tmp_path / "points.npz", np.zeros((5, 40, 3), np.float32))
    for path in tmp_path.iterdir():
        with pytest.raises(UnusableClip, match=path.name):
            read_skeleton(path)


def test_one_broken_recording_leaves_the_others_alone(tmp_path):
    first, third = keypoints(4, 137, seed=1), keypoints(3, 35, seed=3)
    write_openpose(tmp_path / "a" / "0001_openpose.xlsx", first)
    write_xlsx(tmp_path / "a" / "0002_openpose.xlsx", [])
    write_light_hand(tmp_path / "a" / "0003_light_hand.csv", third)
    paths = ["a/0001_openpose.xlsx", "a/0002_openpose.xlsx", "a/0003_light_hand.csv"]
    rows = [(path, shard, "ok") for path in paths for shard in (0, 0, 1)] + [
        (None, 0, "ok"),
        ("gone", 0, "quarantined"),
    ]
    table = pd.DataFrame(rows, columns=["skeleton", "shard", "status"])
    clips = Clips(table.reindex(columns=SCHEMA.names), (), ())
    read_skeletons(clips, 0, tmp_path, tmp_path / "skeletons" / "0.arrow", tmp_path / "scratch")
    stored = Shard(tmp_path / "skeletons" / "0.arrow")
    assert stored.clip_ids == paths
    np.testing.assert_array_equal(stored.read(paths[0]), first)
    np.testing.assert_allclose(stored.read(paths[2]), third, rtol=1e-6)
    assert list(stored.reasons) == [paths[1]]
    assert "0002_openpose.xlsx: the file is empty" in stored.reason(paths[1])
