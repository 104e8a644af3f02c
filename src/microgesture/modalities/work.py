"""What the stage of a modality is given: where its inputs are, its settings, and where its shard goes."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from ..config.base import Settings
from ..errors import InputError
from ..storage.clips import Clips


@dataclass(frozen=True)
class Work:
    """One shard of a modality to make.

    ``settings`` and ``shards`` are by modality (``skeletons`` among the shards): the own settings and those of the
    modalities that it ``uses``, and the files of the same shard that it is made from. ``root`` is the corpus's folder,
    or a file in it such as ``clips.csv``, for a modality that opens videos. ``clips`` is None where it does not read
    the clips table. Unfinished clips are kept in ``scratch``. ``weights`` is a file to read in place of the weights
    that the settings name; ``device`` is "auto", "cpu", "cuda" or "cuda:N", ``threads`` are a CPU's.
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
        """The file of a kind of shard that it cannot do without; raises ``InputError`` if there is none."""
        if kind not in self.shards:
            raise InputError(f"{self.output} is made from {kind}, but no shard of {kind} was given")
        return self.shards[kind]
