"""The ``microgesture`` command behind every rule: each stage is a subcommand, and its ``--help`` its documentation."""

import logging
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from . import steps
from .config import FlowSettings, KeypointSettings, Submission, TaylorSettings, schema_json
from .errors import InputError
from .settings import Settings
from .stream import TrainStep

app = typer.Typer(
    help="Micro-gesture recognition, stage by stage. The workflow calls these commands; so can you.",
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)

File = Annotated[Path, typer.Option(exists=True, dir_okay=False)]
Files = Annotated[list[Path], typer.Argument(exists=True, dir_okay=False)]
OptionalFile = Annotated[Path | None, typer.Option(exists=True, dir_okay=False)]
FoldNumber = Annotated[int, typer.Option(min=0, help="number of the fold")]
Output = Annotated[Path, typer.Option()]
SettingsText = Annotated[str, typer.Option("--settings", help="settings as JSON; the keys are listed below")]
ShardNumber = Annotated[int, typer.Option(help="number of the shard")]
Stamp = Annotated[str, typer.Option(help="work in progress is kept under this name, to go on from after a kill")]
Threads = Annotated[int, typer.Option(envvar="MICROGESTURE_THREADS", min=1, help="CPU threads")]
Device = Annotated[str, typer.Option(envvar="MICROGESTURE_DEVICE", help="auto, cpu or cuda")]
Workers = Annotated[int, typer.Option(envvar="MICROGESTURE_WORKERS", min=0, help="processes that read clips")]
Devices = Annotated[int, typer.Option(envvar="MICROGESTURE_DEVICES", min=1, help="devices to train on")]
Compile = Annotated[bool, typer.Option(envvar="MICROGESTURE_COMPILE", help="compile the network first")]
Memory = Annotated[float, typer.Option(envvar="MICROGESTURE_MEMORY", min=0, help="GiB of clips to keep in memory")]


def _documented(settings: type[Settings]) -> str:
    """The settings of a stage as the closing part of its help."""
    lines = []
    for name, field in settings.model_fields.items():
        default = "required" if field.is_required() else f"default {field.get_default(call_default_factory=True)!r}"
        lines.append(f"[bold]{name}[/bold] ({escape(default)}): {escape(field.description or '')}")
    return "Settings:\n\n" + "\n\n".join(lines)


def _stage(name: str, settings: type[Settings] | None = None) -> Callable:
    return app.command(name, epilog=_documented(settings) if settings else None)


@contextmanager
def _scratch(output: Path, stamp: str) -> Iterator[Path]:
    """Where work in progress lies: by stamp, so that nothing made under other settings is ever gone on from."""
    folder = output.parent / ".scratch" / output.stem
    for other in folder.glob("*"):
        if other.name != stamp:
            shutil.rmtree(other)
    yield folder / stamp
    shutil.rmtree(folder, ignore_errors=True)


def _by_kind(shards: list[Path]) -> dict[str, list[Path]]:
    """Shard files, which lie in <kind>/<corpus>, by their kind."""
    kinds: dict[str, list[Path]] = {}
    for path in shards:
        kinds.setdefault(path.parent.parent.name, []).append(path)
    return kinds


@app.callback()
def _log_to(
    log: Annotated[Path | None, typer.Option(help="file that the messages go to, besides the terminal")] = None,
):
    handlers: list[logging.Handler] = [logging.StreamHandler()]
    handlers[0].setLevel(logging.WARNING)
    if log is not None:
        log.parent.mkdir(parents=True, exist_ok=True)
        handlers.append(logging.FileHandler(log, mode="w", encoding="utf-8"))
    logging.basicConfig(level=logging.INFO, format="%(message)s", handlers=handlers, force=True)


@_stage("demo", steps.DemoStep)
def demo(
    settings: SettingsText,
    root: Output,
    truth: Output,
    output: Output,
    workers: Annotated[int, typer.Option(min=1)] = 1,
) -> None:
    """Draw a corpus of articulated figures in the file layout of a release."""
    from .demo.corpus import make_demo
    from .files import write_json

    step = steps.parse_step(steps.DemoStep, settings)
    files = make_demo(root, truth=truth, workers=workers, **step.model_dump())
    write_json(output, [path.relative_to(root).as_posix() for path in files])


@_stage("clips", steps.ClipsStep)
def clips(settings: SettingsText, output: Output) -> None:
    """List the clips of a corpus: one row each, with where it lies and whether it can be used."""
    from .clips import refuse_many_quarantined, write_clips
    from .corpora import list_clips

    step = steps.parse_step(steps.ClipsStep, settings)
    listed = list_clips(step.corpus, step.format, Path(step.root), step.shards, **step.options)
    refuse_many_quarantined(listed.table, step.corpus, step.max_quarantined)
    write_clips(output, listed)


@_stage("skeletons", steps.SkeletonStep)
def skeletons(settings: SettingsText, clips: File, shard: ShardNumber, output: Output, stamp: Stamp = "hand") -> None:
    """Read the skeleton files of a shard's recordings once."""
    from .clips import read_clips
    from .skeletons import read_skeletons

    step = steps.parse_step(steps.SkeletonStep, settings)
    with _scratch(output, stamp) as scratch:
        read_skeletons(read_clips(clips), shard, Path(step.root), output, scratch)


