import copy

import pytest

from fixtures.page_reader import rows, section
from fixtures.project import TINY, Project
from fixtures.report_tables import check_report

pytestmark = pytest.mark.slow


def test_the_report_of_a_run_with_folds_says_what_its_tables_say(tmp_path):
    config = copy.deepcopy(TINY) | {"folds": 2}
    config["corpora"]["imigue"]["demo"]["subjects"] = {"train": 4, "val": 2, "test": 1}
    project = Project(tmp_path, config)
    assert project.run("all")["write_report"] == 1
    assert "results/report.html: open it in a browser" in " ".join(project.printed.split())
    page = check_report(tmp_path / "results")
    stages = {row["stage"] for row in rows(section(page, "time").all("table")[0])}
    assert {"skeletons", "flow", "train", "train_fold", "predict", "ensemble"} <= stages
    assert not project.run("all")
