from zipfile import ZipFile

import numpy as np
import pandas as pd
import pytest

from microgesture.ensembles.submission import (
    check_sample,
    follow_sample,
    submission_table,
    write_ranked,
    write_submission,
)
from microgesture.errors import InputError
from microgesture.measures.evaluate import evaluate
from microgesture.storage.clips import Clips
from microgesture.storage.scores import write_predictions


def clips_named(ids):
    table = pd.DataFrame({"clip_id": ids, "split": "test"})
    return Clips(table, ("turtle neck", "bulging face"), ("0", "1"))


def test_every_test_clip_once_by_video_then_number():
    clips = clips_named(["0054_10", "0453_2", "0054_2", "0054_0"])
    table = submission_table(clips, {"0054_10": 0, "0054_2": 1, "0453_2": 1, "0054_0": 0})
    assert list(table.columns) == ["Id", "Target"]
    assert list(table.Id) == ["0054_0", "0054_2", "0054_10", "0453_2"]
    assert list(table.Target) == ["0", "1", "0", "1"]


def test_the_file_has_the_most_probable_class_and_follows_the_sample(tmp_path):
    said_NK = np.array([[0.9, 0.1], [0.2, 0.8]])
    write_predictions(tmp_path / "test.parquet", ["0054_1", "0054_0"], said_NK, np.ones(2, int))
    clips = clips_named(["0054_0", "0054_1"])
    write_submission(tmp_path / "test.parquet", clips, tmp_path / "submission.csv", None)
    assert (tmp_path / "submission.csv").read_text() == "Id,Target\n0054_0,1\n0054_1,0\n"
    (tmp_path / "sample.csv").write_text("clip,class\n0054_1,7\n0054_0,7\n")
    write_submission(tmp_path / "test.parquet", clips, tmp_path / "submission.csv", tmp_path / "sample.csv")
    assert (tmp_path / "submission.csv").read_text() == "clip,class\n0054_1,0\n0054_0,1\n"


def test_ranked_predictions_are_those_of_the_challenge(tmp_path):
    clips = clips_named(["test0010", "test0002"])
    table = clips.table.assign(video=["videos_test/test0010.mp4", "videos_test/test0002.mp4"])
    clips = Clips(table, tuple("abcdefg"), tuple("0123456"))
    said_NK = np.array([[0.05, 0.4, 0.2, 0.2, 0.1, 0.04, 0.01], [0.3, 0.01, 0.02, 0.1, 0.12, 0.2, 0.25]])
    write_predictions(tmp_path / "test.parquet", ["test0010", "test0002"], said_NK, np.ones(2, int))
    groups = {"head": "ab", "hand": "cde", "leg": "fg"}
    write_ranked(tmp_path / "test.parquet", clips, groups, tmp_path / "prediction.csv")
    header = "vid," + ",".join(
        f"{kind}_pred_{n}" for kind, most in (("action", 5), ("body", 3)) for n in range(1, most + 1)
    )
    assert (tmp_path / "prediction.csv").read_text().splitlines() == [
        header,
        "test0002.mp4,0,6,5,4,3,2,0,1",  # leg 0.45, head 0.31, hand 0.24
        "test0010.mp4,1,2,3,4,0,1,0,2",  # hand 0.5, head 0.45, leg 0.05
    ]
    with ZipFile(tmp_path / "prediction.zip") as archive:
        assert archive.namelist() == ["prediction.csv"]
        assert archive.read("prediction.csv") == (tmp_path / "prediction.csv").read_bytes()


def test_a_clip_without_prediction_is_named():
    with pytest.raises(InputError, match="0054_1"):
        submission_table(clips_named(["0054_0", "0054_1"]), {"0054_0": 0})


def test_the_sample_gives_order_and_names(tmp_path):
    table = pd.DataFrame({"Id": ["a", "b"], "Target": ["0", "1"]})
    sample = pd.DataFrame({"clip": ["b", "a"], "class": ["0", "0"]})
    followed = follow_sample(table, sample, tmp_path / "sample.csv")
    assert followed.to_dict("list") == {"clip": ["b", "a"], "class": ["1", "0"]}


