"""Subcommands that export a trained ensemble, and use it on new videos."""

from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ..config.base import checked_options, parse_step
from ..config.predictions import STILLNESS, FindingSettings
from ..config.recogniser import RecogniserStep
from ..terminal import counted
from .options import Device, File, Files, Memory, Output, SettingsText, Threads, Workers, say, stage
from .upkeep import ConfigChanges, ConfigFile, Study, plan_of

if TYPE_CHECKING:
    from ..machine.resources import Resources


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

    plan = plan_of(study, configfile, config)
    step = recogniser_step(plan.config, ensemble or plan.config.submission.ensemble)
    sources = results_of(Path(plan.results), step, plan.config.ensembles[step.ensemble].streams)
    written = export_recogniser(step, sources, output)
    say(f"{output}: {counted(len(written.members), 'stream')}, {counted(len(written.classes), 'class')}")


@stage("recogniser", RecogniserStep)
def recogniser(
    settings: SettingsText,
    clips: File,
    fusion: File,
    summary: File,
    held_out: File,
    models: Files,
    output: Output,
    encoders: Annotated[Path, typer.Option(help="folder with the weights of pretrained encoders")] = Path("encoders"),
) -> None:
    """Write the same folder as export does, from the weights of the streams."""
    from ..recogniser.export import Sources, export_recogniser

    streams = {model.parent.name: model.parent for model in models}
    sources = Sources(clips, fusion, summary, held_out, streams, encoders=encoders)
    export_recogniser(parse_step(RecogniserStep, settings), sources, output)


@stage("predict-videos")
def predict_videos(
    folder: Annotated[Path, typer.Argument(exists=True, file_okay=False, help="folder written by export")],
    videos: Annotated[list[Path], typer.Argument(help="videos, or files of keypoints (.xlsx, .csv, .npz)")],
    output: Annotated[Path, typer.Option(help="folder for the files of each: <name>.csv, .html, .mp4 and others")],
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
    with reserved(output, [video.stem for video in videos]), ExitStack() as held:

        def resources() -> "Resources":
            """Hold the GPU; this imports torch, so only if networks have to run."""
            from ..machine.gpus import held_gpus
            from ..machine.resources import Resources

            return Resources(device, threads, workers, memory, gpus=held.enter_context(held_gpus(device)))

        for sentence in find_gestures(folder, videos, output, keypoints, how, resources):
            say(sentence)


@stage("evaluate-timelines")
def evaluate_timelines(
    found: Annotated[Path, typer.Argument(exists=True, file_okay=False, help="output folder of predict-videos")],
    truth: Annotated[list[Path], typer.Argument(exists=True, dir_okay=False, help="files of ELAN or BORIS, or tables")],
    output: Annotated[Path | None, typer.Option(help="CSV file to write the table to")] = None,
) -> None:
    """Compare timelines with gestures that people have annotated, over all and for each class and person.

    A found gesture is a hit if it overlaps a true one of its class by more than 0.3. hits, precision, recall and f1
    pair each gesture once; those with miga_ are by the rule of the MiGA organisers. kappa compares moment by moment.
    """
    from ..measures.detection import detection_table
    from ..recogniser.summary import read_timelines
    from ..storage.files import write_csv
    from ..study.true_gestures import read_true_gestures

    timelines = read_timelines(found)
    times = {name: timeline.windows.times for name, timeline in timelines.items()}
    classes = {label for timeline in timelines.values() for label in timeline.windows.classes}
    true, people = [], {name: name for name in times}
    for path in truth:
        gestures, named, sentences = read_true_gestures(path, times, classes)
        true += gestures
        people |= named
        for sentence in sentences:
            say(sentence)
    annotated = {one.recording for one in true}
    if missing := sorted(set(times) - annotated):
        say(f"not annotated, and so not compared: {', '.join(missing)}")
    lengths = {name: of.end for name, of in times.items() if name in annotated}
    gestures = [one for timeline in timelines.values() for one in timeline.gestures]
    table = detection_table(gestures, true, lengths, people)
    if output:
        write_csv(output, table)
    say(table.to_string(index=False))


@stage("summarise-timelines")
def summarise_timelines(
    found: Annotated[Path, typer.Argument(exists=True, file_okay=False, help="output folder of predict-videos")],
    output: Output,
    people: Annotated[
        Path | None, typer.Option(exists=True, dir_okay=False, help="CSV with the columns recording and person")
    ] = None,
) -> None:
    """Write one tidy table of all timelines in a folder: for each person and class, how often and how long."""
    from ..recogniser.summary import read_people, read_timelines, summary_of
    from ..storage.files import write_csv

    write_csv(output, summary_of(read_timelines(found), read_people(people) if people else {}))
    say(f"{output}: one row for each person and class")