@_stage("keypoints", KeypointSettings)
def keypoints(
    clips: File,
    shard: ShardNumber,
    skeletons: File,
    output: Output,
    settings: SettingsText = "{}",
    stamp: Stamp = "hand",
) -> None:
    """Cut the clips out of their recordings' skeletons and keep the chosen joints."""
    from .clips import read_clips
    from .keypoints import select_keypoints

    step = steps.parse_step(KeypointSettings, settings)
    with _scratch(output, stamp) as scratch:
        select_keypoints(read_clips(clips), shard, skeletons, output, scratch, **step.model_dump())


@_stage("rgb", steps.RgbStep)
def rgb(
    settings: SettingsText,
    clips: File,
    shard: ShardNumber,
    output: Output,
    keypoints: OptionalFile = None,
    stamp: Stamp = "hand",
) -> None:
    """Decode each video once and cut its clips out, to the person where there are keypoints."""
    from .clips import read_clips
    from .modalities.rgb import make_rgb

    step = steps.parse_step(steps.RgbStep, settings)
    with _scratch(output, stamp) as scratch:
        make_rgb(read_clips(clips), shard, Path(step.root), keypoints, output, scratch, step.size, step.margin)


@_stage("taylor", TaylorSettings)
def taylor(rgb: File, output: Output, settings: SettingsText = "{}", stamp: Stamp = "hand") -> None:
    """Make the Taylor videos of a shard: displacement, velocity and acceleration as three channels."""
    from .modalities.taylor import make_taylor

    step = steps.parse_step(TaylorSettings, settings)
    with _scratch(output, stamp) as scratch:
        make_taylor(rgb, output, scratch, **step.model_dump())


@_stage("flow", FlowSettings)
def flow(
    rgb: File,
    output: Output,
    settings: SettingsText = "{}",
    weights: Annotated[Path | None, typer.Option(exists=True, help="file of the weights that settings name")] = None,
    stamp: Stamp = "hand",
    device: Device = "auto",
    threads: Threads = 1,
) -> None:
    """Make the optical flow of a shard, in 1/32 pixel."""
    from .modalities.flow import make_flow

    step = steps.parse_step(FlowSettings, settings)
    with _scratch(output, stamp) as scratch:
        options = step.model_dump() | ({"weights": str(weights)} if weights else {})
        make_flow(rgb, output, scratch, device=device, threads=threads, **options)


@_stage("depth", steps.DepthStep)
def depth(
    clips: File,
    shard: ShardNumber,
    output: Output,
    keypoints: OptionalFile = None,
    rgb: OptionalFile = None,
    settings: SettingsText = "{}",
    stamp: Stamp = "hand",
    device: Device = "auto",
    threads: Threads = 1,
) -> None:
    """Make the relative depth of a shard, in the same frames as rgb."""
    from .clips import read_clips
    from .modalities.depth import make_depth

    step = steps.parse_step(steps.DepthStep, settings)
    folder = Path(step.folder) if step.folder else None
    with _scratch(output, stamp) as scratch:
        make_depth(
            read_clips(clips),
            shard,
            keypoints,
            output,
            scratch,
            rgb=rgb,
            folder=folder,
            device=device,
            threads=threads,
            **step.model_dump(exclude={"folder"}),
        )


@_stage("weights")
def weights(
    name: Annotated[str, typer.Option(help="torchvision's name, such as Swin3D_T_Weights.KINETICS400_V1")],
    output: Output,
) -> None:
    """Fetch published weights once, check them, and keep them as safetensors."""
    from .published import fetch_weights

    fetch_weights(name, output)


@_stage("train", TrainStep)
def train(
    settings: SettingsText,
    clips: File,
    shards: Files,
    model: Output,
    card: Output,
    init: Annotated[list[Path] | None, typer.Option(exists=True, help="weights of a stream; one for each path")] = None,
    weights: Annotated[Path | None, typer.Option(exists=True, help="published weights")] = None,
    fold: Annotated[int | None, typer.Option(min=0, help="leave the people of this fold out")] = None,
    stamp: Stamp = "hand",
    device: Device = "auto",
    devices: Devices = 1,
    threads: Threads = 1,
    workers: Workers = 0,
    memory: Memory = 1.0,
    compile: Compile = False,
) -> None:
    """Train one stream; a killed training goes on from where it was."""
    from .batches import Machine
    from .clips import read_clips
    from .networks import build
    from .train import train as train_stream

    step = steps.parse_step(TrainStep, settings)
    machine = Machine(device, threads, workers, memory, devices, compile)
    with _scratch(model, stamp) as scratch:
        train_stream(
            read_clips(clips), _by_kind(shards), step, build, model, card, scratch, machine, init or (), weights, fold
        )


