"""The subcommands that hand a trained ensemble over, and use it on videos that no run has seen."""

from pathlib import Path
from typing import Annotated

import typer

from ..config.base import parse_step
from ..config.predictions import STILLNESS, THRESHOLD, FindingSettings
from ..config.recogniser import RecogniserStep
from .options import Device, File, Files, Memory, Output, SettingsText, Threads, Workers, stage
from .upkeep import ConfigChanges, ConfigFile


@stage("export")
def export(
    output: Annotated[Path, typer.Option(help="folder to write")],
    results: Annotated[Path, typer.Argument(help="folder of results")] = Path("results"),
    configfile: ConfigFile = Path("config.yaml"),
    config: ConfigChanges = None,
    ensemble: Annotated[str | None, typer.Option(help="by default that of the submission")] = None,
) -> None:
    """Write an ensemble of a finished run as one folder that predict-videos uses anywhere."""
    from ..recogniser.export import export_recogniser, results_of
    from ..workflow.prediction_stages import recogniser_step
    from ..workflow.read_plan import read_plan

    plan = read_plan(configfile, config or (), results).config
    step = recogniser_step(plan, ensemble or plan.submission.ensemble)
    written = export_recogniser(step, results_of(results, step, plan.ensembles[step.ensemble].streams), output)
    typer.echo(f"{output}: {len(written.members)} streams, {len(written.classes)} classes")


@stage("recogniser", RecogniserStep)
def recogniser(settings: SettingsText, clips: File, fusion: File, summary: File, models: Files, output: Output) -> None:
    """Write a trained ensemble as the folder that export writes, from the weights of its streams."""
    from ..recogniser.export import Sources, export_recogniser

    sources = Sources(clips, fusion, summary, {model.parent.name: model.parent for model in models})
    export_recogniser(parse_step(RecogniserStep, settings), sources, output)


@stage("predict-videos")
def predict_videos(
    folder: Annotated[Path, typer.Argument(exists=True, file_okay=False, help="what export has written")],
    videos: Annotated[list[Path], typer.Argument(help="videos, or files of keypoints (.xlsx, .csv, .npz)")],
    output: Annotated[Path, typer.Option(help="folder for <name>.csv, .mp4 and .html of each")],
    keypoints: Annotated[Path | None, typer.Option(exists=True, help="of the one video; else beside it")] = None,
    fps: Annotated[float, typer.Option(min=0.1, help="frames a second where a file does not say")] = 25.0,
    threshold: Annotated[
        float, typer.Option(min=0, max=1, help="probability that a gesture has more than; lower finds more")
    ] = THRESHOLD,
    stillness: Annotated[
        float, typer.Option(min=0, max=1, help="share of its liveliest moments' motion below which a video rests")
    ] = STILLNESS,
    join: Annotated[
        float | None, typer.Option(min=0, help="seconds up to which gestures of one class are one; else they stay two")
    ] = None,
    pictures: Annotated[bool, typer.Option(help="also an annotated video and a page beside it")] = True,
    pose: Annotated[
        bool | None,
        typer.Option(help="find keypoints in videos without a file of them; by default if the recogniser knows such"),
    ] = None,
    device: Device = "auto",
    threads: Threads = 1,
    workers: Workers = 0,
    memory: Memory = 1.0,
) -> None:
    """Find the gestures in videos of any length and write a timeline of each.

    A video's keypoints lie beside it, as <name>.npz, .xlsx, .csv or <name>_openpose.xlsx, in the formats of corpora.
    Without any they are found in the video (extra pose), or the streams that need them are left out.
    """
    from ..machine.gpus import held_gpus
    from ..machine.resources import Resources
    from ..recogniser.finding import find_gestures

    how = FindingSettings(fps=fps, threshold=threshold, stillness=stillness, join=join, pictures=pictures, pose=pose)
    with held_gpus(device) as gpus:
        resources = Resources(device, threads, workers, memory, gpus=gpus)
        for sentence in find_gestures(folder, videos, output, keypoints, how, resources):
            typer.echo(sentence)
