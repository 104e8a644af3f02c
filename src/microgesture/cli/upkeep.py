"""Subcommands that check a run: before it starts, and after a failure."""

from pathlib import Path
from typing import Annotated

import typer

from .options import say, stage

Results = Annotated[Path, typer.Argument(exists=True, file_okay=False, help="folder of results")]
ConfigFile = Annotated[Path, typer.Option(help="configuration of the run")]
ConfigChanges = Annotated[list[str] | None, typer.Option(help="key=value that replaces the value in the file")]


@stage("verify")
def verify(
    results: Results = Path("results"),
    remove: Annotated[bool, typer.Option("--remove", help="remove damaged files, so that they are made again")] = False,
) -> None:
    """Read all results and list those that changed since they were written; exit code 1 if there are any."""
    from ..storage.integrity import verify as verify_results

    if verify_results(results, remove=remove):
        raise typer.Exit(1)


@stage("preflight")
def preflight(
    results: Annotated[Path, typer.Argument(help="folder of results")] = Path("results"),
    configfile: ConfigFile = Path("config.yaml"),
    config: ConfigChanges = None,
    cores: Annotated[int, typer.Option(min=1, help="number of parallel jobs")] = 8,
) -> None:
    """Estimate the disk and the time of a whole run from its first shards; exit code 1 if it does not fit."""
    from ..workflow.preflight import preflight as estimate
    from ..workflow.read_plan import read_plan

    if not estimate(read_plan(configfile, config or (), results), cores):
        raise typer.Exit(1)


@stage("doctor")
def doctor(
    results: Annotated[Path, typer.Argument(help="folder of results")] = Path("results"),
    configfile: ConfigFile = Path("config.yaml"),
    config: ConfigChanges = None,
) -> None:
    """Check whether a run can start: versions, devices, decoders, folders and corpora.

    The exit code is 1 if something would stop it.
    """
    from ..workflow.health import examine, lines

    stopped = False
    for line, stops in lines(examine(configfile, config or (), results)):
        say(line)
        stopped |= stops
    if stopped:
        say("The lines marked with ! would stop a run.")
        raise typer.Exit(1)
    say("Nothing would stop a run.")
