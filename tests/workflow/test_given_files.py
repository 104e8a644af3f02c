import copy

import pytest

from fixtures.project import TINY
from fixtures.release_files import keypoints, write_lines, write_npz
from microgesture.config.whole import load_config
from microgesture.errors import InputError
from microgesture.workflow.listings import refresh_listings

EMOTION = {
    "corpus": "mine",
    "face": {"network": {"name": "swinface", "width": 8, "depths": [1, 1]}},
    "labels": ["labels.csv"],
}


@pytest.fixture
def started(tmp_path, monkeypatch):
    """Starts a run of a study of four clips with these files and settings; returns what is said before any job."""
    monkeypatch.chdir(tmp_path)
    splits = {"a": "train", "b": "train", "c": "val", "d": "test"}
    for name in splits:
        write_npz(tmp_path / f"mine/{name}.npz", keypoints(2, 137))
    rows = [f"{name},{split},{name},{'nod' if name == 'b' else 'wave'},{name}.npz" for name, split in splits.items()]
    write_lines(tmp_path / "mine/clips.csv", ["clip_id,split,subject,label,keypoints", *rows])

    def start(lines, **settings):
        config = copy.deepcopy(TINY) | {"corpora": {"mine": {"format": "manifest", "root": "mine"}}}
        for stream in config["streams"].values():
            stream["corpus"] = "mine"
        write_lines(tmp_path / "labels.csv", ["video_id,label", "a,1", "b,0"])
        if lines:
            write_lines(tmp_path / "given.csv", lines)
        return list(refresh_listings(load_config(config | settings)))

    return start


WITH = {
    "ground_truth": {"ground_truth": {"file": "given.csv"}},
    "sample": {"submission": {"ensemble": "final", "sample": "given.csv"}},
    "emotion": {"emotion": EMOTION | {"ground_truth": "given.csv"}},
    "emotion sample": {"emotion": EMOTION | {"sample": "given.csv"}},
    "emotion labels": {"emotion": EMOTION | {"labels": ["given.csv"]}},
}


@pytest.mark.parametrize(
    ("kind", "lines", "sentence"),
    [
        ("ground_truth", ["clip_id,label", "d,shrug"], "'shrug' of the clip d is not one of the 2 classes"),
        ("ground_truth", ["clip_id,label", "d,Wave"], "'Wave' of the clip d is not one of the 2 classes"),
        ("ground_truth", ["clip_id,label", "0d,wave"], "no label of a test clip, such as d"),
        ("ground_truth", ["id,label", "d,wave"], "no column 'clip_id'"),
        ("sample", ["Id,Target", "e,0"], "2 ids differ"),
        ("emotion", ["video_id,label", "d,won"], "label 'won' is not one of"),
        ("emotion", ["video_id,label", "e,1"], "no label of a test video"),
        ("emotion sample", ["video_id,label", "e,1"], "2 ids differ"),
        ("emotion labels", ["video_id,label", "a,won"], "label 'won' is not one of"),
        *((kind, None, "given.csv: no such file") for kind in WITH),
    ],
)
def test_a_wrong_file_about_test_clips_stops_before_the_first_job(started, kind, lines, sentence):
    with pytest.raises(InputError, match=sentence):
        started(lines, **WITH[kind])


@pytest.mark.parametrize(
    ("kind", "lines"),
    [
        ("ground_truth", ["clip_id,label", "d,wave"]),
        ("sample", ["Id,Target", "d,0"]),
        ("emotion", ["video_id,label", "d,1"]),
        ("emotion sample", ["video_id,label", "d,1"]),
        ("emotion labels", ["video_id,label", "a,win"]),
    ],
)
def test_a_right_one_is_passed_and_doubts_are_told(started, kind, lines):
    (warning,) = started(lines, **WITH[kind])
    assert warning.startswith("Warning: corpus mine: The clips of val have only 1 of the 2 classes of train")


def test_test_clips_without_label_are_counted_at_the_start(started, tmp_path):
    lines = (tmp_path / "mine/clips.csv").read_text().splitlines()
    write_lines(tmp_path / "mine/clips.csv", [*lines, "e,test,e,,a.npz"])
    told = started(["clip_id,label", "d,wave"], **WITH["ground_truth"])
    assert any("given.csv has no label of 1 of the 2 test clips" in line for line in told)


def test_the_listing_of_a_run_in_progress_stays(started, tmp_path):
    started([])
    listed = {path: path.read_bytes() for path in (tmp_path / "results/listed/mine").iterdir()}
    locks = tmp_path / ".snakemake/locks"
    locks.mkdir(parents=True)
    (locks / "0.input.lock").touch()
    table = tmp_path / "mine/clips.csv"
    table.write_text(table.read_text().replace("b,train,b,nod", "b,val,b,nod"))
    assert any("1 clip with another split" in line and "another run is in progress" in line for line in started([]))
    assert listed == {path: path.read_bytes() for path in listed}
    (locks / "0.input.lock").unlink()
    assert "another run" not in "".join(started([]))
    assert listed != {path: path.read_bytes() for path in listed}
