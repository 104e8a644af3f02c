"""The card of a trained stream: its settings, data, results and versions, as JSON beside its weights."""

import platform
import subprocess
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from torch import nn

from ..config.recipes import Testing
from ..config.streams import TrainStep
from ..storage.clips import Clips, class_counts
from ..storage.files import write_json
from .distributed import Process
from .fused_samples import Dataset
from .weights import Start

LIBRARIES = ("torch", "torchvision", "pytorchvideo", "numpy")


@dataclass(frozen=True)
class Made:
    """Inputs and results of a training; ``micro_batches`` is the number of micro-batches of a step on all devices.

    ``loss_bounds`` are the least possible training loss and that of guessing, if they are known.
    """

    step: TrainStep
    clips: Clips
    training: Dataset
    validation: Dataset
    network: nn.Module
    start: Start | None
    history: list[dict[str, float | int | None]]
    best_epoch: int
    loss_bounds: tuple[float, float] | None
    micro_batches: int
    fold: int | None
    process: Process


def write_card(path: Path | str, made: Made, seconds: float) -> dict[str, Any]:
    """Write and return the card; it has times and versions, so unlike those of the weights its bytes differ."""
    trained = {"recipe": set(Testing.model_fields)}  # settings of testing, which training does not use
    settings = made.step.model_dump(mode="json", exclude=trained | {"branches": {"__all__": trained}})
    process = made.process
    card: dict[str, Any] = {
        "stream": settings.pop("stream"),
        "corpus": ", ".join(sorted(set(made.clips.table.corpus))),
        **settings,
        "fold": made.fold,
        "classes": list(made.clips.classes),
        "train_clips": class_counts(made.training.labels, len(made.clips.classes)),
        "val_clips": class_counts(made.validation.labels, len(made.clips.classes)),
        "left_out": made.training.left_out | made.validation.left_out,
        "parameters": sum(parameter.numel() for parameter in made.network.parameters()),
        "init": asdict(made.start) if made.start else None,
        "best_epoch": made.best_epoch,
        "best": made.history[made.best_epoch],
        "loss_bounds": made.loss_bounds,
        "history": made.history,
        "seconds": round(seconds, 1),
        "device": process.device.type,
        "devices": process.count,
        "micro_batches_per_step": made.micro_batches,
        "git_revision": git_revision(),
        "python": platform.python_version(),
        "libraries": {name: version(name) for name in LIBRARIES},
    }
    write_json(path, card)
    return card


def git_revision() -> str | None:
    """The git commit of this source, with ``+`` if files were changed since; None outside a git repository."""
    folder = Path(__file__).parent

    def git(*command: str) -> str:
        ran = subprocess.run(["git", "-C", str(folder), *command], capture_output=True, text=True, check=True)
        return ran.stdout.strip()

    try:
        return git("rev-parse", "HEAD") + ("+" if git("status", "--porcelain", "--untracked-files=no") else "")
    except (OSError, subprocess.CalledProcessError):
        return None
