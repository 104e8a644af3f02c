"""Windows of whole recordings without labels."""

import pytest

from fixtures.release_files import keypoints, write_npz
from microgesture.corpora import list_clips, provides
from microgesture.errors import InputError


@pytest.mark.parametrize(
    ("frames", "windows"),
    [
        (7, [(0, 6)]),  # shorter than a window
        (20, [(0, 9), (10, 19)]),
        (24, [(0, 9), (10, 19)]),  # the rest is less than half a window
        (25, [(0, 9), (10, 19), (20, 24)]),
        (1, [(0, 0)]),
    ],
)
def test_windows_follow_each_other_to_the_end(tmp_path, frames, windows):
    write_npz(tmp_path / "day 1" / "ann.npz", keypoints(frames, 137))
    clips = list_clips("hours", "unlabelled", tmp_path, 4, seconds=0.5, rate=20)
    table = clips.table
    assert list(zip(table.start, table.end, strict=True)) == windows
    assert table.clip_id.tolist() == [f"day 1/ann_{start}" for start, _ in windows]
    assert (table.status == "ok").all()
    assert table.n_frames.sum() == sum(end - start + 1 for start, end in windows)
    assert set(table.recording) == {"day 1/ann"}
    assert set(table.split) == {"train"}
    assert table.label.isna().all()
    assert clips.classes == ()
    assert provides("unlabelled", tmp_path, seconds=0.5, rate=20) == {"keypoints"}


def test_windows_of_one_frame_are_all_frames(tmp_path):
    write_npz(tmp_path / "ann.npz", keypoints(3, 137))
    table = list_clips("hours", "unlabelled", tmp_path, 4, seconds=0.01, rate=10).table
    assert list(zip(table.start, table.end, strict=True)) == [(0, 0), (1, 1), (2, 2)]


def test_a_damaged_recording_costs_itself_and_other_files_are_no_recordings(tmp_path):
    write_npz(tmp_path / "ann.npz", keypoints(20, 137))
    (tmp_path / "bob.npz").write_text("no archive")
    (tmp_path / "notes.txt").write_text("of the day")
    table = list_clips("hours", "unlabelled", tmp_path, 4, seconds=1, rate=10).table.set_index("clip_id")
    assert table.status.to_dict() == {"ann_0": "ok", "ann_10": "ok", "bob_0": "quarantined"}
    assert "bob.npz" in table.loc["bob_0"].reason


def test_a_folder_without_keypoints_is_refused(tmp_path):
    (tmp_path / "notes.txt").write_text("of the day")
    with pytest.raises(InputError, match="there is no file of keypoints"):
        list_clips("hours", "unlabelled", tmp_path, 4)
