import copy

import pytest

from fixtures.project import TINY, Project
from fixtures.release_files import keypoints, write_lines, write_npz

SPLITS = {"a": "train", "b": "train", "c": "val", "d": "test"}


@pytest.fixture
def project(tmp_path):
    config = copy.deepcopy(TINY)
    config["corpora"] = {"mine": {"format": "manifest", "root": "mine"}}
    config["streams"] = {"joint": TINY["streams"]["joint"] | {"corpus": "mine"}}
    config["ensembles"] = {"final": {"streams": ["joint"]}}
    project = Project(tmp_path / "project", config)
    for name in SPLITS:
        write_npz(project.folder / f"mine/{name}.npz", keypoints(5, 137))
    rows = [f"{name},{split},{name},{'nod' if name == 'b' else 'wave'},{name}.npz" for name, split in SPLITS.items()]
    write_lines(project.folder / "mine/clips.csv", ["clip_id,split,subject,label,keypoints", *rows])
    return project


@pytest.mark.slow
@pytest.mark.parametrize("wrong", ["ground_truth", "sample"])
def test_a_file_about_test_clips_that_is_wrong_stops_a_run_before_the_shards(project, wrong):
    lines = {"ground_truth": ["clip_id,label", "d,shrug"], "sample": ["Id,Target", "e,0"]}[wrong]
    write_lines(project.folder / "given.csv", lines)
    if wrong == "sample":
        project.config["submission"]["sample"] = "given.csv"
    else:
        project.config["ground_truth"] = {"file": "given.csv"}
    project.write_config()
    done = project.run("results/report.html", fails=True, cores=1)
    assert set(done) == {"list_clips", "check_clips"}
    assert {"ground_truth": "'shrug' is not a class", "sample": "2 ids differ"}[wrong] in project.printed
