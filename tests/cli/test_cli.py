import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from microgesture.cli import app, main
from microgesture.cli.options import scratch_folder
from microgesture.cli.upkeep import configuration_of, results_of
from microgesture.errors import InputError

STAGES = (
    "demo",
    "list-clips",
    "measure-clips",
    "skeletons",
    "keypoints",
    "rgb",
    "taylor",
    "flow",
    "depth",
    "face",
    "train",
    "predict",
)


@pytest.mark.parametrize("stage", [*STAGES, "ensemble", "submission"])
def test_every_stage_explains_itself_and_its_settings(stage, capsys):
    with pytest.raises(SystemExit, match="0"):
        main([stage, "--help"])
    printed = re.sub(r"\s+", " ", capsys.readouterr().out)
    assert "Settings:" in printed
    assert "--output" in printed or "--model" in printed or "--fusion" in printed


def test_a_misspelt_setting_is_a_sentence_and_not_a_traceback(tmp_path, capsys):
    shard = tmp_path / "0000.arrow"
    shard.touch()
    command = ["taylor", str(shard), "--output", str(tmp_path / "out"), "--settings", '{"taylor": {"termz": 3}}']
    assert main(command) == 1
    assert "unknown key 'termz'; did you mean 'terms'?" in capsys.readouterr().err


def test_a_file_that_is_not_there_is_named(tmp_path, capsys):
    with pytest.raises(SystemExit, match="2"):
        main(["taylor", str(tmp_path / "nope.arrow"), "--output", "out"])
    assert "nope.arrow" in re.sub(r"[\s│]+", "", capsys.readouterr().err)


def test_the_traceback_of_an_unexpected_error_is_in_the_log(tmp_path, capsys, monkeypatch):
    def broken(file):
        raise ZeroDivisionError("a bug")

    monkeypatch.setattr("microgesture.storage.clips.read_clips", broken)
    (tmp_path / "clips.parquet").touch()
    log = tmp_path / "logs/check.log"
    parts = ["check-clips", str(tmp_path / "clips.parquet"), "--declared", str(tmp_path / "clips.parquet")]
    monkeypatch.setattr("microgesture.corpora.listed.read_labels_of", lambda path: (None, (), ()))
    command = [
        *parts,
        "--labels",
        str(tmp_path / "clips.parquet"),
        "--corpus",
        "mine",
        "--output",
        str(tmp_path / "out"),
    ]
    assert main(["--log", str(log), *command]) == 1
    written, printed = log.read_text(), capsys.readouterr().err
    for text in (written, printed):
        assert text.count("Traceback (most recent call last)") == 1
        assert "in broken" in text
    last = printed.splitlines()[-1]
    assert "ZeroDivisionError: a bug" in last
    assert str(log) in last
    assert main(command) == 1
    assert "Traceback" in capsys.readouterr().err


@pytest.mark.parametrize("option", ["fps", "join"])
def test_an_infinite_number_is_a_sentence(tmp_path, capsys, option):
    command = ["predict-videos", str(tmp_path), "talk.mp4", "--output", str(tmp_path / "out"), f"--{option}", "inf"]
    assert main(command) == 1
    assert f"{option}: " in (printed := capsys.readouterr().err)
    assert "Traceback" not in printed


def test_every_command_is_documented():
    assert all(command.callback.__doc__ for command in app.registered_commands)


@pytest.mark.parametrize("place", [".scratch/0000", ".scratch"])
def test_a_link_in_the_place_of_unfinished_work_costs_no_file(tmp_path, place):
    thesis = tmp_path / "home/0000/thesis"
    thesis.mkdir(parents=True)
    output = tmp_path / "results/rgb/mine/0000.arrow"
    link = output.parent / place
    link.parent.mkdir(parents=True)
    link.symlink_to(tmp_path / "home/0000" if link.name == "0000" else tmp_path / "home")
    with pytest.raises(InputError, match="remove the link"), scratch_folder(output, "stamp"):
        pass
    assert thesis.is_dir()


def test_a_folder_that_cannot_be_made_is_a_sentence(tmp_path, capsys):
    (tmp_path / "file").touch()
    log = tmp_path / "command.log"
    paths = [str(tmp_path), str(tmp_path / "a.mp4"), "--output", str(tmp_path / "file/out")]
    assert main(["--log", str(log), "predict-videos", *paths]) == 1
    assert "Traceback" in log.read_text()
    printed = capsys.readouterr().err
    assert f"{tmp_path / 'file/out'}: Not a directory" in printed
    assert "Traceback" not in printed


def test_another_encoding_of_file_names_is_a_sentence(tmp_path):
    environment = {**os.environ, "LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    command = [sys.executable, "-m", "microgesture", "doctor"]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr.count("\n")) == (1, 1)
    assert "PYTHONUTF8=1" in done.stderr


def test_a_study_is_named_by_its_folder_or_by_that_of_its_results(tmp_path):
    (tmp_path / "config.yaml").touch()
    for named in (tmp_path, tmp_path / "results"):
        assert results_of(named) == tmp_path / "results"
        assert configuration_of(named, None) == tmp_path / "config.yaml"
    (tmp_path / "new").mkdir()
    assert results_of(tmp_path / "new") == tmp_path / "new/results"
    assert configuration_of(tmp_path, Path("other.yaml")) == Path("other.yaml")
    assert configuration_of(Path(), None) == Path("config.yaml")
