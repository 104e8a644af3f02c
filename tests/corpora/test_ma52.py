import unicodedata

import numpy as np
import pytest

from fixtures.release_files import (
    MA52_NAMES,
    keypoints,
    numbered_frames,
    write_lines,
    write_ma52,
    write_npz,
    write_video,
)
from microgesture.config.corpora import Ma52Corpus
from microgesture.corpora import list_clips, ma52, provides
from microgesture.errors import InputError
from microgesture.measures.class_groups import group_of_classes


@pytest.fixture
def release(tmp_path):
    return write_ma52(tmp_path / "ma52", MA52_NAMES)


def by_id(root, **options):
    return list_clips("ma52", "ma52", root, 4, **options).table.set_index("clip_id")


def test_the_tables_are_those_of_the_published_evaluation():
    assert len(ma52.CLASSES) == len(set(ma52.CLASSES)) == 52
    assert (ma52.CLASSES[0], ma52.CLASSES[23], ma52.CLASSES[51]) == (
        "shaking body",
        "illustrative gestures",
        "scratching feet",
    )
    groups = Ma52Corpus(format="ma52", root=".").class_groups
    group_of = group_of_classes(dict(sorted(groups.items())), ma52.CLASSES)  # as the settings of a stage have them
    assert np.flatnonzero(np.diff(group_of)).tolist() == [4, 10, 23, 31, 37, 47]
    assert np.bincount(group_of).tolist() == [5, 6, 13, 8, 6, 10, 4]


def test_lists_with_windows_line_ends_become_the_clips_table(release):
    assert b"\r\n" in (release / "train_list_videos.txt").read_bytes()
    rows = by_id(release)
    assert list(rows.index) == [row.split(".")[0] for split in MA52_NAMES.values() for row in split]
    assert (rows.status == "ok").all()
    assert rows.label.dropna().to_dict() == {
        "0003_01_0001": 9,
        "0003_01_0002": 0,
        "0004_02_0001": 51,
        "0003_01_0003": 9,
    }
    assert rows.subject.dropna().to_dict() == {
        "0003_01_0001": "0003",
        "0003_01_0002": "0003",
        "0004_02_0001": "0004",
        "0003_01_0003": "0003",
    }
    clip = rows.loc["test0001"]
    assert (clip.split, clip.video, clip.start, clip.end, clip.fps) == ("test", "videos_test/test0001.mp4", 0, 11, 30)


@pytest.mark.parametrize("name", ["annotations_{}_list_videos.txt", "annotations/{}_list.txt", "annotation_{}.txt"])
def test_lists_and_clips_are_found_by_name_wherever_they_lie(release, name):
    before = by_id(release)
    for split, folder in (("train", "MA52-rgb/clips_train"), ("val", "raw_videos/val"), ("test", "test")):
        (release / folder).parent.mkdir(parents=True, exist_ok=True)
        (release / f"videos_{split}").rename(release / folder)
        (release / name.format(split)).parent.mkdir(exist_ok=True)
        (release / f"{split}_list_videos.txt").rename(release / name.format(split))
    after = by_id(release)
    assert after.loc["test0000"].video == "test/test0000.mp4"
    assert after.drop(columns="video").equals(before.drop(columns="video"))


def test_the_placeholder_labels_of_test_are_not_read(release):
    before = by_id(release)
    write_lines(release / "test_list_videos.txt", ["test0000.mp4 99", "test0001.mp4"])
    assert by_id(release).equals(before)


def test_rows_that_make_no_sense_are_quarantined(release):
    names = [
        *MA52_NAMES["train"],
        "0005_01_0001.mp4 3",
        "0003_01_0009.mp4 52",
        "0003_01_0008.mp4",
        "0003_01_0007.mp4 a b",
    ]
    write_lines(release / "train_list_videos.txt", names)
    write_lines(release / "videos_train/0003_01_0002.mp4", ["no video"])
    rows = by_id(release)
    reasons = rows.reason[rows.status == "quarantined"].to_dict()
    assert "train_list_videos.txt, row 2: " in reasons["0003_01_0002"]
    assert "0003_01_0002.mp4: not a readable video" in reasons["0003_01_0002"]
    assert "expected 0005_01_0001.mp4" in reasons["0005_01_0001"]
    assert "row 5: '0003_01_0009.mp4 52' is not a clip and its class 0..51" in reasons["0003_01_0009"]
    assert set(reasons) == {"0003_01_0002", "0005_01_0001", "0003_01_0009", "0003_01_0008", "0003_01_0007"}


def test_one_name_in_two_places_goes_by_split_or_is_refused(release):
    write_video(release / "samples_val" / "0003_01_0001.mp4", numbered_frames(3))
    assert by_id(release).loc["0003_01_0001"].video == "videos_train/0003_01_0001.mp4"
    write_video(release / "train" / "0003_01_0001.mp4", numbered_frames(3))
    with pytest.raises(
        InputError, match=r"train/0003_01_0001\.mp4 and videos_train/0003_01_0001\.mp4 have the same name"
    ):
        by_id(release)


def test_keypoints_are_found_in_their_folder(release):
    assert provides("ma52", release) == {"video"}
    for split in MA52_NAMES.values():
        for row in split:
            write_npz(release / "pose" / f"{row.split('.')[0]}.npz", keypoints(12, 28))
    assert provides("ma52", release) == {"video"}
    assert provides("ma52", release, skeletons="pose") == {"video", "keypoints"}
    assert by_id(release, skeletons="pose").loc["test0001"].skeleton == "pose/test0001.npz"
    for split in ("train", "val", "test"):
        for video in (release / f"videos_{split}").iterdir():
            video.unlink()
    alone = by_id(release, skeletons="pose")
    assert (alone.status == "ok").all()
    assert (alone.n_frames == 12).all()
    with pytest.raises(InputError, match="no such folder; set skeletons"):
        by_id(release, skeletons="poses")


def test_lists_that_are_missing_or_contradict_each_other_are_refused(release, tmp_path):
    with pytest.raises(InputError, match="no list of clips"):
        by_id(tmp_path / "ma52" / "videos_train")
    write_lines(release / "annotations" / "train_list.txt", ["0003_01_0001.mp4 3"])
    with pytest.raises(InputError, match="two different lists of train"):
        by_id(release)
    (release / "annotations" / "train_list.txt").unlink()
    write_lines(release / "train_list_videos.txt", [*MA52_NAMES["train"], MA52_NAMES["train"][0]])
    with pytest.raises(InputError, match=r"'0003_01_0001' is declared twice, in .*row 1 and in .*row 4"):
        by_id(release)


@pytest.mark.parametrize("row", ["/ 3", "0003\x0001.mp4 3"])
def test_a_row_that_names_no_clip_is_refused(release, row):
    write_lines(release / "train_list_videos.txt", [*MA52_NAMES["train"], row])
    with pytest.raises(InputError, match=r"train_list_videos\.txt, row 4: .*correct the row"):
        by_id(release)


def test_names_in_another_unicode_form_meet(tmp_path):
    release = write_ma52(tmp_path, MA52_NAMES)
    listed = (release / "train_list_videos.txt").read_text()
    name = by_id(release).index[0]
    (release / "train_list_videos.txt").write_text(listed.replace(name, f"{name}é"), encoding="utf-8")
    (video,) = release.rglob(f"{name}.mp4")
    video.rename(video.with_name(unicodedata.normalize("NFD", f"{name}é.mp4")))
    assert by_id(release).loc[f"{name}é", "status"] == "ok"
