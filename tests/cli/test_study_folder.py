"""The commands of a study: paths in its configuration start at its folder, from wherever a command is called."""

import shutil

import numpy as np
import pandas as pd
import pytest
import yaml

from fixtures.exported import finished_run
from microgesture.cli import main
from microgesture.storage.scores import write_predictions


def run(*arguments):
    """The exit code of a command."""
    try:
        return main(list(arguments))
    except SystemExit as end:
        return end.code


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A finished run whose configuration has relative paths."""
    folder = tmp_path_factory.mktemp("finished")
    file = finished_run(folder)
    (folder / "labels.csv").write_text("clip_id,label\nd,nod\n")
    config = yaml.safe_load(file.read_text())
    config |= {"corpora": {"mine": {"format": "manifest", "root": "corpus"}}, "ground_truth": {"file": "labels.csv"}}
    file.write_text(yaml.safe_dump(config))
    (folder / "results/submission.csv").write_text("Id,Target\nd,wave\n")
    return folder


@pytest.fixture
def study(finished, tmp_path, monkeypatch):
    """A copy of the finished run; the current folder is another one."""
    folder = shutil.copytree(finished, tmp_path / "study")
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    return folder


def test_every_command_finds_the_files_of_a_study_from_another_folder(study, capsys):
    run("doctor", "../study")
    told = capsys.readouterr().out
    assert "2 train, 1 val, 1 test clips" in told
    assert not [line for line in told.splitlines() if line.startswith("!") and "corpus" in line]

    assert run("preflight", "../study", "--cores", "1") == 0
    assert "snakemake --directory ../study --cores 1 results/" in capsys.readouterr().out

    assert run("export", "../study", "--output", "exported") == 0
    assert (study.parent / "elsewhere/exported/recogniser.json").is_file()

    assert run("evaluate", "../study") == 0
    assert "accuracy" in capsys.readouterr().out

    assert run("view", "a", "--study", "../study", "--corpus", "mine") == 1
    assert "make them with: snakemake --directory ../study" in capsys.readouterr().err
    assert list(study.parent.joinpath("elsewhere").iterdir()) == [study.parent / "elsewhere/exported"]


@pytest.mark.parametrize(
    ("keys", "sentence"),
    [
        ({"ground_truth": "labels.csv"}, "ground_truth in"),
        ({"ground_truth": {"file": None}}, "file"),
        ({"ground_truth": ["labels.csv"]}, "ground_truth in"),
        ({"ground_truth": {"files": "labels.csv"}}, "did you mean 'file'"),
        ({"ground_truth": {"file": "label.csv"}}, "label.csv: no such file"),
        ({"ground_truth": {}}, "file"),
        ({"submission": "final"}, "submission in"),
        ({"submission": {"ensemble": 3}}, "ensemble"),
    ],
)
def test_odd_keys_for_evaluate_are_told(study, capsys, keys, sentence):
    file = study / "config.yaml"
    file.write_text(yaml.safe_dump(yaml.safe_load(file.read_text()) | keys))
    assert run("evaluate", "../study") == 1
    printed = capsys.readouterr().err
    assert sentence in printed
    assert "Traceback" not in printed


@pytest.mark.parametrize("text", ["", "- a", "ground_truth: ", "[", "ground_truth: {file: labels.csv}\nsubmission:"])
def test_a_configuration_without_keys_gives_no_traceback(study, capsys, text):
    (study / "config.yaml").write_text(text)
    assert run("evaluate", "../study") == int("labels.csv" not in text)
    assert "Traceback" not in capsys.readouterr().err


def test_probabilities_of_the_submitted_ensemble_are_used(study, capsys):
    table = pd.read_csv(study / "results/submission.csv")
    write_predictions(study / "results/ensembles/final/test.parquet", table.Id, np.array([[0.4, 0.6]]), np.array([2]))
    assert run("evaluate", "../study") == 0
