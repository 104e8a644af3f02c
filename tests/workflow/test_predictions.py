"""Videos of one's own in the workflow: which recordings a folder holds, and what makes their timelines."""

import copy
import os
import re
import subprocess
import sys

import pytest
import yaml

from fixtures.project import ROOT, TINY
from microgesture.config.predictions import PredictionSettings
from microgesture.errors import InputError
from microgesture.recogniser.recordings import recordings_in
from microgesture.workflow.plan import Plan
from microgesture.workflow.prediction_stages import recordings_to_predict

OWN = {"folder": "my videos"}


def filled(folder, *names):
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        (folder / name).touch()
    return folder


def planned(**changes):
    return Plan({**copy.deepcopy(TINY), **changes})


def test_a_recording_is_a_video_with_what_lies_beside_it_or_keypoints_alone(tmp_path):
    folder = filled(tmp_path, "a.mp4", "a.npz", "a_openpose.xlsx", "b.MOV", "c.xlsx", "notes.txt", ".hidden.mp4")
    assert {name: path.name for name, path in recordings_in(folder).items()} == {
        **{"a": "a.mp4", "b": "b.MOV", "c": "c.xlsx"}
    }


@pytest.mark.parametrize(
    ("names", "said"),
    [
        (["a.mp4", "a.mkv"], r"a\.mkv and .*a\.mp4"),
        (["c.npz", "c.csv"], r"c\.csv and .*c\.npz"),
        (["notes.txt"], r"\.npz"),
    ],
)
def test_a_folder_that_makes_no_sense_is_refused(tmp_path, names, said):
    with pytest.raises(InputError, match=said):
        recordings_in(filled(tmp_path, *names))


def test_no_folder_at_all_is_refused(tmp_path):
    with pytest.raises(InputError, match="videos is not a folder"):
        recordings_in(tmp_path / "videos")


def test_timelines_depend_on_the_streams_of_this_run_and_on_how_gestures_are_found():
    stamp = planned(predictions=OWN).step("gestures", "predictions").stamp
    assert planned(predictions={"folder": "elsewhere"}).step("gestures", "predictions").stamp == stamp
    assert planned(predictions=OWN, device="auto").step("gestures", "predictions").stamp == stamp
    changed = [
        planned(predictions={**OWN, "threshold": 0.6}),
        planned(predictions=OWN, seed=1),
        planned(predictions=OWN, rgb={"size": 24}),
    ]
    stamps = {plan.step("gestures", "predictions").stamp for plan in changed}
    assert len(stamps | {stamp}) == 4


def test_a_recogniser_of_others_does_not_depend_on_this_run():
    other = {**OWN, "recogniser": "handed over"}
    one, two = planned(predictions=other), planned(predictions=other, seed=1)
    assert one.step("gestures", "predictions") == two.step("gestures", "predictions")


@pytest.mark.parametrize("odd", ["<a>", "a{b}", "x" * 240, "y" * 250, "a\x1bb", "a\nb", os.fsdecode(b"\xff"), "0" * 20])
def test_a_recording_with_a_name_that_no_target_can_have_is_left_out_and_named(tmp_path, odd):
    folder = filled(tmp_path, "a talk.mp4", f"{odd}.mp4", "-b 'c' $(touch d) %.mp4")
    found, messages = recordings_to_predict(PredictionSettings(folder=str(folder)))
    assert set(found) == {"a talk", "-b 'c' $(touch d) %"}
    (message,) = messages
    assert odd in message


def test_a_folder_of_such_recordings_only_is_refused(tmp_path):
    with pytest.raises(InputError, match="a<b>"):
        recordings_to_predict(PredictionSettings(folder=str(filled(tmp_path, "a<b>.mp4"))))


LEARNED = {"backend": "raft_small", "weights": "Raft_Small_Weights.C_T_V2"}


def test_what_cannot_be_handed_over_is_refused_before_the_run():
    with pytest.raises(InputError, match=r"stream flow.*raft_small.*--ensemble.*flow\.backend: dis"):
        planned(predictions=OWN, flow=LEARNED)
    planned(predictions={**OWN, "recogniser": "handed over"}, flow=LEARNED)
    planned(predictions=OWN, flow=LEARNED, ensembles={"final": {"streams": ["joint"], "weights": {"joint": 1}}})


@pytest.mark.slow
def test_a_dry_run_with_a_recogniser_of_others_finds_gestures_in_every_recording_and_trains_nothing(tmp_path):
    filled(tmp_path / "my videos", "a talk.mp4", "a talk.npz", "b+c.xlsx", "<a>.mp4", "a{b}.mp4", f"{'x' * 240}.mp4")
    filled(tmp_path / "handed over", "SHA256SUMS")
    (tmp_path / "config.yaml").write_text(yaml.safe_dump({**TINY, "predictions": {**OWN, "recogniser": "handed over"}}))
    command = ["-n", "--snakefile", ROOT / "Snakefile", "--configfile", tmp_path / "config.yaml", "--cores", "1"]
    run = subprocess.run(
        [sys.executable, "-m", "snakemake", *map(str, command), "--directory", str(tmp_path), "-p", "predictions"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    printed = run.stdout + run.stderr
    assert all(name in printed for name in ("<a>.mp4 is left out", "a{b}.mp4 is left out", "xxx.mp4 is left out"))
    counts = dict(re.findall(r"^(\w+) +(\d+)$", printed, re.MULTILINE))
    assert counts["find_gestures"] == "2"
    assert not {"export_recogniser", "train_stream"} & set(counts)
    assert "--fps 25.0 --stillness 0.25 -- 'handed over' 'my videos/a talk.mp4'" in printed
