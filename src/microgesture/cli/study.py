"""The subcommand that starts a study of one's own clips."""

from pathlib import Path
from typing import Annotated

import typer

from .options import stage


@stage("init")
def init(
    study: Annotated[Path, typer.Argument(help="folder to write clips.csv and config.yaml into")],
    folder: Annotated[Path, typer.Option("--from", help="folder with your clips, however it is laid out")],
    pose: Annotated[bool, typer.Option(help="find keypoints in the videos (extra pose)")] = False,
) -> None:
    """Start a study of your own clips: find them, write their list and a configuration, and say what is missing.

    Overwrites nothing.
    """
    import torch

    from ..study.start import next_commands, start_study

    started = start_study(study, folder, gpu=torch.cuda.is_available(), pose=pose)
    for line in started.found:
        typer.echo(line)
    if started.missing:
        typer.echo("\nTo know, or to fill in:")
    for line in started.missing:
        typer.echo(f"- {line}")
    when = "Next" if started.can_start else "Once the labels are filled in there"
    typer.echo(f"\n{study / 'clips.csv'} and {study / 'config.yaml'} are written. {when}, where the Snakefile is:\n")
    for command in next_commands(study):
        typer.echo(f"    {command}")
    typer.echo(f"\nThen look at {study / 'results/report.html'} in a browser.")
