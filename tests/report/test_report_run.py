import copy
import re

import pandas as pd
import pytest

from fixtures.page_reader import read_page, rows, section
from fixtures.project import TINY, Project

pytestmark = pytest.mark.slow

NAMES = {"top 1": "accuracy", "balanced": "balanced_accuracy", "macro F1": "macro_f1", "top 5": "top5"}


@pytest.mark.parametrize("folds", [0, 2])
def test_the_report_of_a_run_says_what_its_tables_say(tmp_path, folds):
    config = copy.deepcopy(TINY) | {"folds": folds}
    config["corpora"]["imigue"]["demo"]["subjects"] = {"train": 4, "val": 2, "test": 1}
    project = Project(tmp_path, config)
    assert project.run("all")["write_report"] == 1
    assert "results/report.html: open it in a browser" in " ".join(project.printed.split())
    results = tmp_path / "results"
    page = read_page((results / "report.html").read_text(encoding="utf-8"))
    summary = pd.read_csv(results / "ensembles/final/summary.csv").set_index("name")
    for row in rows(section(page, "streams").all("table")[0]):
        expected = summary.loc[row["stream"]]
        for shown, measured in NAMES.items():
            assert row[shown] == pytest.approx(expected[measured], abs=1e-4)
    for row in rows(section(page, "weights").all("table")[0]):
        assert row["ensemble without it"] == pytest.approx(summary.without[row["stream"]], abs=1e-4)
    for caption in section(page, "calibration").all("figcaption")[:2]:
        stream, before, after = re.fullmatch(r"(\w+): error ([\d.]+), calibrated ([\d.]+)", caption.text).groups()
        expected = summary.loc[stream, ["ece_before", "ece"]].to_list()
        assert [float(before), float(after)] == pytest.approx(expected, abs=6e-4)  # rounded twice
    measured = rows(section(page, "time").all("table")[0])
    stages = {row["stage"] for row in measured}
    assert {"skeletons", "flow", "train", "predict", "ensemble"} | ({"train_fold"} if folds else set()) <= stages
    assert not project.run("all")
