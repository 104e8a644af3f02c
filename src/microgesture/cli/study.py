"""The subcommand that starts a study of your own clips."""

import shlex
from pathlib import Path
from typing import Annotated

import typer

from ..config.pose import PoseName
from .options import say, stage


@stage("init")
def init(
    study: Annotated[Path, typer.Argument(help="folder to write clips.csv and config.yaml into")],
    folder: Annotated[Path, typer.Option("--from", help="folder with your clips, in any layout")],
    pose: Annotated[
        PoseName | None,
        typer.Option(
            help="method that finds keypoints in the videos: mediapipe follows one person, rtmw finds everybody",
        ),
    ] = None,
    tier: Annotated[
        list[str] | None, typer.Option(help="the tier of annotations that has your classes (may be repeated)")
    ] = None,
) -> None:
    """Start a study of your own clips: find them, write clips.csv and config.yaml, and list what is missing.

    Existing files are not overwritten.
    """
    from ..machine.hardware import has_gpu
    from ..study.start import next_commands, start_study

    started = start_study(study, folder, gpu=has_gpu(), pose=pose, tiers=tier or ())
    for line in started.found:
        say(line)
    if started.missing:
        say("\nPlease note, or fill in:")
    for line in started.missing:
        say(f"- {line}")
    study = study.resolve()
    when = "Next" if started.can_start else "When the labels are filled in"
    say(f"\n{study / 'clips.csv'} and {study / 'config.yaml'} are written. {when}, in the folder of the Snakefile:\n")
    for command in next_commands(study):
        say(f"    {command}")
    say("\nWhile it runs, this command estimates the time and the disk that the rest needs:\n")
    say(f"    microgesture preflight {shlex.quote(str(study))}")
    say(f"\nThen open {study / 'results/report.html'} in a browser.")
