"""The environment of the commands in the rules, and the command at the end of a run."""

import os
import subprocess
import sys
from pathlib import Path

from ..config.whole import Config
from ..errors import InputError

PLUGINS = Path(".snakemake/pip-deployments")  # Snakemake loads plugins from there, but this workflow puts none there


def prepare(config: Config) -> None:
    """Set the environment variables of the commands, for this process and the processes that it starts.

    The installation that runs Snakemake comes first on PATH, even if it was not activated. The resources of a training
    are not parameters of a rule, because they do not change its result. Limits that stop a run are not parameters
    either, because results within a limit stay the same. Raises ``InputError`` if the folder of the run has plugins for
    Snakemake, because a cluster job would run them.
    """
    if PLUGINS.exists():
        raise InputError(f"{PLUGINS.absolute()} has plugins that Snakemake would run, and none are needed: remove it")
    os.environ["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}"
    os.environ["MICROGESTURE_DEVICE"] = config.device
    os.environ["MICROGESTURE_DEVICES"] = str(config.devices)
    os.environ["MICROGESTURE_COMPILE"] = str(config.compile)
    os.environ["MICROGESTURE_THREADS"] = str(config.threads)
    os.environ["MICROGESTURE_WORKERS"] = str(config.workers)
    os.environ["MICROGESTURE_MEMORY"] = str(config.memory)
    os.environ["MICROGESTURE_MAX_QUARANTINED"] = str(config.max_quarantined)


def claimed_threads(config: Config, cores: int | None) -> int:
    """The threads that a training requests from the ``cores`` given to Snakemake: its own and those that read clips.

    If Snakemake has more cores than the machine, a training requests more threads than it uses: trainings that cannot
    really run in parallel would only fill the memory.
    """
    return max((config.threads + config.workers) * config.devices, (cores or 1) // (os.cpu_count() or 1))


def show_summary(config: Config, results: Path = Path("results")) -> None:
    """Print the table at the end of a run that made a submission."""
    ensemble = config.submission.ensemble
    summary, fusion = (results / "ensembles" / ensemble / name for name in ("summary.csv", "fusion.json"))
    submission, quarantine = results / "submission.csv", results / "quarantine.csv"
    report = results / "report.html"
    if all(path.exists() for path in (summary, fusion, submission, quarantine)):
        cards = [path for name in config.streams if (path := results / "streams" / name / "card.json").exists()]
        files = ["--summary", summary, "--fusion", fusion, "--submission", submission, "--quarantine", quarantine]
        if config.emotion:
            emotion = results / "emotion"
            card, told = emotion / config.emotion.submitted / "card.json", emotion / "submission.csv"
            if card.exists() and told.exists():
                files += ["--emotion-card", card, "--emotion-submission", told]
        corpus = config.streams[config.ensembles[ensemble].streams[0]].corpus
        if (clips := results / "clips" / f"{corpus}.parquet").exists():
            files += ["--clips", clips]
        tables = {"--ablation": results / "ablation.csv", "--on-test": results / "cross_subject" / "ablation.csv"}
        for option, table in tables.items():
            if table.exists() and (option == "--ablation" or config.ground_truth):
                files += [option, table]
        # An older report does not show this submission.
        if report.exists() and report.stat().st_mtime >= submission.stat().st_mtime:
            files += ["--report", report]
        subprocess.run(["microgesture", "summary", *files, *cards], check=False)
