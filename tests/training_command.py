"""A small training by the command, in processes that can be sent signals as a cluster does."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from microgesture.storage.clips import SCHEMA, Clips, write_clips
from training_clips import make_clips, make_step, write_shards

LABELS = [0, 1] * 8
SPLITS = ["train"] * 8 + ["val"] * 8


class TrainingCommand:
    """Trains on 8 clips, 4 a step; its processes are a group of their own. ``log`` is what it says to its log file."""

    def __init__(self, folder: Path, options: Sequence[str] = (), **recipe: object) -> None:
        folder.mkdir()
        self.folder, self.model, self.card = folder, folder / "model.safetensors", folder / "card.json"
        self.step = make_step("joint", network={"dropout": 0.5}, batch_size=4, **recipe)
        drawn = make_clips(SPLITS, LABELS)
        table = drawn.table.reindex(columns=SCHEMA.names)
        write_clips(folder / "clips.parquet", Clips(table, drawn.classes, drawn.targets))
        self.shards = write_shards(folder, ("joint",), LABELS)
        (shard,) = self.shards["keypoints"]
        (folder / "keypoints" / "drawn").mkdir(parents=True)
        shard = shard.rename(folder / "keypoints" / "drawn" / "0000.arrow")
        self.shards = {"keypoints": [shard]}
        files = ["--clips", folder / "clips.parquet", "--model", self.model, "--card", self.card, shard]
        stage = ["train", "--settings", self.step.model_dump_json(), "--device", "cpu", *options, *files]
        self.command = [sys.executable, "-m", "microgesture", "--log", folder / "train.log", *stage]

    @property
    def log(self) -> str:
        return (self.folder / "train.log").read_text()

    def start(self) -> subprocess.Popen:
        """The running command."""
        return subprocess.Popen(self.command, start_new_session=True, stderr=subprocess.PIPE, text=True)

    def run(self, number: signal.Signals | None = None, seconds: float = 0, *, learnt: bool = False) -> int:
        """The exit status; a signal goes to all its processes some seconds after it began to listen for one.

        With ``learnt`` the seconds begin when it listens and has saved a state at least.
        """
        process = self.start()
        if number is not None:
            wait_for(process, listens)
            if learnt:
                wait_for(process, lambda _: list(self.folder.glob(".scratch/*/*/state.pt")))
            time.sleep(seconds)
            if process.poll() is None:
                os.killpg(process.pid, number)
        self.said = process.communicate()[1]
        return process.returncode


def wait_for(process: subprocess.Popen, sign: Callable[[int], object]) -> None:
    """Wait for a sign of the process with an id, or for its end."""
    while process.poll() is None and not sign(process.pid):
        time.sleep(0.005)


def listens(pid: int) -> bool:
    """Whether a training has a handler for signals, which it has from just before it begins."""
    caught = Path(f"/proc/{pid}/status").read_text().partition("SigCgt:")[2].split()
    return bool(caught and int(caught[0], 16) >> signal.SIGUSR1 - 1 & 1)
