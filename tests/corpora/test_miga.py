import re
import shutil

import numpy as np
import pandas as pd
import pytest

from fixtures.mutations import attempt
from fixtures.release_files import (
    MIGA_LABELS,
    TEST_RECORDING,
    keypoints,
    numbered_frames,
    write_light_hand,
    write_lines,
    write_miga,
    write_openpose,
    write_video,
)
from microgesture.corpora import list_clips, miga, provides
from microgesture.errors import InputError
from microgesture.storage.clips import read_clips, write_clips


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    return write_miga(tmp_path_factory.mktemp("release"), MIGA_LABELS)


@pytest.fixture
def release(written, tmp_path):
    """A copy of the release, to be changed."""
    return shutil.copytree(written, tmp_path / "imigue")


def table(root, **options):
    return list_clips("imigue", "miga", root, 4, **options).table


def by_id(root, **options):
    return table(root, **options).set_index("clip_id")


def reasons(root, **options):
    rows = table(root, **options)
    return dict(rows[rows.status == "quarantined"][["clip_id", "reason"]].to_numpy())


def test_the_tables_have_the_published_sizes():
    assert len(miga.CLASSES) == len(set(miga.CLASSES)) == 32
    assert (miga.CLASSES[0], miga.CLASSES[23], miga.CLASSES[31]) == (
        "Turtle neck",
        "Crossing fingers",
        "Illustrative gesture",
    )
    assert {split: len(set(miga.OFFICIAL_SPLITS[split])) for split in ("val", "test")} == {"val": 10, "test": 104}


def test_a_release_becomes_the_clips_table(release, tmp_path):
    clips = list_clips("imigue", "miga", release, 4)
    assert list(clips.table.clip_id) == ["0001_0", "0012_0", "0012_1", "0012_2", "0054_0", "0054_1"]
    rows = clips.table.set_index("clip_id")
    assert (rows.status == "ok").all()
    assert rows.split.to_dict() == {
        "0001_0": "val",
        **{f"0012_{row}": "train" for row in range(3)},
        **{f"0054_{row}": "test" for row in range(2)},
    }
    assert rows.label.dropna().to_dict() == {"0001_0": 1, "0012_0": 0, "0012_1": 31, "0012_2": 30}
    clip = rows.loc["0012_2"]
    assert (clip.start, clip.end, clip.n_frames, clip.video_start, clip.skeleton_start) == (18, 39, 22, 18, 18)
    assert clip.video == "imigue_rgb/train_data/0012/0012.mp4"
    assert clip.skeleton == "imigue_skeleton/imigue_skeleton_train/0012/0012_openpose.xlsx"
    assert (clip.fps, clip.width, clip.height, clip.recording) == (25, 64, 48, "0012")
    assert rows.loc["0012_0"].shard == rows.loc["0012_1"].shard == clip.shard
    write_clips(tmp_path / "clips.parquet", clips)
    stored, listed = (
        table.astype(object).where(table.notna(), None)
        for table in (read_clips(tmp_path / "clips.parquet").table, clips.table)
    )
    pd.testing.assert_frame_equal(stored, listed)


def test_nothing_of_the_test_labels_is_read(release):
    before = table(release)
    labels = release / f"imigue_skeleton/imigue_skeleton_test/{TEST_RECORDING}/{TEST_RECORDING}_label.csv"
    for garbage in (["99,0,9", "0,10,19"], ["-7,0,9", "banana,10,19"], [",0,9", ",10,19"], ["0,9", "10,19"]):
        write_lines(labels, garbage)
        pd.testing.assert_frame_equal(table(release), before)


