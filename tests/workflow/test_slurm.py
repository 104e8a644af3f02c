"""The workflow on a real SLURM, through the profile that we ship, while all goes wrong that goes wrong on clusters."""

import copy
import os
import subprocess
import sys
import time
from collections import defaultdict

import pytest
import yaml

from fixtures.project import TINY, Project
from fixtures.slurm import cluster, missing, squeue

pytestmark = pytest.mark.slow

TARGET = "results/submission.csv"


@pytest.fixture(scope="module")
def slurm(tmp_path_factory):
    if reason := missing():
        if os.environ.get("CI"):
            pytest.fail(f"CI may not leave this out: {reason}")
        pytest.skip(reason)
    with cluster(tmp_path_factory.mktemp("slurm")) as running:
        yield running


def one_stream():
    """The tiny demo with one stream, which asks for a GPU and trains for long enough to be disturbed."""
    config = copy.deepcopy(TINY)
    config["device"] = "auto"
    config["recipes"] = {"joint": config["recipes"]["joint"] | {"epochs": 25}}
    config["streams"] = {"joint": config["streams"]["joint"]}
    config["ensembles"] = {"final": {"streams": ["joint"]}}
    return config


def edit_profile(project):
    """What one edits for a cluster: here the waits, and a rule that claims too little at its first attempt."""
    path = project.folder / "profiles/slurm/profile.yaml"
    profile = yaml.safe_load(path.read_text())
    profile |= {"latency-wait": 5, "slurm-init-seconds-before-status-checks": 3}
    too_little = 60  # a Snakemake alone takes 200 within a few seconds, and SLURM looks once a second
    profile["set-resources"]["make_keypoints"] = {"mem_mb": f"{too_little} if attempt == 1 else 4000"}
    path.write_text(yaml.safe_dump(profile))


def run_disturbed(project, disturbances):
    """Run the project on the cluster and disturb its jobs: by rule, what is done to its jobs, one after the other.

    A disturbance is given a running job, and tells whether it was the time for it. Returns the jobs that were hit.
    """
    command = [sys.executable, "-m", "snakemake", "--workflow-profile", "profiles/slurm", TARGET]
    hit = defaultdict(list)
    with open(project.folder / "printed.txt", "w") as printed:
        running = subprocess.Popen(
            command, cwd=project.folder, env=project.environment(), stdout=printed, stderr=subprocess.STDOUT
        )
        try:
            while running.poll() is None:
                for job in squeue():
                    rule = next((rule for rule in disturbances if job.comment.startswith(f"rule_{rule}_")), None)
                    waiting = disturbances.get(rule, [])[len(hit[rule]) :]
                    seen = {(earlier.id, earlier.restarts) for earlier in hit[rule]}
                    if job.state == "RUNNING" and (job.id, job.restarts) not in seen and waiting and waiting[0](job):
                        hit[rule].append(job)
                time.sleep(0.2)
        finally:
            running.kill()
            running.wait()
    project.printed = (project.folder / "printed.txt").read_text()
    assert running.returncode == 0, project.printed
    return hit


def call(*command):
    subprocess.run(command, check=True, timeout=60)
    return True


def slurm_log(project, rule):
    """What SLURM and the Snakemake on the node wrote in the jobs of a rule that failed."""
    folder = project.folder / ".snakemake/slurm_logs" / f"rule_{rule}"
    return "".join(path.read_text() for path in folder.rglob("*.log"))


def test_a_run_that_loses_jobs_and_a_node_ends_with_the_same_submission(slurm, tmp_path):
    local = Project(tmp_path / "local", one_stream())
    local.run()
    project = Project(tmp_path / "project", one_stream())
    edit_profile(project)

    def warn(job):  # as --signal of the profile does when the time is nearly over
        begun = list((project.folder / "results/streams/joint/.scratch").glob("*/*"))
        return begun and call("scancel", "--signal=TERM", job.id)

    def crash(job):
        slurm.crash(job.node)
        return True

    hit = run_disturbed(
        project,
        {
            "list_clips": [lambda job: call("scontrol", "requeue", job.id)],
            "measure_clips": [lambda job: call("scancel", job.id)],
            "train_stream": [warn, crash],
        },
    )
    [requeued], [cancelled], [warned, crashed] = hit["list_clips"], hit["measure_clips"], hit["train_stream"]
    jobs = squeue()
    now = {job.id: job for job in jobs}
    assert (now[requeued.id].state, now[requeued.id].restarts) == ("COMPLETED", "1")
    assert now[cancelled.id].state == "CANCELLED"
    assert cancelled.id.endswith(("_1", "_2")), "both shards are one array"
    assert "exceeded memory limit" in slurm_log(project, "make_keypoints")
    assert now[warned.id].state == "FAILED"
    assert "stream 'joint' was stopped by SIGTERM in epoch" in slurm_log(project, "train_stream")
    assert (now[crashed.id].state, now[crashed.id].restarts) == ("COMPLETED", "1")
    assert now[crashed.id].node != crashed.node
    on_gpus = {job.comment for job in jobs if (job.partition, job.gpus) == ("gpu", "gres:gpu:1")}
    assert on_gpus == {"rule_train_stream_wildcards_joint", "rule_predict_stream_wildcards_joint"}
    assert {job.partition for job in jobs if job.comment not in on_gpus} == {"cpu"}

    for made in (TARGET, "results/streams/joint/model.safetensors"):
        assert (project.folder / made).read_bytes() == (local.folder / made).read_bytes()