@pytest.mark.parametrize(
    ("ids", "named"),
    [
        (["a", "c"], "2 ids differ .*first is b"),
        (["a"], "1 ids differ .*first is b"),
        (["a", "b", "b"], "b occurs twice"),
    ],
)
def test_a_sample_with_other_ids_is_refused(tmp_path, ids, named):
    table = pd.DataFrame({"Id": ["a", "b"], "Target": ["0", "1"]})
    sample = pd.DataFrame({"Id": ids, "Target": "0"})
    with pytest.raises(InputError, match=named):
        follow_sample(table, sample, tmp_path / "sample.csv")
    sample.to_csv(tmp_path / "sample.csv", index=False)
    with pytest.raises(InputError, match=rf"sample\.csv.*{named}"):
        check_sample(["a", "b"], tmp_path / "sample.csv")


def test_a_sample_may_write_ids_in_its_own_way(tmp_path):
    (tmp_path / "sample.csv").write_text("clip,class\nB,0\nA,0\n")
    check_sample(["a", "b"], tmp_path / "sample.csv", str.lower)
    with pytest.raises(InputError, match="ids differ"):
        check_sample(["a", "b"], tmp_path / "sample.csv")


def test_evaluation_against_true_labels(tmp_path):
    (tmp_path / "submission.csv").write_text("Id,Target\na,x\nb,x\nc,y\nd,x\n")
    (tmp_path / "truth.csv").write_text("clip_id,label,subject\na,x,s1\nb,x,s1\nc,x,s2\nd,y,s2\ne,y,s3\n")
    table = evaluate(tmp_path / "submission.csv", tmp_path / "truth.csv", "clip_id", "label", "subject")
    table = table.set_index("clips of")
    assert table.accuracy.to_dict() == {"all": 0.5, "s1": 1.0, "s2": 0.0}
    assert table.clips.to_dict() == {"all": 4, "s1": 2, "s2": 2}
    assert table.classes.to_dict() == {"all": 2, "s1": 1, "s2": 2}
    assert table.balanced_accuracy["all"] == round((2 / 3 + 0) / 2, 4)
    (tmp_path / "short.csv").write_text("clip_id,label\na,x\n")
    with pytest.raises(InputError, match="3 submitted clips, the first is b"):
        evaluate(tmp_path / "submission.csv", tmp_path / "short.csv", "clip_id", "label")


def test_evaluation_finds_the_columns_of_a_list_of_clips_and_uses_probabilities_only_of_this_submission(tmp_path):
    (tmp_path / "submission.csv").write_text("Id,Target\na,x\nb,x\n")
    (tmp_path / "clips.csv").write_text("clip_id,split,label\na,test,x\nb,test,z\nc,train,y\n")
    files = tmp_path / "submission.csv", tmp_path / "clips.csv"
    table = pd.DataFrame({"clip_id": ["a", "b"], "subject": ["s", "s"], "recording": ["r", "r"], "split": "test"})
    clips = Clips(table, tuple("xyzuvw"), tuple("xyzuvw"))
    plain = evaluate(*files, clips=clips).iloc[0]
    assert plain.accuracy == 0.5
    assert "top5" not in plain
    said = {clip: np.array([6, 5, last, 4, 3, 2]) / 20 for clip, last in (("a", 1), ("b", 1))}
    assert evaluate(*files, clips=clips, probabilities=said).top5[0] == 0.5  # z is the least probable
    assert "top5" not in evaluate(*files, clips=clips, probabilities={clip: np.arange(6) / 15 for clip in "ab"})


@pytest.mark.parametrize(
    ("submission", "ground_truth", "message"),
    [
        ("Id,Target\na,x\na,y\n", "clip_id,label\na,x\n", r"submission\.csv has clip a twice"),
        ("Id,Target\na,x\n", "clip_id,label\na,x\na,y\n", r"truth\.csv has clip a twice"),
        ("Id\na\n", "clip_id,label\na,x\n", r"submission\.csv: .* two columns"),
        ("Id,Target\n", "clip_id,label\na,x\n", r"submission\.csv has no clip"),
        ("Id,Target\na,x\n", "", r"truth\.csv: the file is empty"),
        ("Id,Target\na\n", "clip_id,label\na,x\n", r"submission\.csv, row 2: 1 cells in 2 columns"),
    ],
)
def test_tables_that_contradict_themselves_are_refused(tmp_path, submission, ground_truth, message):
    (tmp_path / "submission.csv").write_text(submission)
    (tmp_path / "truth.csv").write_text(ground_truth)
    with pytest.raises(InputError, match=message):
        evaluate(tmp_path / "submission.csv", tmp_path / "truth.csv", "clip_id", "label")
