"""Subcommands that export a trained ensemble, and use it on new videos."""

from pathlib import Path
from typing import Annotated

import typer

from ..config.base import checked_options, parse_step
from ..config.predictions import STILLNESS, FindingSettings
from ..config.recogniser import RecogniserStep
from .options import Device, File, Files, Memory, Output, SettingsText, Threads, Workers, say, stage
from .upkeep import ConfigChanges, ConfigFile


@stage("export")
def export(
    output: Annotated[Path, typer.Option(help="folder to write")],
    results: Annotated[Path, typer.Argument(help="folder of results")] = Path("results"),
    configfile: ConfigFile = Path("config.yaml"),
    config: ConfigChanges = None,
    ensemble: Annotated[str | None, typer.Option(help="by default the ensemble of the submission")] = None,
) -> None:
    """Export an ensemble of a finished run as one folder, which predict-videos can use on any machine."""
    from ..recogniser.export import export_recogniser, results_of
    from ..workflow.prediction_stages import recogniser_step
    from ..workflow.read_plan import read_plan

    plan = read_plan(configfile, config or (), results).config
    step = recogniser_step(plan, ensemble or plan.submission.ensemble)
    written = export_recogniser(step, results_of(results, step, plan.ensembles[step.ensemble].streams), output)
    streams = "1 stream" if len(written.members) == 1 else f"{len(written.members)} streams"
    say(f"{output}: {streams}, {len(written.classes)} classes")


@stage("recogniser", RecogniserStep)
def recogniser(
    settings: SettingsText, clips: File, fusion: File, summary: File, held_out: File, models: Files, output: Output
) -> None:
    """Write the same folder as export does, from the weights of the streams."""
    from ..recogniser.export import Sources, export_recogniser

    sources = Sources(clips, fusion, summary, held_out, {model.parent.name: model.parent for model in models})
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
        float | None,
        typer.Option(
            min=0,
            max=1,
            help="report gestures with a higher probability; a lower value finds more; by default the recogniser's own",
        ),
    ] = None,
    stillness: Annotated[
        float, typer.Option(min=0, max=1, help="fraction of the strongest motion in a video below which it is at rest")
    ] = STILLNESS,
    join: Annotated[
        float | None, typer.Option(min=0, help="merge gestures of one class with a gap of at most this many seconds")
    ] = None,
    overlap: Annotated[
        bool | None,
        typer.Option(help="let gestures of different classes overlap; by default if they do in the training data"),
    ] = None,
    pictures: Annotated[bool, typer.Option(help="also write a page with the timeline, and its video")] = True,
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
        FindingSettings,
        fps=fps,
        threshold=threshold,
        stillness=stillness,
        join=join,
        overlap=overlap,
        pictures=pictures,
        pose=pose,
    )
    with reserved(output, [video.stem for video in videos]), held_gpus(device) as gpus:
        resources = Resources(device, threads, workers, memory, gpus=gpus)
        for sentence in find_gestures(folder, videos, output, keypoints, how, resources):
            say(sentence)
