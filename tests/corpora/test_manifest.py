import os
import shutil
import unicodedata
from pathlib import Path

import pytest

from fixtures.release_files import keypoints, numbered_frames, write_lines, write_npz, write_video
from microgesture.corpora import list_clips, provides
from microgesture.errors import InputError, UnusableClip
from microgesture.videos.reading import decode

HEADER = "clip_id,split,subject,label,fps,n_frames,video,keypoints"
ROWS = [
    "a,train,ann,wave,30,10,a.mp4,pose/a.npz",
    "b,train,bob,nod,30,10,b.mp4,pose/b.npz",
    "c,val,cyd,shrug,30,10,c.mp4,pose/c.npz",
    "d,test,dee,wave,30,10,d.mp4,pose/d.npz",
]


@pytest.fixture
def corpus(tmp_path):
    for name in "abcd":
        write_video(tmp_path / f"{name}.mp4", numbered_frames(10), fps=30)
        write_npz(tmp_path / "pose" / f"{name}.npz", keypoints(10, 137))
    write_lines(tmp_path / "clips.csv", [HEADER, *ROWS])
    return tmp_path


def by_id(root, **options):
    return list_clips("mine", "manifest", root, 4, **options).table.set_index("clip_id")


def reason(root, row, header=HEADER, clip_id="a"):
    """The reason for which the first row is quarantined when it is replaced by this one."""
    write_lines(root / "clips.csv", [header, row, *ROWS[1:]])
    rows = by_id(root)
    assert (rows.status != "ok").to_dict() == {clip_id: True, "b": False, "c": False, "d": False}
    return rows.loc[clip_id].reason


def test_a_manifest_becomes_the_clips_table(corpus):
    clips = list_clips("mine", "manifest", corpus, 4)
    assert clips.classes == clips.targets == ("nod", "shrug", "wave")
    rows = clips.table.set_index("clip_id")
    assert (rows.status == "ok").all()
    assert rows.label.dropna().to_dict() == {"a": 2, "b": 0, "c": 1}
    clip = rows.loc["d"]
    assert (clip.split, clip.subject, clip.start, clip.end, clip.n_frames) == ("test", "dee", 0, 9, 10)
    assert (clip.video, clip.skeleton, clip.width, clip.height, clip.fps) == ("d.mp4", "pose/d.npz", 64, 48, 30)
    assert by_id(corpus / "clips.csv").equals(rows)


@pytest.mark.parametrize("separator", [";", "\t"])
def test_a_spreadsheet_may_save_the_list_with_another_separator(corpus, separator):
    before = by_id(corpus)
    text = (corpus / "clips.csv").read_text().replace(",30,", ",30.0,")
    for first in ("", f"sep={separator}\n"):
        (corpus / "clips.csv").write_text(first + text.replace(",", separator).replace("30.0", "30,0"))
        assert by_id(corpus).equals(before)


def test_labels_of_test_are_not_read_and_those_of_val_may_be_missing(corpus):
    before = list_clips("mine", "manifest", corpus, 4)
    write_lines(corpus / "clips.csv", [HEADER, *ROWS[:3], ROWS[3].replace("wave", "never seen")])
    after = list_clips("mine", "manifest", corpus, 4)
    assert after.classes == before.classes
    assert after.table.equals(before.table)
    write_lines(corpus / "clips.csv", [HEADER, *ROWS[:2], ROWS[2].replace("shrug", ""), ROWS[3]])
    assert by_id(corpus).loc["c", "status"] == "ok"
    assert by_id(corpus).label.isna().to_dict() == {"a": False, "b": False, "c": True, "d": True}


def test_a_row_may_name_a_part_of_a_recording(corpus):
    header = "clip_id,split,subject,label,start,end,video,keypoints"
    rows = [
        "a0,train,ann,wave,0,4,a.mp4,pose/a.npz",
        "a1,train,ann,nod,3,9,a.mp4,pose/a.npz",
        "d,test,dee,,,,d.mp4,pose/d.npz",
    ]
    write_lines(corpus / "clips.csv", [header, *rows])
    rows = by_id(corpus)
    clip = rows.loc["a1"]
    assert (clip.start, clip.end, clip.video_start, clip.skeleton_start, clip.n_frames) == (3, 9, 3, 3, 7)
    assert rows.loc["a0"].recording == clip.recording
    assert rows.loc["d", ["start", "end"]].to_list() == [0, 9]