@_stage("predict", TrainStep)
def predict(
    settings: SettingsText,
    clips: File,
    shards: Files,
    model: File,
    val: Output,
    test: Output,
    device: Device = "auto",
    threads: Threads = 1,
    workers: Workers = 0,
    memory: Memory = 1.0,
) -> None:
    """Score the validation and the test clips with a trained stream."""
    from .batches import Machine
    from .clips import read_clips
    from .networks import build
    from .predict import predict as predict_stream

    step = steps.parse_step(TrainStep, settings)
    machine = Machine(device, threads, workers, memory)
    predict_stream(read_clips(clips), _by_kind(shards), model, step, build, {"val": val, "test": test}, machine)


@_stage("predict-fold", TrainStep)
def predict_fold(
    settings: SettingsText,
    clips: File,
    shards: Files,
    model: File,
    fold: FoldNumber,
    output: Output,
    device: Device = "auto",
    threads: Threads = 1,
    workers: Workers = 0,
    memory: Memory = 1.0,
) -> None:
    """Score the labelled clips of the people that a fold of a stream was trained without."""
    from .batches import Machine
    from .clips import read_clips
    from .networks import build
    from .predict import predict_fold as predict_people

    step = steps.parse_step(TrainStep, settings)
    machine = Machine(device, threads, workers, memory)
    predict_people(read_clips(clips), _by_kind(shards), model, step, build, fold, output, machine)


@_stage("ensemble", steps.EnsembleStep)
def ensemble(
    settings: SettingsText,
    name: Annotated[str, typer.Option()],
    clips: File,
    scores: Files,
    fusion: Output,
    summary: Output,
    held_out: Output,
    val_output: Output,
    test_output: Output,
) -> None:
    """Fit temperatures and weights, and join the streams.

    The scores of a stream are the files <stream>/val.parquet, test.parquet and, with folds, fold0.parquet and so on.
    """
    from .clips import read_clips
    from .ensemble import run_ensemble

    step = steps.parse_step(steps.EnsembleStep, settings)
    found = {(path.parent.name, path.stem): path for path in scores}
    files = {stream: {split: found[stream, split] for split in ("val", "test")} for stream in step.streams}
    folds = {stream: [found[stream, f"fold{fold}"] for fold in range(step.folds)] for stream in step.streams}
    outputs = {"val": val_output, "test": test_output}
    run_ensemble(
        name, read_clips(clips), files, folds, outputs, held_out, fusion, summary, step.weights, step.calibrate
    )


@_stage("ablation", steps.AblationStep)
def ablation(settings: SettingsText, clips: File, predictions: Files, csv: Output, markdown: Output) -> None:
    """Compare streams and ensembles on the same clips, with intervals over people.

    The files are <stream>/fold0.parquet and so on, or <stream>/val.parquet, and <ensemble>/held_out.parquet.
    """
    from .ablation import run_ablation
    from .clips import read_clips

    step = steps.parse_step(steps.AblationStep, settings)
    files = {row.name: [path for path in predictions if path.parent.name == row.name] for row in step.rows}
    rows = {row.name: row.versus for row in step.rows}
    run_ablation(read_clips(clips), rows, files, step.folds, csv, markdown)


@_stage("submission", Submission)
def submission(settings: SettingsText, clips: File, predictions: File, output: Output) -> None:
    """Write the file that is handed in: every test clip once, in order."""
    from .clips import read_clips
    from .submission import write_submission

    step = steps.parse_step(Submission, settings)
    write_submission(predictions, read_clips(clips), output, Path(step.sample) if step.sample else None)


@_stage("quarantine")
def quarantine(files: Files, output: Output) -> None:
    """List every clip that some stage could not use: the files are clips tables and shards."""
    from .quarantine import list_quarantine

    list_quarantine(files, output)


@_stage("summary")
def summary(
    summary: File,
    fusion: File,
    submission: File,
    quarantine: File,
    cards: Annotated[
        list[Path] | None, typer.Argument(exists=True, help="cards of streams outside the ensemble")
    ] = None,
) -> None:
    """Print the table of streams and ensemble."""
    from .summary import print_summary

    print_summary(summary, fusion, submission, quarantine, cards or [])


@_stage("evaluate")
def evaluate(
    submission: File,
    truth: Annotated[Path, typer.Option(exists=True, dir_okay=False, help="CSV with the true labels")],
    id_column: Annotated[str, typer.Option(help="its column of clip ids")] = "Id",
    label_column: Annotated[str, typer.Option(help="its column of classes, written as in the submission")] = "Target",
    by: Annotated[str | None, typer.Option(help="also for each value of this column, such as the subject")] = None,
) -> None:
    """Compare a submission with true labels, which no stage of the workflow reads."""
    from .evaluate import evaluate as compare

    typer.echo(compare(submission, truth, id_column, label_column, by).to_string(index=False))


@_stage("schema")
def schema() -> None:
    """Print the JSON schema of the configuration."""
    typer.echo(schema_json(), nl=False)


def main(arguments: list[str] | None = None) -> int:
    """Run the command; an ``InputError`` becomes one sentence and exit code 1, a wrong call its usage and code 2."""
    try:
        app(arguments, prog_name="microgesture")
    except InputError as error:
        logging.getLogger(__name__).error("microgesture: %s", error)
        return 1
    return 0
