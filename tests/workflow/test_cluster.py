"""What is said of clusters, in the profile, the environments and the page, holds of the project as it is."""

import copy
import re
import subprocess
import sys
import tomllib
from itertools import pairwise
from pathlib import Path

import pytest
import yaml

from fixtures.project import TINY, Project
from fixtures.rules import rule_texts

ROOT = Path(__file__).parents[2]
PROFILE = yaml.safe_load((ROOT / "profiles/slurm/profile.yaml").read_text())
PARTITIONS = yaml.safe_load((ROOT / "profiles/slurm/partitions.yaml").read_text())["partitions"]
PAGE = (ROOT / "docs/cluster.md").read_text()
LOCK = (ROOT / "requirements.txt").read_text()
SHELL = re.compile(r"^```bash\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def rules():
    """The text of each rule that runs a command, by its name."""
    return {name: body for name, body in rule_texts().items() if "output:" in body}


def test_the_profile_names_rules_that_there_are():
    assert {"train_stream", "train_fold", "make_rgb", "write_submission"} <= set(rules())
    assert set(PROFILE["set-resources"]) <= set(rules())
    assert set(PROFILE.get("set-threads", {})) <= set(rules())


def test_the_stages_that_make_shards_are_arrays_and_no_others():
    outputs = {name: body.split("output:")[1].split("log:")[0] for name, body in rules().items()}
    by_shard = {name for name, output in outputs.items() if re.search(r"shard}+\.(arrow|parquet)", output)}
    assert set(PROFILE["slurm-array-jobs"].split(",")) == by_shard


def test_every_entry_of_the_profile_is_explained():
    for name in ("profile.yaml", "partitions.yaml"):
        lines = (ROOT / "profiles/slurm" / name).read_text().splitlines()
        for above, line in pairwise(lines):
            if re.match(r"[a-z-]+: \S", line):
                assert "  # " in line or above.startswith("#"), line


def test_an_array_never_waits_for_tasks_that_may_not_start():
    assert PROFILE["jobs"] > 1000, "fewer jobs than ready shards, and the plugin waits for the others of the array"
    assert PROFILE["slurm-status-command"] == "squeue"
    assert any(limits.get("max_gpu") for limits in PARTITIONS.values())


@pytest.fixture
def planned(tmp_path):
    config = copy.deepcopy(TINY) | {"device": "auto"}
    project = Project(tmp_path / "project", config)
    for path in (project.folder / "workflow/rules").glob("*.smk"):  # without their messages jobs tell what they claim
        path.write_text(re.sub(r"^ +message:\n.*\n", "", path.read_text(), flags=re.MULTILINE))
    command = [sys.executable, "-m", "snakemake", "--workflow-profile", "profiles/slurm", "--dry-run"]
    command += ["--quiet=host", "results/submission.csv"]
    done = subprocess.run(
        command, cwd=project.folder, env=project.environment(), capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def claims(planned, rule):
    """What the first planned job of a rule claims."""
    job = planned[planned.index(f"rule {rule}:") :]
    listed = re.search(r"^    resources: (.*)$", job, re.MULTILINE)[1]
    return dict(entry.split("=", 1) for entry in listed.split(", "))


@pytest.mark.slow
def test_a_dry_run_through_the_profile_tells_what_each_job_will_claim(planned):
    training = claims(planned, "train_stream")
    assert training["gpu"] == "1"
    assert training["slurm_extra"] == "--signal=TERM@300"
    shard = claims(planned, "make_rgb")
    assert shard.get("gpu", "0") == "0"
    assert int(shard["runtime"]) == 15 + 3  # 16 clips at 10 s
    assert claims(planned, "fuse_streams")["mem_mb"] == str(PROFILE["default-resources"]["mem_mb"])


def test_all_environments_are_the_lock():
    python = "3.11"
    conda = yaml.safe_load((ROOT / "envs/environment.yaml").read_text())
    assert conda["dependencies"] == [f"python={python}", "pip"], "every other package comes from requirements.txt"
    assert "pip install -r requirements.txt" in (ROOT / "envs/environment.yaml").read_text()
    image = (ROOT / "envs/microgesture.def").read_text()
    assert f"From: python:{python}-" in image
    installed = re.findall(r"pip install (.*)", image)
    assert installed == ["--no-cache-dir --requirement requirements.txt"]
    assert f"python{python} -m venv" in (ROOT / ".ci/run").read_text()
    for copied in re.findall(r"^    (\S+) /opt/microgesture/", image, re.MULTILINE):
        assert (ROOT / copied).exists(), copied


def test_the_lock_has_the_plugin_of_the_profile():
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    assert [requirement.split(">")[0] for requirement in extras["slurm"]] == ["snakemake-executor-plugin-slurm"]
    assert re.search(r"^snakemake-executor-plugin-slurm==2\.", LOCK, re.MULTILINE)


def test_the_page_names_files_that_there_are():
    named = re.findall(r"\]\((?!http|#)([^)]+)\)", PAGE)
    named += re.findall(r"(?<![\w/.])((?:profiles|envs|config|docs|workflow|src)/[\w./-]*\w|\w+\.txt)", PAGE)
    assert len(named) > 5
    for name in set(named):
        if not name.endswith((".sif", "my_study.yaml")):
            assert (ROOT / name).exists() or (ROOT / "docs" / name).exists(), name


def test_every_command_of_the_page_goes_through_a_profile_or_unlocks():
    commands = [line for block in SHELL.findall(PAGE) for line in block.splitlines() if line.startswith("snakemake ")]
    assert len(commands) >= 3
    for command in commands:
        assert "--workflow-profile" in command or "--unlock" in command, command
