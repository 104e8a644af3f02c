import json
from importlib import resources

import pandas as pd
import pytest

from microgesture.emotion.videos import (
    COLUMNS,
    find_label_files,
    list_videos,
    read_labels,
    read_videos,
    video_key,
)
from microgesture.errors import InputError
from microgesture.storage.clips import Clips
from microgesture.storage.files import write_csv


def corpus(recordings):
    """Two clips of each recording, whose split and subject are given; the clips of 0009 are all unusable."""
    rows = [
        (f"{recording}_{n}", recording, split, subject, "quarantined" if recording == "0009" else "ok")
        for recording, (split, subject) in recordings.items()
        for n in range(2)
    ]
    return Clips(pd.DataFrame(rows, columns=["clip_id", "recording", "split", "subject", "status"]), ("a",), ("0",))


RECORDINGS = {
    "0012": ("train", "s1"),
    "0001": ("val", "s2"),
    "0100": ("train", None),
    "0054": ("test", "s3"),
    "0009": ("test", "s4"),
}


def written(path, text):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def test_the_challenges_files_are_found_by_their_names_and_read(tmp_path):
    written(tmp_path / "a" / "train_label.csv", "video_id,label\n12,1\n0100,0\n")
    written(tmp_path / "b" / "validation_label.csv", "label,video_id\nPositive,1\n")
    written(tmp_path / "0012_label.csv", "1,0,5\n")
    written(tmp_path / "labels_of_others.csv", "video_id,subject_id\n12,1\n")
    videos = list_videos(corpus(RECORDINGS), tmp_path, [], "corpus")
    assert videos.video_id.tolist() == ["0001", "0009", "0012", "0054", "0100"]
    assert videos.set_index("video_id").label.dropna().to_dict() == {"0001": "win", "0012": "win", "0100": "lose"}
    assert videos.split.tolist() == ["val", "test", "train", "test", "train"]


def test_the_owners_file_has_a_row_for_each_clip(tmp_path):
    rows = "".join(f"{video},{n},{word}\n" for video, word in ((12, "Win"), (100, "Lose")) for n in range(3))
    path = written(tmp_path / "labels_20200831.csv", f"video_id,label_id,win_or_lose\n{rows}")
    assert find_label_files(tmp_path) == [path]
    assert read_labels([path], {"12", "100"}) == {"12": "win", "100": "lose"}


def test_what_stands_there_of_test_videos_changes_nothing(tmp_path):
    labels = "video_id,label\n12,1\n1,0\n"
    path = written(tmp_path / "labels.csv", labels)
    plain = list_videos(corpus(RECORDINGS), tmp_path, [path], "corpus")
    assert plain[plain.split == "test"].label.isna().all()
    for planted in ("54,1\n0009,0\n", "54,0\n54,1\n", "54,nonsense\n9,\n"):
        path.write_text(labels + planted)
        pd.testing.assert_frame_equal(list_videos(corpus(RECORDINGS), tmp_path, [path], "corpus"), plain)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("video_id,label\n12,won\n", "row 1 .*label 'won' .*lose, 0, negative, win, 1, positive"),
        ("video_id,label\n12,2\n", "row 1 .*label '2' "),
        ("video_id,win_or_lose\n12,win\n0012,Lose\n", "row 2 .*video 0012 is 'Lose', but 'win' in .*row 1"),
        ("video_id,label\n,1\n", "row 1 .*video_id"),
        ("video,label\n12,1\n", "needs the columns video_id and win_or_lose or label, but has video, label"),
        ("video_id,label\n54,1\n", "no video of train or val has a label"),
    ],
)
def test_odd_labels_are_refused_by_file_row_and_value(tmp_path, text, sentence):
    path = written(tmp_path / "mine.csv", text)
    with pytest.raises(InputError, match=sentence):
        list_videos(corpus(RECORDINGS), tmp_path, [path], "corpus")


def test_a_folder_without_labels_is_told(tmp_path):
    written(tmp_path / "labels_demo.csv", "video_id,subject_id\n12,1\n")
    with pytest.raises(InputError, match=r"no file labels\*.csv.*set emotion.labels"):
        list_videos(corpus(RECORDINGS), tmp_path, [], "corpus")


def test_two_recordings_of_one_number_or_one_in_two_splits_are_refused(tmp_path):
    path = written(tmp_path / "labels.csv", "video_id,label\n12,1\n")
    with pytest.raises(InputError, match="has the same number as another"):
        list_videos(corpus({**RECORDINGS, "12": ("train", "s9")}), tmp_path, [path], "corpus")
    mixed = corpus(RECORDINGS)
    mixed.table.loc[0, "split"] = "test"
    with pytest.raises(InputError, match="recording 0012 has clips in several splits"):
        list_videos(mixed, tmp_path, [path], "corpus")


@pytest.mark.parametrize(("one", "other"), [("12", "0012"), ("12", "12.0"), ("interview", "interview")])
def test_ids_that_are_one_video(one, other):
    assert video_key(one) == video_key(other)
    assert video_key(one) != video_key("13")


def test_the_published_lists_decide_and_leave_recordings_out(tmp_path, caplog):
    recordings = {"0001": ("val", "s1"), "0054": ("test", "s2"), "0067": ("test", "s2"), "0002": ("train", "s3")}
    path = written(tmp_path / "labels.csv", "video_id,label\n1,1\n54,nonsense\n67,0\n2,1\n")
    videos = list_videos(corpus(recordings), tmp_path, [path], "published").set_index("video_id")
    assert videos.split.to_dict() == {"0001": "train", "0054": "test", "0067": "train"}
    assert videos.label.dropna().to_dict() == {"0001": "win", "0067": "lose"}
    assert "199 videos of the published lists" in caplog.text
    assert "1 people are in both published lists" in caplog.text


def test_the_published_lists_have_102_and_100_videos():
    lists = json.loads(resources.files("microgesture").joinpath("tables/imigue_emotion.json").read_text())
    assert [len(set(lists[part])) for part in ("train", "test")] == [102, 100]
    assert not set(lists["train"]) & set(lists["test"])


def test_the_table_of_videos_survives_its_file(tmp_path):
    path = written(tmp_path / "labels.csv", "video_id,label\n12,1\n")
    videos = list_videos(corpus(RECORDINGS), tmp_path, [path], "corpus")
    write_csv(tmp_path / "videos.csv", videos)
    again = read_videos(tmp_path / "videos.csv")
    assert again.fillna("").to_numpy().tolist() == videos.astype(object).fillna("").to_numpy().tolist()
    assert list(again.columns) == COLUMNS
    with pytest.raises(InputError, match="is not a table of videos"):
        read_videos(path)


def test_ids_are_the_same_if_their_numbers_are_and_others_stay_as_they_are():
    assert [video_key(text) for text in ("7", "0007", "take one")] == ["7", "7", "take one"]
