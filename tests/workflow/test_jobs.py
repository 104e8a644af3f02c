import re
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
import yaml

from fixtures.project import ROOT, TINY
from microgesture.errors import InputError
from microgesture.workflow.jobs import jobs, read_plan
from microgesture.workflow.plan import KINDS

STAGES = {
    "draw_demo": "demo",
    "list_clips": "clips",
    "read_skeletons": "skeletons",
    "select_keypoints": "keypoints",
    **{f"make_{kind}": kind for kind in KINDS},
    "train_stream": "train",
    "train_fold": "train",
    "predict_stream": "predict",
    "predict_fold": "predict",
    "fuse_streams": "ensemble",
    "label_clips": "pseudo_labels",
    "list_quarantine": "quarantine",
    "write_submission": "submission",
}


@pytest.fixture
def configfile(tmp_path):
    file = tmp_path / "config.yaml"
    file.write_text(yaml.safe_dump(TINY))
    return file


@pytest.mark.slow
@pytest.mark.parametrize("name", ["mm_gesture_small", "cross_subject_small"])
def test_there_are_as_many_jobs_of_each_stage_as_snakemake_would_run(tmp_path, name):
    config = ROOT / "config" / f"{name}.yaml"
    command = ["-n", "--snakefile", ROOT / "Snakefile", "--configfile", config, "--directory", tmp_path]
    command.append("results/submission.csv")
    planned = subprocess.run(
        [sys.executable, "-m", "snakemake", *map(str, command)], cwd=ROOT, capture_output=True, text=True, check=True
    )
    counts = Counter()
    for rule, count in dict(re.findall(r"^(\w+) +(\d+)$", planned.stdout + planned.stderr, re.MULTILINE)).items():
        if rule not in ("all", "total"):
            counts[STAGES[rule]] += int(count)
    assert counts == Counter(job.stage for job in jobs(read_plan(config)))


def test_a_job_is_done_when_all_its_files_are_there(configfile, tmp_path):
    plan = read_plan(configfile, results=tmp_path / "results")
    training = next(job for job in jobs(plan) if job.stage == "train")
    assert not training.done
    for file in training.files:
        assert not training.done
        file.parent.mkdir(parents=True, exist_ok=True)
        file.touch()
    assert training.done


def test_changes_reach_into_the_configuration_and_leave_the_rest(configfile):
    plan = read_plan(configfile, ['rgb={"size": 48}', "seed=7"])
    assert plan.config.rgb.size == 48
    assert plan.config.seed == 7
    assert plan.config.corpora == read_plan(configfile).config.corpora


@pytest.mark.parametrize(
    ("text", "changes", "sentence"),
    [
        ("a: [", [], "is not YAML"),
        ("", [], "has no keys"),
        (yaml.safe_dump(TINY), ["seed"], "--config seed is not of the form key=value"),
        (yaml.safe_dump(TINY), ["sead=1"], "did you mean 'seed'"),
    ],
)
def test_a_configuration_that_makes_no_sense_is_told(configfile, text, changes, sentence):
    configfile.write_text(text)
    with pytest.raises(InputError, match=re.escape(sentence)):
        read_plan(configfile, changes)


def test_a_configuration_that_is_not_there_is_named(tmp_path):
    with pytest.raises(InputError, match=r"nowhere\.yaml: No such file"):
        read_plan(Path(tmp_path / "nowhere.yaml"))
