"""The arguments of a modality's stage: its input files, its settings and its output file."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from ..config.base import Settings
from ..errors import InputError
from ..storage.clips import Clips


@dataclass(frozen=True)
class Work:
    """One shard of a modality to compute.

    ``settings`` maps the modality, and those that it ``uses``, to their settings. ``shards`` maps the modalities from
    which it is computed (and ``skeletons``) to their files of the same shard. ``root`` is the corpus's folder, or a
    file in it such as ``clips.csv``, for a modality that opens videos. ``clips`` is None for a modality that does not
    read the clips table. Unfinished clips are kept in ``scratch``. ``weights`` is a file to read in place of the
    weights that the settings name; ``device`` is "auto", "cpu", "cuda" or "cuda:N", ``threads`` is the number of CPU
    threads.
    """

    settings: Mapping[str, Settings]
    output: Path
    scratch: Path
    shards: Mapping[str, Path]
    clips: Clips | None = None
    shard: int = 0
    root: Path | None = None
    weights: Path | None = None
    device: str = "auto"
    threads: int = 1

    def source(self, kind: str) -> Path:
        """Return the file of a required kind of shard; raises ``InputError`` if there is none."""
        if kind not in self.shards:
            raise InputError(f"{self.output} is computed from {kind}, but no shard of {kind} was given")
        return self.shards[kind]