@pytest.mark.parametrize(
    ("label_folder", "video"),
    [
        ("datasets/imigue_skeleton_validate/0001", "imigue_rgb_phase1/validation_data/0001/0001.mp4"),
        ("mg_skeleton_only/0001", "iMiGUE_RGB_Phase1/imigue_rgb_validate/0001/0001.mp4"),
        ("Val/0001", "valid/0001.mp4"),
        ("anything/0001", "imigue_rgb_phase2/0001/0001.MP4"),
    ],
)
def test_the_folders_of_every_year_are_understood(tmp_path, label_folder, video):
    write_miga(tmp_path, {"train/0012": MIGA_LABELS["train/0012"]})
    write_lines(tmp_path / label_folder / "0001_label.csv", ["2,3,12"])
    write_openpose(tmp_path / label_folder / "0001_2.xlsx", keypoints(20, 137))
    write_video(tmp_path / "written.mp4", numbered_frames(20))
    (tmp_path / video).parent.mkdir(parents=True)
    (tmp_path / "written.mp4").rename(tmp_path / video)
    clip = by_id(tmp_path).loc["0001_0"]
    assert (clip.split, clip.status, clip.video, clip.skeleton) == (
        "val",
        "ok",
        video,
        f"{label_folder}/0001_2.xlsx",
    )


def test_without_split_folders_the_official_lists_decide(tmp_path):
    for recording in ("0012", "0001", TEST_RECORDING):
        write_lines(tmp_path / recording / f"{recording}_label.csv", ["2,3,12"])
        write_openpose(tmp_path / recording / f"{recording}_openpose.xlsx", keypoints(20, 137))
    assert by_id(tmp_path).split.to_dict() == {"0001_0": "val", "0012_0": "train", "0054_0": "test"}


def test_words_in_the_path_to_the_corpus_decide_nothing(tmp_path):
    root = tmp_path / "test" / "imigue"
    write_lines(root / "0012" / "0012_label.csv", ["2,3,12"])
    write_openpose(root / "contest" / "0012_openpose.xlsx", keypoints(20, 137))
    assert by_id(root).split.to_dict() == {"0012_0": "train"}


def test_clips_cut_beforehand_are_used_where_there_is_no_long_video(tmp_path):
    write_miga(tmp_path, {"train/0012": ["1,0,9", "2,8,19"]}, videos=False)
    for row in range(2):
        write_video(tmp_path / "train" / f"0012_{row}.mp4", numbered_frames(10 + 2 * row))
    rows = by_id(tmp_path)
    assert rows.status.to_dict() == {"0012_0": "ok", "0012_1": "ok"}
    clip = rows.loc["0012_1"]
    assert (clip.video, clip.video_start, clip.skeleton_start) == ("train/0012_1.mp4", 0, 8)


def test_either_skeleton_file_can_be_asked_for(release):
    folder = release / "imigue_skeleton/imigue_skeleton_train/0012"
    write_light_hand(folder / "0012_light_hand.csv", keypoints(40, 35))
    assert by_id(release).loc["0012_0"].skeleton.endswith("0012_openpose.xlsx")
    light = by_id(release, skeleton="light_hand")
    assert light.loc["0012_0"].skeleton.endswith("0012_light_hand.csv")
    (folder / "0012_openpose.xlsx").unlink()
    assert by_id(release).loc["0012_0"].skeleton.endswith("0012_light_hand.csv")
    with pytest.raises(InputError, match=r"'heavy' .*auto, openpose, light_hand"):
        list_clips("imigue", "miga", release, 4, skeleton="heavy")


def test_rows_that_make_no_sense_are_quarantined_with_file_row_and_value(tmp_path):
    rows = ["32,0,9", "1,12,3", "x,0,9", "1,two,9", "0,0,9", "1,0", "1,-4,9", "1,0,9.5", "1,1e20,9", "", "1,0,9"]
    write_miga(tmp_path, {"train/0012": rows}, videos=False)
    expected = {
        "0012_0": "0012_label.csv, row 1: column 1: class '32'",
        "0012_1": "0012_label.csv, row 2: end 3 is before start 12",
        "0012_2": "0012_label.csv, row 3: column 1: class 'x'",
        "0012_3": "0012_label.csv, row 4: start 'two' is not a frame number",
        "0012_4": "0012_label.csv, row 5: column 1: class '0'",
        "0012_5": "0012_label.csv, row 6: 2 columns, expected class, first frame, last frame",
        "0012_6": "0012_label.csv, row 7: start -4 is negative",
        "0012_7": "0012_label.csv, row 8: end '9.5' is not a frame number",
        "0012_8": "0012_label.csv, row 9: start '1e20' is not a frame number",
    }
    found = reasons(tmp_path)
    assert list(found) == list(expected)
    for clip_id, reason in expected.items():
        assert found[clip_id].startswith(reason)
    assert by_id(tmp_path).loc["0012_9"].status == "ok"


