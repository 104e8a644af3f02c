from pathlib import Path

import numpy as np
import pytest

from fixtures.release_files import (
    SMG_LABELS,
    kinect_columns,
    kinect_metres,
    numbered_frames,
    write_kinect,
    write_lines,
    write_smg,
    write_video,
)
from microgesture.corpora import list_clips, provides, smg
from microgesture.corpora.labels import split_of_recording
from microgesture.errors import InputError

SKELETONS = "smg_data_phase1/smg_skeleton_{}"


@pytest.fixture
def release(tmp_path):
    return write_smg(tmp_path / "smg", SMG_LABELS)


def by_id(root):
    return list_clips("smg", "smg", root, 4).table.set_index("clip_id")


def test_the_table_has_the_published_classes_and_subjects():
    assert len(smg.CLASSES) == len(set(smg.CLASSES)) == 17
    assert (smg.CLASSES[0], smg.CLASSES[3], smg.CLASSES[16]) == (
        "Turtling neck and shoulder",
        "Touching or covering suprasternal notch",
        "Illustrative hand gestures",
    )
    assert tuple(map(str, range(1, 18))) == smg.TARGETS
    splits = [split_of_recording(f"Sample{number:04d}", Path("x.csv"), smg.OFFICIAL_SPLITS) for number in range(1, 41)]
    assert splits == ["train"] * 30 + ["val"] * 5 + ["test"] * 5


def test_label_files_become_the_clips_table(release):
    rows = by_id(release)
    assert list(rows.index) == [
        *("Sample0001_0", "Sample0001_1", "Sample0001_2"),
        *("Sample0031_0", "Sample0036_0", "Sample0036_1"),
    ]
    assert (rows.status == "ok").all()
    assert rows.label.dropna().to_dict() == {
        "Sample0001_0": 14,
        "Sample0001_1": 0,
        "Sample0001_2": 16,
        "Sample0031_0": 1,
    }
    assert rows.split.tolist() == ["train"] * 3 + ["val"] + ["test"] * 2
    assert (rows.recording == rows.subject).all()
    assert (rows.fps == 28).all()
    clip = rows.loc["Sample0001_1"]
    assert clip.subject == "Sample0001"
    assert clip.video == "SMG_RGB_Phase1/smg_rgb_train/Sample0001/Sample0001_color.mp4"
    assert clip.skeleton == "smg_data_phase1/smg_skeleton_train/Sample0001/Sample0001_skeleton.csv"
    assert (clip.start, clip.end, clip.video_start, clip.skeleton_start) == (5, 19, 5, 5)


@pytest.mark.parametrize(("start", "end"), [(0, 1), (0, 10), (3, 4), (18, 40)])
def test_a_clip_has_the_frames_that_all_of_the_authors_code_shows(release, start, end):
    write_lines(release / SKELETONS.format("train") / "Sample0001/Sample0001_finelabels.csv", [f"1,{start},{end}"])
    from_zero_without_end = {start + frame for frame in range(end - start)}  # smg_gendata.py
    from_one_with_end = {number - 1 for number in range(start, end + 1)}  # SMGaccessSample.py and THDutils.py
    clip = by_id(release).loc["Sample0001_0"]
    assert set(range(clip.start, clip.end + 1)) == from_zero_without_end & from_one_with_end
    assert clip.n_frames == end - start


def test_folders_do_not_matter_but_for_the_splits_that_they_name(release, tmp_path):
    before = by_id(release)
    flat = tmp_path / "other"
    for path in sorted(release.rglob("*.*")):
        kind = "colour" if path.suffix == ".mp4" else "experimentWell_skeleton"
        target = flat / kind / path.parent.name / path.name
        target.parent.mkdir(parents=True, exist_ok=True)
        path.rename(target)
    after = by_id(flat)
    assert after.loc["Sample0036_1"].skeleton == "experimentWell_skeleton/Sample0036/Sample0036_skeleton.csv"
    assert after.drop(columns=["video", "skeleton"]).equals(before.drop(columns=["video", "skeleton"]))
    (flat / "experimentWell_skeleton").rename(flat / "my_test_data")
    with pytest.raises(InputError, match=r"no clip of .* is in the train split"):
        by_id(flat)


