"""The stage of a modality: its input files, its settings and its output file, and a check of what it makes."""

from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

from ..config.base import Settings
from ..config.corpus_format import LARGEST
from ..config.declarations import Modality
from ..errors import InputError
from ..storage.clips import Clips
from ..storage.shards import Shard


@dataclass(frozen=True)
class Work:
    """One shard of a modality to compute.

    ``settings`` maps the modality, and those that it ``uses``, to their settings. ``shards`` maps the modalities from
    which it is computed (and ``skeletons``) to their files of the same shard. ``root`` is the corpus's folder, or a
    file in it such as ``clips.csv``, for a modality that opens videos. ``person`` is the rule that chooses the person
    of a clip with several people (see ``skeletons.person``). ``clips`` is None for a modality that does not read the
    clips table. Unfinished clips are kept in ``scratch``. ``weights`` is a file to read in place of the weights that
    the settings name; ``device`` is "auto", "cpu", "cuda" or "cuda:N", ``threads`` is the number of CPU threads.
    """

    settings: Mapping[str, Settings]
    output: Path
    scratch: Path
    shards: Mapping[str, Path]
    clips: Clips | None = None
    shard: int = 0
    root: Path | None = None
    person: str = LARGEST
    weights: Path | None = None
    device: str = "auto"
    threads: int = 1

    def source(self, kind: str) -> Path:
        """Return the file of a required kind of shard; raises ``InputError`` if there is none."""
        if kind not in self.shards:
            raise InputError(f"{self.output} is computed from {kind}, but no shard of {kind} was given")
        return self.shards[kind]


def make_modality(modality: Modality, work: Work) -> None:
    """Run the stage of a modality, and compare the arrays that it made with the declaration.

    Raises ``InputError`` that names the first clip with another shape, dtype or codec; the file is then removed. Only
    the list of clips at the end of the file is read, so this takes milliseconds.
    """
    import_module(modality.module).make(work)
    shard = Shard(work.output)
    for clip_id in shard.clip_ids:
        if shard.reason(clip_id):
            continue
        shape, (dtype, codec) = shard.shape(clip_id), shard.stored(clip_id)
        if not _is_declared(modality, shape) or (dtype, codec) != (modality.dtype, modality.codec):
            work.output.unlink()
            raise InputError(
                f"clip {clip_id} of {modality.name} is an array {shape} of {dtype}, stored with codec {codec}, but the "
                f"modality declares channels={modality.channels}, content={modality.content!r}, that is "
                f"{_declared_shape(modality)}, of {modality.dtype}, with codec {modality.codec}; correct "
                f"{modality.module}, or the declaration"
            )


def _is_declared(modality: Modality, shape: tuple[int, ...]) -> bool:
    if modality.content == "points":  # metres may follow the channels
        return len(shape) == 3 and shape[2] >= modality.channels
    return len(shape) == 3 if modality.channels == 1 else len(shape) == 4 and shape[3] == modality.channels


def _declared_shape(modality: Modality) -> str:
    if modality.content == "points":
        return f"(T, V, {modality.channels})"
    return "(T, H, W)" if modality.channels == 1 else f"(T, H, W, {modality.channels})"