def test_what_is_provided_follows_from_the_first_line(corpus):
    assert provides("manifest", corpus) == {"video", "keypoints"}
    write_lines(corpus / "clips.csv", ["clip_id,split,label,keypoints", "a,train,wave,pose/a.npz"])
    assert provides("manifest", corpus) == {"keypoints"}
    rows = by_id(corpus)
    assert rows.loc["a", ["status", "n_frames"]].to_list() == ["ok", 10]
    assert rows.loc["a", ["video", "width", "fps", "subject"]].isna().all()


def test_rows_that_make_no_sense_are_quarantined_with_row_and_value(corpus):
    assert "clips.csv, row 2: column video: no such file" in reason(corpus, ROWS[0].replace("a.mp4", "gone.mp4"))
    assert "gone.npz" in reason(corpus, ROWS[0].replace("a.npz", "gone.npz"))
    assert "no video under" in reason(corpus, ROWS[0].replace("a.mp4", ""))
    assert "clips.csv, row 2: column label" in reason(corpus, ROWS[0].replace("wave", ""))
    assert "column n_frames: 'ten'" in reason(corpus, ROWS[0].replace(",10,", ",ten,"))
    assert "column n_frames: '0'" in reason(corpus, ROWS[0].replace(",10,", ",0,"))
    assert "column n_frames: 16 declared, 10 in a.mp4" in reason(corpus, ROWS[0].replace(",10,", ",16,"))
    assert "column n_frames: 4 declared, 10 in a.mp4" in reason(corpus, ROWS[0].replace(",10,", ",4,"))
    assert "column fps: 50 declared, 30 in a.mp4" in reason(corpus, ROWS[0].replace(",30,", ",50,"))
    assert "column fps: '1_0'" in reason(corpus, ROWS[0].replace(",30,", ",1_0,"))
    assert "column fps: '1e300'" in reason(corpus, ROWS[0].replace(",30,", ",1e300,"))
    assert "no such file" in reason(corpus, ROWS[0].replace("a.mp4", "a" * 300))
    assert "column fps: '-3'" in reason(corpus, ROWS[0].replace(",30,", ",-3,"))
    assert "9 cells in 8 columns" in reason(corpus, ROWS[0] + ",more")


def test_parts_that_make_no_sense_are_quarantined(corpus):
    header = HEADER + ",start,end"
    assert "end 3 is before start 5" in reason(corpus, ROWS[0] + ",5,3", header)
    assert "end '' is not a frame number" in reason(corpus, ROWS[0] + ",5,", header)
    assert "n_frames 10 does not fit start 0 and end 4" in reason(corpus, ROWS[0] + ",0,4", header)


def test_a_video_that_is_none_is_quarantined(corpus):
    write_lines(corpus / "a.mp4", ["no video"])
    rows = by_id(corpus)
    assert rows.index[rows.status != "ok"].to_list() == ["a"]
    assert "a.mp4: not a readable video" in rows.loc["a"].reason


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ([HEADER.replace("label", "lable"), *ROWS], "no column label"),
        (["clip_id,split,label", "a,train,wave"], "neither a column video nor a column keypoints"),
        ([HEADER + ",start", *ROWS], "columns start and end"),
        ([HEADER, ROWS[0], ROWS[0]], "'a' is declared twice, in clips.csv, row 2 and in clips.csv, row 3"),
        ([HEADER, ROWS[0].replace("train", "dev")], "row 2, column split: 'dev' .*train, val, test"),
        ([HEADER, ROWS[0][1:]], "row 2: clip_id is empty"),
        ([HEADER, *ROWS[2:]], "no clip of .* is in the train split"),
        ([HEADER, *ROWS[:3], ROWS[3].replace("dee", "ann")], "subject ann is in test and in train or val"),
        ([], "no column clip_id, split, label"),
        ([HEADER + ",label", *ROWS], "2 columns are named 'label'; keep one"),
        ([HEADER, "a\0" + ROWS[0][1:]], r"row 2: clip_id 'a\\x00' .*cannot be printed"),
    ],
)
def test_a_manifest_that_makes_no_sense_is_refused(corpus, lines, message):
    write_lines(corpus / "clips.csv", lines)
    with pytest.raises(InputError, match=message):
        by_id(corpus)


def test_a_folder_without_manifest_is_refused(tmp_path):
    with pytest.raises(InputError, match=r"clips\.csv: no such file"):
        by_id(tmp_path)


