"""The subcommands that hand a trained ensemble over, and use it on videos that no run has seen."""

from pathlib import Path
from typing import Annotated

import typer

from .options import Device, Memory, Threads, Workers, stage
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
    from ..jobs import read_plan
    from ..recogniser.export import export_recogniser

    written = export_recogniser(read_plan(configfile, config or (), results), output, ensemble)
    typer.echo(f"{output}: {len(written.members)} streams, {len(written.classes)} classes")


@stage("predict-videos")
def predict_videos(
    folder: Annotated[Path, typer.Argument(exists=True, file_okay=False, help="what export has written")],
    videos: Annotated[list[Path], typer.Argument(help="videos, or files of keypoints (.xlsx, .csv, .npz)")],
    output: Annotated[Path, typer.Option(help="folder for <name>.csv, .mp4 and .html of each")],
    keypoints: Annotated[Path | None, typer.Option(exists=True, help="of the one video; else beside it")] = None,
    fps: Annotated[float, typer.Option(min=0.1, help="frames a second where a file does not say")] = 25.0,
    threshold: Annotated[
        float | None, typer.Option(min=0, max=1, help="probability that a gesture has more than; lower finds more")
    ] = None,
    pictures: Annotated[bool, typer.Option(help="also an annotated video and a page beside it")] = True,
    device: Device = "auto",
    threads: Threads = 1,
    workers: Workers = 0,
    memory: Memory = 1.0,
) -> None:
    """Find the gestures in videos of any length and write a timeline of each.

    A video's keypoints lie beside it, as <name>.npz, .xlsx, .csv or <name>_openpose.xlsx, in the formats of corpora;
    without any, the streams that need them are left out.
    """
    from ..batches import Machine
    from ..gpus import held_gpus
    from ..recogniser.finding import find_gestures

    with held_gpus(device) as gpus:
        machine = Machine(device, threads, workers, memory, gpus=gpus)
        for sentence in find_gestures(folder, videos, output, keypoints, fps, threshold, machine, pictures):
            typer.echo(sentence)
