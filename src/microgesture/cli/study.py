"""The subcommand that starts a study of your own clips."""

import shlex
from contextlib import suppress
from pathlib import Path
from typing import Annotated

import typer

from ..config.pose import PoseName
from ..errors import InputError
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
    notes = [*started.missing, *_keypoint_notes(study)]
    if notes:
        say("\nPlease note, or fill in:")
    for line in notes:
        say(f"- {line}")
    study = study.resolve()
    when = "Next" if started.can_start else "When the labels are filled in"
    say(f"\n{study / 'clips.csv'} and {study / 'config.yaml'} are written. {when}, in the folder of the Snakefile:\n")
    for command in next_commands(study):
        say(f"    {command}")
    say("\nWhile it runs, this command estimates the time and the disk that the rest needs:\n")
    say(f"    microgesture preflight {shlex.quote(str(study))}")
    say(f"\nThen open {study / 'results/report.html'} in a browser.")


def _keypoint_notes(study: Path) -> list[str]:
    """What ``doctor`` finds in a few files of keypoints; empty if the clips cannot be listed yet."""
    from ..config.whole import load_config
    from ..workflow.keypoint_health import sampled_keypoints
    from ..workflow.read_plan import read_configuration

    config = load_config(read_configuration(study / "config.yaml"))
    with suppress(InputError):
        return [f"Keypoints: {finding.text}." for name in config.corpora for finding in sampled_keypoints(name, config)]
    return []
