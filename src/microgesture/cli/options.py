"""Shared parts of the subcommands: the application, common options, and folders for unfinished work."""

import logging
import shutil
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from ..config.base import Settings
from ..errors import InputError
from ..terminal import VisibleFormatter, visible

app = typer.Typer(
    help="Micro-gesture recognition, stage by stage. The workflow calls these commands; you can call them too.",
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
BY_HAND = "hand"  # the stamp of a command that the workflow does not call: its code and settings are unknown
Stamp = Annotated[str, typer.Option(help="name of the folder for unfinished work, from which a stopped job resumes")]
Threads = Annotated[int, typer.Option(envvar="MICROGESTURE_THREADS", min=1, help="CPU threads")]
Device = Annotated[str, typer.Option(envvar="MICROGESTURE_DEVICE", help="auto, cpu or cuda")]
Workers = Annotated[int, typer.Option(envvar="MICROGESTURE_WORKERS", min=0, help="processes that read clips")]
Devices = Annotated[int, typer.Option(envvar="MICROGESTURE_DEVICES", min=1, help="devices to train on")]
Compile = Annotated[bool, typer.Option(envvar="MICROGESTURE_COMPILE", help="compile the network first")]
MaxQuarantined = Annotated[
    float, typer.Option(envvar="MICROGESTURE_MAX_QUARANTINED", min=0, max=1, help="fail above this fraction of clips")
]
Memory = Annotated[float, typer.Option(envvar="MICROGESTURE_MEMORY", min=0, help="GiB of clips to keep in memory")]


def _documented(settings: type[Settings]) -> str:
    """Describe the settings of a stage, for the end of its help."""
    lines = []
    for name, field in settings.model_fields.items():
        default = "required" if field.is_required() else f"default {field.get_default(call_default_factory=True)!r}"
        lines.append(f"[bold]{name}[/bold] ({escape(default)}): {escape(field.description or '')}")
    return "Settings:\n\n" + "\n\n".join(lines)


def stage(name: str, settings: type[Settings] | None = None) -> Callable:
    """Register a function as a subcommand, with its settings described at the end of its help."""
    return app.command(name, epilog=_documented(settings) if settings else None)


@contextmanager
def scratch_folder(output: Path, stamp: str) -> Iterator[Path]:
    """The folder for unfinished work. It depends on the stamp, so a job never resumes work with other settings.

    Raises ``InputError`` if a link is in its place, because everything in the folder will be removed.
    """
    folder = output.parent / ".scratch" / output.stem
    for path in (folder.parent, folder):
        if path.is_symlink():
            raise InputError(
                f"{path} is a link, but this folder is for unfinished work and is emptied; remove the link"
            )
    for other in folder.glob("*"):
        if other.name != stamp:
            shutil.rmtree(other)
    yield folder / stamp
    shutil.rmtree(folder, ignore_errors=True)


def reusing_earlier(
    output: Path, scratch: Path, stamp: str, sources: Callable[[], dict[str, str]]
) -> AbstractContextManager[None]:
    """``storage.earlier.reusing`` for a job of the workflow; a command by hand takes over no clips and keeps none."""
    from ..storage.earlier import reusing

    return reusing(output, scratch, sources() if stamp != BY_HAND else {})


@contextmanager
def own_device(device: str, runs_network: bool = True) -> Iterator[str]:
    """The device; for a network on a GPU, the number of a GPU that no other job uses meanwhile."""
    if not runs_network:
        yield device
        return
    from ..machine.gpus import held_gpus

    with held_gpus(device) as gpus:
        yield f"cuda:{gpus[0]}" if gpus else device


def say(text: str) -> None:
    """Print a sentence."""
    typer.echo(visible(text))


def by_kind(shards: list[Path]) -> dict[str, list[Path]]:
    """Group shard files by their kind; their folders are <kind>/<corpus>."""
    kinds: dict[str, list[Path]] = {}
    for path in shards:
        kinds.setdefault(path.parent.parent.name, []).append(path)
    return kinds


@app.callback()
def _log_to(
    log: Annotated[Path | None, typer.Option(help="file for messages, in addition to the terminal")] = None,
):
    handlers: list[logging.Handler] = [logging.StreamHandler()]
    handlers[0].setLevel(logging.WARNING)
    logging.raiseExceptions = False  # on a full disk, errors of the log would hide the real error
    if log is not None:
        log.parent.mkdir(parents=True, exist_ok=True)
        handlers.append(logging.FileHandler(log, mode="w", encoding="utf-8"))
    for handler in handlers:
        handler.setFormatter(VisibleFormatter("%(message)s"))
    logging.basicConfig(level=logging.INFO, handlers=handlers, force=True)
