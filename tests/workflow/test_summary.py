import os
import sys
from pathlib import Path

import pandas as pd

from fixtures.made_up_run import made_up_clips
from fixtures.project import TINY
from microgesture.config.whole import load_config
from microgesture.storage.clips import write_clips
from microgesture.storage.files import write_json
from microgesture.workflow.commands import show_summary
from microgesture.workflow.summary import print_summary

ROWS = pd.DataFrame(
    {
        "name": ["joint", "flow", "final"],
        "kind": ["stream", "stream", "ensemble"],
        "clips": 90,
        "accuracy": [0.7222, 0.9111, 0.9889],
        "balanced_accuracy": [0.633, 0.9114, 0.9911],
        "macro_f1": [0.6023, 0.896, 0.9923],
        "top5": [0.9889, 1, 1],
        "weight": [0.4, 0.6, None],
        "without": [0.9, 0.7, None],
    }
)
ON_VAL = {"split": "val", "clips": 90}


def printed(folder, capsys, rows, fitted_on, quarantined=(), **fusion):
    """What the closing table says, on one line."""
    files = [folder / name for name in ("summary.csv", "fusion.json", "submission.csv", "quarantine.csv")]
    rows.to_csv(files[0], index=False)
    write_json(files[1], {"fitted_on": fitted_on, **fusion})
    pd.DataFrame({"Id": ["c1", "c2"], "Target": [0, 1]}).to_csv(files[2], index=False)
    pd.DataFrame({"clip_id": quarantined, "reason": "truncated"}).to_csv(files[3], index=False)
    write_json(
        folder / "card.json",
        {"stream": "rgb_ma52", "corpus": "ma52", "best": {"val_accuracy": 0.55, "val_balanced_accuracy": 0.501}},
    )
    print_summary(*files, [folder / "card.json"])
    return " ".join(capsys.readouterr().out.split())


def test_a_table_on_val_says_what_was_chosen_on_it(tmp_path, capsys):
    text = printed(tmp_path, capsys, ROWS, ON_VAL)
    assert text.startswith("Validation split, 90 clips stream accuracy")
    assert "rgb_ma52 (on ma52) 0.550 0.501 joint 0.722 0.633 0.602 0.989 0.400 0.900 flow" in text
    assert (
        "ensemble final 0.989 0.991 0.992 1.000 Temperatures, weights and best epochs were chosen on these clips"
        in text
    )
    assert "2 test clips predicted" in text


def test_emotions_are_summed_up_where_they_were_told(tmp_path, capsys):
    printed(tmp_path, capsys, ROWS, ON_VAL)
    write_json(tmp_path / "emotion.json", {"held_out_balanced_accuracy": 0.7714, "videos": {"win": 30, "lose": 40}})
    pd.DataFrame({"video_id": ["0054", "0067", "0069"], "label": [0, 1, 1]}).to_csv(tmp_path / "told.csv", index=False)
    files = [tmp_path / name for name in ("summary.csv", "fusion.json", "submission.csv", "quarantine.csv")]
    print_summary(*files, [], (tmp_path / "emotion.json", tmp_path / "told.csv"))
    text = " ".join(capsys.readouterr().out.split())
    assert "3 test videos predicted" in text
    assert "told.csv.Balancedaccuracy0.771onthe70labelledvideos" in text.replace(" ", "")  # a long path breaks lines


def test_the_report_is_named_if_it_shows_this_submission(tmp_path, capfd, monkeypatch):
    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
    made = tmp_path / "ensembles/final"
    made.mkdir(parents=True)
    ROWS.to_csv(made / "summary.csv", index=False)
    write_json(made / "fusion.json", {"fitted_on": ON_VAL})
    pd.DataFrame({"clip_id": []}).to_csv(tmp_path / "quarantine.csv", index=False)
    pd.DataFrame({"Id": ["c1"], "Target": [0]}).to_csv(tmp_path / "submission.csv", index=False)
    report = tmp_path / "report.html"
    report.touch()
    for later, named in ((-60, False), (60, True)):
        written = (tmp_path / "submission.csv").stat().st_mtime + later
        os.utime(report, (written, written))
        show_summary(load_config(TINY), tmp_path)
        text = "".join(capfd.readouterr().out.split())
        assert "1testclippredicted" in text
        assert (f"{report}:openitinabrowser" in text) == named


def test_a_table_on_folds_says_whose(tmp_path, capsys):
    fitted_on = {"splits": ["train", "val"], "folds": 3, "people": {"subjects": 37, "recordings": 0}, "clips": 90}
    text = printed(tmp_path, capsys, ROWS, fitted_on)
    assert text.startswith("Held-out clips of train and val, 3 folds of 37 subjects, 90 clips")
    assert "fitted on other people." in text
    assert "chosen on these clips" not in text


def test_folds_of_unknown_subjects_are_taken_with_care(tmp_path, capsys):
    fitted_on = {"splits": ["train", "val"], "folds": 3, "people": {"subjects": 0, "recordings": 251}, "clips": 90}
    text = printed(tmp_path, capsys, ROWS, fitted_on)
    assert "3 folds of 251 recordings" in text
    assert "Some subjects are unknown" in text
    assert "other people" not in text


def test_streams_that_know_val_have_no_accuracy_and_say_whose_to_look_at(tmp_path, capsys):
    text = printed(tmp_path, capsys, ROWS[:0], {"split": None, "clips": 0}, calibration_from="base")
    assert "trained on the validation clips" in text
    assert "no accuracy; see that of base" in text


def test_without_labels_there_is_a_sentence(tmp_path, capsys):
    text = printed(tmp_path, capsys, ROWS[:0], ON_VAL, quarantined=["c1", "c1", "c7"])
    assert text.startswith("The corpus has no labelled validation clips")
    assert "2 clips could not be used" in text


def test_what_makes_results_doubtful_is_repeated_at_the_end(tmp_path, capsys):
    printed(tmp_path, capsys, ROWS, ON_VAL)
    write_clips(tmp_path / "clips.parquet", made_up_clips(6, 3, subjects=2))
    files = [tmp_path / name for name in ("summary.csv", "fusion.json", "submission.csv", "quarantine.csv")]
    print_summary(*files, [], clips=tmp_path / "clips.parquet")
    text = " ".join(capsys.readouterr().out.split())
    assert text.count("Warning: Subject s0 is in test and in train or val (2 of 2 people)") == 1
    assert text.count("Warning: Subject s0 is in train and in val (2 of 2 people)") == 1
