"""A copy of the project in a folder of its own, with a corpus so small that the whole workflow runs in a minute."""

import copy
import os
import re
import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parent.parent
RECIPE = {
    "frames": 4,
    "size": 16,
    "epochs": 1,
    "batch_size": 8,
    "optimizer": "adamw",
    "learning_rate": 0.001,
    "views": 1,
}
SWIN = {"name": "video_swin", "width": 8, "depths": [1, 1]}
TINY: dict[str, Any] = {
    "device": "cpu",
    "shards": 2,
    "corpora": {
        "imigue": {
            "format": "miga",
            "demo": {
                "seed": 3,
                "subjects": {"train": 2, "val": 1, "test": 1},
                "clips": {"train": 16, "val": 8, "test": 8},
                "frame": [160, 120],
            },
        }
    },
    "rgb": {"size": 32},
    "recipes": {"joint": dict(RECIPE), "flow": dict(RECIPE)},
    "streams": {
        "joint": {
            "corpus": "imigue",
            "input": "joint",
            "network": {"name": "poseconv3d", "width": 4},
            "recipe": "joint",
        },
        "flow": {"corpus": "imigue", "input": "flow", "network": SWIN, "recipe": "flow"},
    },
    "ensembles": {"final": {"streams": ["joint", "flow"], "weights": {"joint": 0.5, "flow": 0.5}}},
    "submission": {"ensemble": "final"},
}


class Project:
    """The copied project; ``run`` calls Snakemake in it and tells which rules were run how often."""

    def __init__(self, folder: Path, config: dict[str, Any] = TINY) -> None:
        self.folder = folder
        for name in ("workflow", "profiles", "src"):
            shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__", "*.egg-info"))
        shutil.copy(ROOT / "Snakefile", folder)
        self.config = copy.deepcopy(config)
        self.write_config()

    def write_config(self) -> None:
        """Write the configuration as it stands in ``self.config``."""
        (self.folder / "config.yaml").write_text(yaml.safe_dump(self.config, sort_keys=False))

    def command(self, *targets: str, cores: int = 2) -> list[str]:
        """The command that makes the targets."""
        return [sys.executable, "-m", "snakemake", "--cores", str(cores), *targets]

    def environment(self) -> dict[str, str]:
        """The environment in which the copied package comes before the installed one."""
        return {**os.environ, "PYTHONPATH": str(self.folder / "src"), "PYTHONDONTWRITEBYTECODE": "1"}

    def run(
        self, target: str = "results/submission.csv", *more: str, fails: bool = False, cores: int = 2
    ) -> Counter[str]:
        """Make the targets; the runs of each rule that succeeded."""
        done = subprocess.run(
            self.command(target, *more, cores=cores),
            cwd=self.folder,
            env=self.environment(),
            capture_output=True,
            text=True,
            check=False,
        )
        self.printed = done.stdout + done.stderr
        assert (done.returncode != 0) == fails, self.printed
        return Counter(re.findall(r"^Finished jobid: \d+ \(Rule: (\w+)\)", self.printed, re.MULTILINE))

    def edit(self, path: str, old: str, new: str) -> None:
        """Replace text that must stand in a file of the copy."""
        file = self.folder / path
        text = file.read_text()
        assert old in text
        file.write_text(text.replace(old, new))
