"""Subcommands that export a trained ensemble, and use it on new videos."""

from pathlib import Path
from typing import Annotated

import typer

from ..config.base import checked_options, parse_step
from ..config.predictions import STILLNESS, THRESHOLD, FindingSettings
from ..config.recogniser import RecogniserStep
from ..terminal import counted
from .options import Device, File, Files, Memory, Output, SettingsText, Threads, Workers, say, stage
from .upkeep import ConfigChanges, ConfigFile, Study, configuration_of
from .upkeep import results_of as results_in


@stage("export")
def export(
    output: Annotated[Path, typer.Option(help="folder to write")],
    study: Study = Path(),
    configfile: ConfigFile = None,
    config: ConfigChanges = None,
    ensemble: Annotated[str | None, typer.Option(help="by default the ensemble of the submission")] = None,
) -> None:
    """Export an ensemble of a finished run as one folder, which predict-videos can use on any machine."""
    from ..recogniser.export import export_recogniser, results_of
    from ..workflow.prediction_stages import recogniser_step
    from ..workflow.read_plan import read_plan

    results = results_in(study)
    plan = read_plan(configuration_of(study, configfile), config or (), results).config
    step = recogniser_step(plan, ensemble or plan.submission.ensemble)
    written = export_recogniser(step, results_of(results, step, plan.ensembles[step.ensemble].streams), output)
    say(f"{output}: {counted(len(written.members), 'stream')}, {counted(len(written.classes), 'class')}")


@stage("recogniser", RecogniserStep)
def recogniser(settings: SettingsText, clips: File, fusion: File, summary: File, models: Files, output: Output) -> None:
    """Write the same folder as export does, from the weights of the streams."""
    from ..recogniser.export import Sources, export_recogniser

    sources = Sources(clips, fusion, summary, {model.parent.name: model.parent for model in models})
    export_recogniser(parse_step(RecogniserStep, settings), sources, output)


@stage("predict-videos")
def predict_videos(
    folder: Annotated[Path, typer.Argument(exists=True, file_okay=False, help="folder written by export")],
    videos: Annotated[list[Path], typer.Argument(help="videos, or files of keypoints (.xlsx, .csv, .npz)")],
    output: Annotated[Path, typer.Option(help="folder for <name>.csv, .mp4 and .html of each")],
    keypoints: Annotated[
        Path | None, typer.Option(exists=True, help="keypoints of a single video; by default the file beside it")
    ] = None,
    fps: Annotated[float, typer.Option(min=0.1, help="frames per second of files without a frame rate")] = 25.0,
    threshold: Annotated[
        float, typer.Option(min=0, max=1, help="report gestures with a higher probability; a lower value finds more")
    ] = THRESHOLD,
    stillness: Annotated[
        float, typer.Option(min=0, max=1, help="fraction of the strongest motion in a video below which it is at rest")
    ] = STILLNESS,
    join: Annotated[
        float | None, typer.Option(min=0, help="merge gestures of one class with a gap of at most this many seconds")
    ] = None,
    pictures: Annotated[bool, typer.Option(help="also write an annotated video and a page with the timeline")] = True,
    pose: Annotated[
        bool | None,
        typer.Option(
            help="find keypoints in videos without a file of them; by default if the recogniser was trained on such"
        ),
    ] = None,
    device: Device = "auto",
    threads: Threads = 1,
    workers: Workers = 0,
    memory: Memory = 1.0,
) -> None:
    """Find the gestures in videos of any length and write a timeline of each.

    The keypoints of a video are in a file beside it: <name>.npz, .xlsx, .csv or <name>_openpose.xlsx, in the formats of
    the corpora. Without such a file, keypoints are found in the video (extra pose), or the streams that need keypoints
    are left out.
    """
    from ..machine.gpus import held_gpus
    from ..machine.resources import Resources
    from ..recogniser.finding import find_gestures
    from ..storage.reservations import reserved

    how = checked_options(
        FindingSettings, fps=fps, threshold=threshold, stillness=stillness, join=join, pictures=pictures, pose=pose
    )
    with reserved(output, [video.stem for video in videos]), held_gpus(device) as gpus:
        resources = Resources(device, threads, workers, memory, gpus=gpus)
        for sentence in find_gestures(folder, videos, output, keypoints, how, resources):
            say(sentence)
