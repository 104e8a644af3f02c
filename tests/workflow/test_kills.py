import os
import random
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

import psutil
import pytest
import torch

from fixtures.project import Project
from fixtures.training_clips import draw_video
from fixtures.training_command import TrainingCommand, listens, wait_for
from microgesture.storage.files import read_json
from microgesture.storage.shards import write_shard
from microgesture.workflow.plan import Plan

pytestmark = pytest.mark.slow

KILLS = 10


class Stage(NamedTuple):
    """A stage of one shard by the command, in its folder."""

    folder: Path
    options: list[object]
    output: Path
    title: str

    def start(self) -> subprocess.Popen:
        command = [sys.executable, "-m", "microgesture", *(str(option) for option in self.options)]
        return subprocess.Popen(command, cwd=self.folder, stderr=subprocess.PIPE, text=True)

    def parts(self) -> dict[str, tuple[int, int]]:
        """The clips that are done, and by what a file of theirs would show that it was made again."""
        done = {}
        for part in self.output.parent.glob(".scratch/*/*/[0-9]*.arrow"):
            with suppress(FileNotFoundError):  # the job that has finished is removing them
                done[part.name] = part.stat().st_ino, part.stat().st_mtime_ns
        return done


def kill_job(job: subprocess.Popen) -> None:
    """SIGKILL to all processes of a job that runs, to those that help first: on a cluster any order may come."""
    if job.poll() is None:
        for number in [*(child.pid for child in psutil.Process(job.pid).children(recursive=True)), job.pid]:
            with suppress(ProcessLookupError):
                os.kill(number, signal.SIGKILL)


def unfinished_files(folder: Path) -> list[Path]:
    return [path for path in folder.rglob(".*") if path.name not in (".scratch", ".earlier")] + list(
        folder.glob(".scratch/*")
    )


def rgb_stage(folder: Path) -> Stage:
    """Cuts the clips of a drawn corpus out of their videos."""
    project = Project(folder / "project")
    project.config["corpora"]["imigue"]["demo"]["clips"]["train"] = 60
    project.config["shards"] = 1
    project.write_config()
    project.run("results/keypoints/imigue/0000.arrow")
    output = project.folder / "results/rgb/imigue/0000.arrow"
    clips, keypoints = "results/measured/imigue/0000.parquet", "results/keypoints/imigue/0000.arrow"
    options = ["--settings", Plan(project.config).step("rgb", "imigue").settings, "--clips", clips, "--shard", 0]
    return Stage(project.folder, ["rgb", *options, "--output", output, keypoints], output, "rgb imigue/0000")


def flow_stage(folder: Path) -> Stage:
    """Makes the flow of drawn videos."""
    rgb, output = folder / "rgb/drawn/0000.arrow", folder / "flow/drawn/0000.arrow"
    rgb.parent.mkdir(parents=True)
    videos = (draw_video(row % 2, row).repeat(5, axis=1).repeat(5, axis=2) for row in range(60))
    write_shard(rgb, ((f"c{row}", frames_THWC) for row, frames_THWC in enumerate(videos)), "jpeg")
    return Stage(folder, ["flow", "--output", output, rgb], output, "flow drawn/0000")


@pytest.mark.parametrize("make", [rgb_stage, flow_stage])
def test_a_shard_stage_killed_at_random_moments_loses_no_clip(tmp_path, make):
    stage = make(tmp_path)
    job = stage.start()
    wait_for(job, lambda _: stage.parts())
    first = time.monotonic()
    said = job.communicate()[1]
    seconds = time.monotonic() - first
    assert job.returncode == 0, said
    whole = stage.output.read_bytes()
    total = int(said.partition(f"{stage.title}: ")[2].split()[0])
    assert total >= 60

    moments = random.Random(7)
    kills, finished = 0, 0
    while kills < KILLS or not finished:
        stage.output.unlink(missing_ok=True)  # as Snakemake does, which knows that its job did not end
        before = stage.parts()
        wanted = moments.randint(len(before), total)
        job = stage.start()
        if kills < KILLS:
            wait_for(job, lambda _, wanted=wanted: len(stage.parts()) >= wanted)
            time.sleep(moments.uniform(0, 3 * seconds / total))
            kill_job(job)
        said = job.communicate()[1]
        if job.returncode == -signal.SIGKILL:
            kills += 1
            if stage.output.exists():  # then its parts are about to go
                assert stage.output.read_bytes() == whole
            else:
                assert stage.parts().items() >= before.items()
        else:
            finished += 1
            assert job.returncode == 0, said
            left = total - len(before)
            assert f"{stage.title}: {left} clips in" in said if left else stage.title not in said
            assert stage.output.read_bytes() == whole
            assert not unfinished_files(stage.output.parent)


def test_training_killed_at_random_moments_ends_in_the_same_bytes(tmp_path):
    recipe = {"epochs": 4, "repeats": 15}  # of 30 steps each
    whole = TrainingCommand(tmp_path / "whole", **recipe)
    job = whole.start()
    wait_for(job, listens)
    first = time.monotonic()
    assert job.wait() == 0
    seconds = time.monotonic() - first
    history = read_json(whole.card)["history"]

    training = TrainingCommand(tmp_path / "killed", ["--workers", "1"], **recipe)
    moments = random.Random(8)
    kills, finished = 0, 0
    while kills < KILLS or not finished:
        states = list(training.folder.glob(".scratch/*/*/state.pt"))
        reached = len(torch.load(states[0], weights_only=True)["history"]) if states else 0
        job = training.start()
        if kills < KILLS:
            wait_for(job, listens)
            time.sleep(moments.uniform(0, seconds))
            kill_job(job)
        said = job.communicate()[1]
        if job.returncode == -signal.SIGKILL:
            kills += 1
            assert not training.model.exists() or training.model.read_bytes() == whole.model.read_bytes()
        else:
            finished += 1
            assert job.returncode == 0, said
            assert reached == 4 or f"train small_joint: {4 - reached} epochs in" in said
            assert training.model.read_bytes() == whole.model.read_bytes()
            assert read_json(training.card)["history"] == history
            assert not unfinished_files(training.folder)