def test_an_end_shortly_after_the_video_is_moved_and_a_later_one_quarantined(tmp_path):
    write_miga(tmp_path, {"train/0012": ["1,30,39", "1,30,44", "1,30,45", "1,41,43"]}, frames=40)
    rows = by_id(tmp_path)
    assert rows.loc["0012_0", ["end", "n_frames"]].to_list() == [39, 10]
    assert rows.loc["0012_1", ["end", "n_frames", "status"]].to_list() == [39, 10, "ok"]
    assert "0012_label.csv, row 3: end 45 is 6 frames after" in rows.loc["0012_2"].reason
    assert rows.loc["0012_3"].status == "quarantined"
    assert by_id(tmp_path, end_tolerance=6).loc["0012_2"].status == "ok"
    assert by_id(tmp_path, end_tolerance=0).loc["0012_1"].status == "quarantined"


def test_a_recording_whose_video_is_none_is_quarantined_and_the_others_go_on(release):
    write_lines(release / "imigue_rgb/train_data/0012/0012.mp4", ["<html>"])
    found = reasons(release)
    assert sorted(found) == ["0012_0", "0012_1", "0012_2"]
    assert all("0012.mp4: not a readable video" in reason for reason in found.values())


def test_a_recording_without_a_file_that_others_have_is_quarantined(tmp_path):
    labels = {**MIGA_LABELS, "train/0013": ["1,0,9"]}
    root = write_miga(tmp_path, labels)
    (root / "imigue_rgb/train_data/0013/0013.mp4").unlink()
    found = reasons(root)
    assert list(found) == ["0013_0"]
    assert "0013_label.csv, row 1: no video under" in found["0013_0"]
    assert "expected 0013.mp4 or 0013_0.mp4" in found["0013_0"]


def test_what_the_corpus_provides_is_what_every_split_has(release):
    assert provides("miga", release) == {"video", "keypoints"}
    (release / f"imigue_rgb/test_data/{TEST_RECORDING}/{TEST_RECORDING}.mp4").unlink()
    assert provides("miga", release) == {"keypoints"}
    assert reasons(release) == {}


def test_subjects_come_from_the_licence_holders_table(release):
    write_lines(
        release / "Label" / "labels_20200831.csv",
        ["video_id,label_id,class,subject_id", "12,1,5,30", "12,2,5,30", "1,1,5,6", "54,1,5,71"],
    )
    subjects = by_id(release).subject
    assert subjects["0012_0"] == "30"
    assert subjects["0001_0"] == "6"
    write_lines(release / "Label" / "labels_20200831.csv", ["video_id,subject_id", "12,30", "54,30"])
    with pytest.raises(InputError, match="subject 30 is in test and in train or val"):
        table(release)
    assert table(release, allow_shared_subjects=True).subject.notna().sum() == 5


def test_a_repeated_label_file_must_say_the_same(release):
    rows = MIGA_LABELS["train/0012"]
    before = table(release)
    write_lines(release / "imigue_rgb/train_data/0012/0012_label.csv", rows)
    pd.testing.assert_frame_equal(table(release), before)
    write_lines(release / "imigue_rgb/train_data/0012/0012_label.csv", rows[::-1])
    with pytest.raises(
        InputError, match=r"train_data/0012/0012_label\.csv and .*0012_label\.csv give the same clip ids"
    ):
        table(release)


def test_two_videos_of_one_name_are_told_apart_by_split_or_refused(release):
    write_video(release / "test" / "0012.mp4", numbered_frames(3))
    assert by_id(release).loc["0012_0"].video == "imigue_rgb/train_data/0012/0012.mp4"
    write_video(release / "train" / "0012.mp4", numbered_frames(3))
    with pytest.raises(InputError, match=r"train_data/0012/0012\.mp4 and train/0012\.mp4 have the same name"):
        table(release)


