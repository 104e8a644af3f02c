"""The commands behind the rules: the environment they run in, and the one that closes a run."""

import os
import subprocess
import sys
from pathlib import Path


def prepare(device: str) -> None:
    """Set what the commands take from the environment, for this process and those it starts.

    The installation that runs Snakemake comes first on PATH, also where it was not activated. The device is no
    parameter of a rule, for the same training on another device is not another result.
    """
    os.environ["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}"
    os.environ["MICROGESTURE_DEVICE"] = device


def show_summary(ensemble: str, results: Path = Path("results")) -> None:
    """Print the closing table of a run that made a submission."""
    summary = results / "ensembles" / ensemble / "summary.csv"
    submission, quarantine = results / "submission.csv", results / "quarantine.csv"
    if summary.exists() and submission.exists() and quarantine.exists():
        files = ["--summary", summary, "--submission", submission, "--quarantine", quarantine]
        subprocess.run(["microgesture", "summary", *files], check=False)
