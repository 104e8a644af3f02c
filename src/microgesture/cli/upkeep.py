"""Subcommands that check a run: before it starts, and after a failure."""

import shlex
from collections.abc import Sequence
from contextlib import chdir
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from .options import say, stage

if TYPE_CHECKING:
    from ..workflow.plan import Plan

Study = Annotated[
    Path, typer.Argument(exists=True, file_okay=False, help="folder of the study, which has config.yaml and results")
]
ConfigFile = Annotated[Path | None, typer.Option(help="configuration; by default config.yaml of the study")]
ConfigChanges = Annotated[list[str] | None, typer.Option(help="key=value that replaces the value in the file")]


def results_of(study: Path) -> Path:
    """The folder of results of a study. A folder of results may also be given itself."""
    within = study / "results"
    is_study = within.exists() or (study / "config.yaml").exists()
    is_results = study.name == "results" or (study / "clips").is_dir()
    return study if is_results and not is_study else within


def configuration_of(study: Path, configfile: Path | None) -> Path:
    """The configuration of a study: ``configfile``, or by default ``config.yaml`` beside its results."""
    return configfile or results_of(study).parent / "config.yaml"


def located(study: Path, configfile: Path | None) -> tuple[Path, Path]:
    """The results and the configuration of a study, as paths that are also right inside its folder."""
    results, configuration = results_of(study), configuration_of(study, configfile)
    if results.parent == Path():
        return results, configuration
    return results.resolve(), configuration.resolve()


def inside(study: Path) -> chdir:
    """Work in the folder of a study: relative paths in its configuration start there, as in Snakemake."""
    return chdir(results_of(study).parent)


def plan_of(study: Path, configfile: Path | None, changes: Sequence[str] | None) -> "Plan":
    """The plan of a study; its path of the results is also right outside its folder. Raises ``InputError``."""
    from ..workflow.read_plan import read_plan

    results, configuration = located(study, configfile)
    with inside(study):
        return read_plan(configuration, changes or (), results)


def run_of(study: Path, configfile: Path | None) -> str:
    """The command that runs a study from the current folder, without its targets."""
    folder = results_of(study).parent
    there = [] if folder == Path() else ["--directory", str(folder)]
    return shlex.join(["snakemake", *there, *(["--configfile", str(configfile)] if configfile else ())])


@stage("verify")
def verify(
    study: Study = Path(),
    remove: Annotated[bool, typer.Option("--remove", help="remove damaged files, so that they are made again")] = False,
) -> None:
    """Read all results and list those that changed since they were written; exit code 1 if there are any."""
    from ..storage.integrity import verify as verify_results

    if verify_results(results_of(study), remove=remove):
        raise typer.Exit(1)


@stage("preflight")
def preflight(
    study: Study = Path(),
    configfile: ConfigFile = None,
    config: ConfigChanges = None,
    cores: Annotated[int | None, typer.Option(min=1, help="number of parallel jobs; by default the cores")] = None,
) -> None:
    """Estimate the disk and the time of a whole run from its finished jobs; exit code 1 if it does not fit."""
    from ..machine.hardware import own_cores
    from ..workflow.preflight import preflight as estimate

    plan = plan_of(study, configfile, config)
    if not estimate(plan, cores or own_cores(), run_of(study, configfile)):
        raise typer.Exit(1)


@stage("doctor")
def doctor(
    study: Study = Path(),
    configfile: ConfigFile = None,
    config: ConfigChanges = None,
) -> None:
    """Check whether a run can start: versions, devices, decoders, folders and corpora.

    The exit code is 1 if something would stop it.
    """
    from ..workflow.findings import lines
    from ..workflow.health import examine

    stopped = False
    results, configuration = located(study, configfile)
    with inside(study):
        for line, stops in lines(examine(configuration, config or (), results)):
            say(line)
            stopped |= stops
    if stopped:
        say("The lines marked with ! would stop a run.")
        raise typer.Exit(1)
    say("Nothing would stop a run.")