def test_a_recording_without_labels_is_named_on_the_screen(release, capsys):
    write_video(release / "imigue_rgb/train_data/0099/0099.mp4", numbered_frames(3))
    assert len(table(release)) == 6
    assert "clips: 0099" in capsys.readouterr().err


def test_a_corpus_that_makes_no_sense_is_refused_before_any_work(tmp_path, release):
    with pytest.raises(InputError, match=r"nowhere: no such folder; set root"):
        table(tmp_path / "nowhere")
    with pytest.raises(InputError, match="no such folder"):
        provides("miga", tmp_path / "nowhere")
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match=r"no label file \(NNNN_label.csv\)"):
        table(tmp_path / "empty")
    with pytest.raises(InputError, match="format 'ntu' is unknown; the formats are miga, ma52, smg, manifest"):
        list_clips("x", "ntu", release, 4)
    with pytest.raises(InputError, match="has no option 'skelton'; did you mean 'skeleton'"):
        table(release, skelton="auto")
    only_test = write_miga(tmp_path / "only", {f"test/{TEST_RECORDING}": ["1,0,9"]}, videos=False)
    with pytest.raises(InputError, match=r"no clip of .* is in the train split"):
        table(only_test)
    (release / "imigue_skeleton/imigue_skeleton_train/0012/0012_label.csv").write_bytes(b"\xe41,0,9\n")
    with pytest.raises(InputError, match=r"0012_label\.csv: not a text file in UTF-8"):
        table(release)


def test_any_text_in_a_label_file_gives_rows_or_a_clear_error(tmp_path):
    letters = np.array(list('0123456789,-."\n x\0'))
    choose = np.random.default_rng(0)
    write_miga(tmp_path, {"train/0012": ["1,0,9"]}, videos=False)
    labels = tmp_path / "imigue_skeleton/imigue_skeleton_train/0012/0012_label.csv"
    for _ in range(100):
        labels.write_text("1,0,9\n" + "".join(choose.choice(letters, 30)))
        rows, refused = attempt(by_id, tmp_path)
        if refused:
            assert re.search(r"0012_label\.csv, row \d+: .*the quotes", refused)
            continue
        assert rows.loc["0012_0"].status == "ok"
        assert (rows.reason.isna() == (rows.status == "ok")).all()


def test_a_stray_quote_does_not_swallow_the_rows_after_it(tmp_path):
    for rows in (["1,0,9", '"2,5,20', "3,8,9"], ["1,0,9", '"2,5,20', '3,8",9']):
        write_miga(tmp_path, {"train/0012": rows}, videos=False)
        with pytest.raises(InputError, match=r"0012_label\.csv, row 2: .*the quotes"):
            table(tmp_path)


def test_rows_are_counted_as_they_stand_in_the_file(tmp_path):
    write_miga(tmp_path, {"train/0012": ["x,y,z1", ",,", "1,0,9", "", "2,5,20", ",,", " "]}, videos=False)
    rows = by_id(tmp_path)
    assert rows.status.to_list() == ["quarantined", "quarantined", "ok", "ok"]
    assert rows.loc["0012_3", ["label", "start", "end"]].to_list() == [1, 5, 20]
    write_miga(tmp_path, {"train/0012": ["class,start,end", "1,0,9"]}, videos=False)
    assert by_id(tmp_path).status.to_dict() == {"0012_0": "ok"}


def test_a_clip_too_long_to_count_is_quarantined(tmp_path):
    write_miga(tmp_path, {"train/0012": ["1,0,2147483647", "1,0,9"]}, videos=False)
    assert reasons(tmp_path) == {"0012_0": "0012_label.csv, row 1: end '2147483647' is not a frame number"}


def test_one_recording_shows_one_subject(release):
    write_lines(release / "labels_20200831.csv", ["video_id,subject_id", "12,30", "12,80"])
    with pytest.raises(InputError, match=r"row 3: subject 80 in recording 0012, but 30 before"):
        table(release)