def test_names_in_another_unicode_form_meet(corpus):
    composed, apart = "grüßen", unicodedata.normalize("NFD", "grüßen")
    (corpus / "a.mp4").rename(corpus / f"{apart}.mp4")
    rows = [ROWS[0].replace("wave", composed).replace("a.mp4", f"{composed}.mp4"), ROWS[1].replace("nod", apart)]
    write_lines(corpus / "clips.csv", [HEADER, *rows, *ROWS[2:]])
    clips = list_clips("mine", "manifest", corpus, 4)
    assert clips.classes == (composed, "shrug")
    assert (clips.table.status == "ok").all()
    assert clips.table.video.iloc[0] == f"{apart}.mp4"  # as the disk has it, so that it can be opened
    assert clips.table.recording.iloc[0] == composed


def test_two_files_that_print_alike_cost_their_clip(corpus):
    for form in ("NFC", "NFD"):
        shutil.copy(corpus / "a.mp4", corpus / unicodedata.normalize(form, "grüßen.mp4"))
    assert "2 files whose name prints as grüßen.mp4" in reason(corpus, ROWS[0].replace("a.mp4", "grüßen.mp4"))


@pytest.mark.parametrize("subjects", [("ann", "Ann"), ("07", "7"), ("Zoë", "Zoe\u0308"), ("", "")])
def test_one_person_in_train_and_test_is_refused_however_it_is_written(corpus, subjects):
    file = "a.mp4,pose/a.npz"
    last = ROWS[3].replace("d.mp4,pose/d.npz", file) if subjects == ("", "") else ROWS[3]
    rows = [ROWS[0].replace("ann", subjects[0]), *ROWS[1:3], last.replace("dee", subjects[1])]
    write_lines(corpus / "clips.csv", [HEADER, *rows])
    with pytest.raises(InputError, match=r"is in test and in train or val \(1 such people"):
        by_id(corpus)
    assert len(by_id(corpus, allow_shared_subjects=True)) == 4


REAL_DATA = os.environ.get("MICROGESTURE_DATA")


def test_another_column_may_tell_what_folds_hold_out(corpus):
    rows = [f"{row},{camera}" for row, camera in zip(ROWS, ("v1", "v2", "v2", "v3"), strict=True)]
    write_lines(corpus / "clips.csv", [f"{HEADER},view", *rows])
    assert by_id(corpus, subject_column="view").subject.to_dict() == {"a": "v1", "b": "v2", "c": "v2", "d": "v3"}
    assert by_id(corpus).subject.to_dict() == {"a": "ann", "b": "bob", "c": "cyd", "d": "dee"}
    assert provides("manifest", corpus, subject_column="view") == {"video", "keypoints"}
    with pytest.raises(InputError, match="no column 'camera'; set subject_column to one of clip_id, split"):
        by_id(corpus, subject_column="camera")


@pytest.mark.skipif(not REAL_DATA, reason="MICROGESTURE_DATA names no folder with nsl49 and karsl70")
def test_real_clips_are_listed_and_decode_to_their_last_frame():
    poses = list_clips("nsl49", "manifest", Path(REAL_DATA, "nsl49"), 4)
    assert poses.table.split.value_counts().to_dict() == {"train": 575, "val": 62, "test": 193}
    assert len(poses.classes) == 49
    assert len(poses.usable) == 830
    root = Path(REAL_DATA, "karsl70")
    with pytest.raises(InputError, match="subject signer01"):
        list_clips("karsl70", "manifest", root, 4)
    videos = list_clips("karsl70", "manifest", root, 4, allow_shared_subjects=True).usable
    assert len(videos) == 140
    for clip in videos.itertuples():
        assert len(list(decode(root / clip.video, clip.start, clip.end))) == clip.n_frames
        with pytest.raises(UnusableClip, match=f"{clip.n_frames} frames, .*frame {clip.n_frames} "):
            list(decode(root / clip.video, 0, clip.n_frames))


@pytest.mark.parametrize("label", ["a\x00b", "\x1b[2J", "x" * 1001])
def test_a_class_that_cannot_be_written_everywhere_is_refused(corpus, label):
    (corpus / "clips.csv").write_text("\n".join([HEADER, ROWS[0].replace("wave", f'"{label}"'), *ROWS[1:]]) + "\n")
    with pytest.raises(InputError, match="correct its labels"):
        by_id(corpus)


def test_a_class_may_have_characters_that_join_letters(corpus):
    label = "\u0645\u06cc\u200c\u0631\u0648\u062f"  # Persian, with a zero-width non-joiner
    write_lines(corpus / "clips.csv", [HEADER, ROWS[0].replace("wave", label), *ROWS[1:]])
    assert label in list_clips("mine", "manifest", corpus, 4).classes
