"""What the commands do outside this machine, and which programs they start, as the kernel sees it."""

import copy
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from fixtures.exported import finished_run, recorded
from fixtures.project import TINY, Project

pytestmark = pytest.mark.slow

PROGRAMS = {"bash", "git", "microgesture", "snakemake", "uname", "which"}
# Snakemake's plugin for SLURM, where both are installed, asks its configuration, wherever its server is.
SLURM = "scontrol"
STARTED = re.compile(r'^\d+ +execve\("([^"]+)".* = 0$', re.MULTILINE)
# A name server cache of the C library, and the sockets of Python's own processes.
LOCAL = re.compile(r'sa_family=AF_UNIX(, sun_path="(/var/run/nscd/socket|[^"]*/pymp-[^"]*)")?\}|NULL')
SENT = re.compile(r"(?:connect|sendto|sendmsg|sendmmsg)\(.*")


@pytest.fixture(scope="module")
def strace():
    path = shutil.which("strace")
    if path is None or subprocess.run([path, "-f", "true"], capture_output=True, check=False).returncode:
        if os.environ.get("CI"):
            pytest.fail("CI may not leave this out: apt-get install strace, and allow ptrace")
        pytest.skip("strace is not installed, or not allowed here")
    return [path, "-f", "-qq", "-s", "200", "--seccomp-bpf", "-e", "trace=network,execve"]


def traced(strace, file: Path, command, folder: Path, environment) -> set[str]:
    """Run a command, check that it opens no connection, and return the names of the programs that it starts."""
    subprocess.run([*strace, "-o", file, *command], cwd=folder, env=environment, capture_output=True, check=True)
    text = file.read_text(errors="replace")
    slurm = set(re.findall(rf'^(\d+) +execve\("[^"]*/{SLURM}".* = 0$', text, re.MULTILINE))
    text = "\n".join(line for line in text.splitlines() if line.partition(" ")[0] not in slurm)
    assert not [call for call in SENT.findall(text) if not LOCAL.search(call)]
    return {Path(program).name for program in STARTED.findall(text)}


def test_a_connection_would_be_seen(strace, tmp_path):
    connect = "import socket; socket.socket().connect_ex(('127.0.0.1', 9))"
    with pytest.raises(AssertionError):
        traced(strace, tmp_path / "trace", [sys.executable, "-c", connect], tmp_path, os.environ)


def test_a_run_opens_no_connection_and_starts_no_other_program(strace, tmp_path):
    config = copy.deepcopy(TINY) | {"shards": 1}
    for kind in ("recipes", "streams"):
        config[kind] = {"joint": config[kind]["joint"]}
    config["ensembles"] = {"final": {"streams": ["joint"]}}
    config["corpora"]["imigue"]["demo"]["clips"] = {"train": 8, "val": 4, "test": 4}
    (tmp_path / "project").mkdir()
    project = Project(tmp_path / "project", config)
    programs = traced(strace, tmp_path / "trace", project.command(), project.folder, project.environment())
    assert "microgesture" in programs
    assert {name for name in programs if not re.fullmatch(r"python[\d.]*", name)} <= PROGRAMS


def test_finding_gestures_opens_no_connection_and_starts_no_other_program(strace, tmp_path):
    file, environment = finished_run(tmp_path), os.environ | {"PYTHONPATH": str(Path(__file__).parents[2] / "src")}
    export = ["microgesture", "export", "results", "--configfile", file, "--output", "model"]
    subprocess.run(export, cwd=tmp_path, env=environment, capture_output=True, check=True)
    recorded(tmp_path / "talk", 20)
    command = ["microgesture", "predict-videos", "model", "talk.mp4", "--output", "found", "--device", "cpu"]
    programs = traced(strace, tmp_path / "trace", command, tmp_path, environment)
    assert (tmp_path / "found/talk.html").exists()
    assert {name for name in programs if not re.fullmatch(r"python[\d.]*", name)} == {"microgesture"}