def test_skeletons_or_videos_alone_will_do(release, tmp_path):
    assert provides("smg", release) == {"video", "keypoints", "metres"}
    videos = [path for path in release.rglob("*.mp4")]
    for path in videos:
        path.rename(tmp_path / path.name)
    assert provides("smg", release) == {"keypoints", "metres"}
    rows = by_id(release)
    assert (rows.status == "ok").all()
    assert rows.video.isna().all()
    for path in videos:
        (tmp_path / path.name).rename(path)
    for path in release.rglob("*_skeleton.csv"):
        path.unlink()
    assert provides("smg", release) == {"video"}
    assert (by_id(release).status == "ok").all()


def test_the_labels_of_test_are_not_read(release):
    before = by_id(release)
    path = release / SKELETONS.format("test") / "Sample0036/Sample0036_finelabels.csv"
    for rows in (["1,0,9", "17,10,19"], ["-,0,9", "x,10,19"], ["0,9", "10,19"]):
        write_lines(path, rows)
        assert by_id(release).equals(before)


def test_rows_that_make_no_sense_are_quarantined(release):
    path = release / SKELETONS.format("train") / "Sample0001/Sample0001_finelabels.csv"
    rows = ["15,0,10", "0,0,9", "18,0,9", "3,9,9", "3,9,5", "3,-1,5", "3,1", "x,1,5", "3,1,9e9", "4,30,90"]
    write_lines(path, rows)
    table = by_id(release)
    assert table.index[:10].tolist() == [f"Sample0001_{row}" for row in range(10)]
    reasons = table.reason[table.status == "quarantined"].to_dict()
    assert set(reasons) == {f"Sample0001_{row}" for row in range(1, 10)}
    assert "Sample0001_finelabels.csv, row 2: column 1: class '0'" in reasons["Sample0001_1"]
    assert "end 9 is not after start 9" in reasons["Sample0001_3"]
    assert "row 5: end 5 is before start 9" in reasons["Sample0001_4"]
    assert "start -1 is negative" in reasons["Sample0001_5"]
    assert "2 columns, expected class, start, end" in reasons["Sample0001_6"]
    assert "end 89 is 50 frames after" in reasons["Sample0001_9"]


def test_the_frame_rate_is_that_of_the_data_file_and_a_damaged_one_is_told(release):
    for path in release.rglob("*.mp4"):
        path.unlink()
    data = release / SKELETONS.format("train") / "Sample0001/Sample0001_data.csv"
    write_lines(data, ["14000,29.5,4500"])
    assert by_id(release).loc["Sample0001_0"].fps == 29.5
    for text in ("14000", "", "14000,x,4500", "14000,0,4500", "14000,inf,4500"):
        write_lines(data, [text])
        rows = by_id(release)
        told = rows.reason[rows.recording == "Sample0001"]
        assert told.str.contains("Sample0001_data.csv .*second column").all()
        assert (rows.status[rows.recording != "Sample0001"] == "ok").all()
    data.unlink()
    assert (by_id(release).status == "ok").all()


def test_files_that_contradict_each_other_are_refused(release):
    with pytest.raises(InputError, match=r"no label file \(SampleNNNN_finelabels.csv\)"):
        by_id(release / "SMG_RGB_Phase1")
    before = by_id(release)
    copy = release / "SMG_RGB_Phase1/smg_rgb_train/Sample0001/Sample0001_finelabels.csv"
    write_lines(copy, SMG_LABELS["train/Sample0001"])
    assert by_id(release).equals(before)
    write_lines(copy, ["15,0,11"])
    with pytest.raises(InputError, match=r"Sample0001_finelabels\.csv and .* give the same clip ids but differ"):
        by_id(release)
    copy.unlink()
    write_video(release / "old/train/Sample0001_color.mp4", numbered_frames(3))
    with pytest.raises(InputError, match=r"Sample0001_color\.mp4 have the same name"):
        by_id(release)


def test_a_recording_without_labels_is_told(release, capsys):
    write_kinect(release / "SMG_RGB_Phase2/Sample0039/Sample0039_skeleton.csv", kinect_columns(kinect_metres(2)))
    assert "Sample0039" not in " ".join(by_id(release).index)
    assert "clips: Sample0039" in capsys.readouterr().err


def test_no_subject_is_in_two_splits(release):
    rows = by_id(release)
    assert np.unique(rows.groupby("subject").split.nunique()).tolist() == [1]
