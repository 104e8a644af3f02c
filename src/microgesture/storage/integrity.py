"""Verification of results: finding files that have changed since they were written, and making them again."""

import csv
import os
import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.filesize import decimal
from rich.table import Table

from ..errors import InputError
from ..progress import progress
from .checksums import is_whole, sealed_checksum
from .files import read_json, write_text
from .shards import Shard

SEALED = (".arrow", ".parquet", ".safetensors")  # these have checksums; other files are only checked to be readable
NOT_RESULTS = ("benchmarks", "demo", "logs")
SHOWN = 3  # clips of a damaged file that the table names


@dataclass(frozen=True)
class Damage:
    """The damage of a file: the reason, the clips that are lost, and whether it is ``certain``.

    It is not certain for a file without a checksum, which may be older than checksums and intact.
    """

    path: Path
    reason: str
    clips: tuple[str, ...] = ()
    certain: bool = True


def result_files(results: Path) -> list[Path]:
    """The files in a results folder that can be verified; raises ``InputError`` if there are none."""
    found = []
    for folder, folders, names in os.walk(results):
        inside = Path(folder).relative_to(results)
        folders[:] = sorted(f for f in folders if not f.startswith(".") and str(inside / f) not in NOT_RESULTS)
        paths = [Path(folder, name) for name in sorted(names) if not name.startswith(".")]
        found += [path for path in paths if path.suffix in (*SEALED, ".json", ".csv")]
    if not found:
        raise InputError(f"there are no results in {results}; name the results folder of a run")
    return found


def find_damage(path: Path) -> Damage | None:
    """The damage of a result file, None if it is intact; the whole file is read."""
    if path.suffix not in SEALED:
        return _unreadable(path)
    whole = is_whole(path)
    if whole is None:
        return Damage(path, "has no checksum: it is damaged, or older than checksums", certain=False)
    if whole:
        return None
    return _damaged_clips(path) if path.suffix == ".arrow" else Damage(path, "has changed since it was written")


def _unreadable(path: Path) -> Damage | None:
    try:
        if path.suffix == ".json":
            read_json(path)
        else:
            with open(path, encoding="utf-8", newline="") as file:
                rows = list(csv.reader(file, strict=True))
            if len({len(row) for row in rows}) > 1:
                return Damage(path, "has rows of different lengths")
    except (ValueError, csv.Error) as error:
        return Damage(path, f"cannot be read ({error})")
    return None


def _damaged_clips(path: Path) -> Damage:
    try:
        shard = Shard(path)
    except InputError:
        return Damage(path, "the list of its clips is damaged, so all its clips are lost")
    reasons = {clip_id: reason for clip_id in shard.clip_ids if (reason := shard.damage(clip_id))}
    if not reasons:
        return Damage(path, "has changed outside its clips")
    frames = "frames" if len(reasons) < len(shard.clip_ids) else "all clips"
    return Damage(path, f"{frames} have changed since they were written", tuple(reasons))


def verify(results: Path, *, remove: bool = False, console: Console | None = None) -> list[Damage]:
    """Read every result file; print and return the damage.

    With ``remove``, files that have certainly changed are removed, and the command that makes them again is printed. If
    a removed file was made again with the same bytes, it gets the modification time of the removed file. The files that
    were made from it are then still up to date, because no stage accepts a damaged file.
    """
    console, files = console or Console(soft_wrap=True), result_files(results)
    damaged = [found for path in progress(files, "verify", len(files), "file") if (found := find_damage(path))]
    lost = {damage.path for damage in damaged}
    for path in files:
        if path not in lost and _give_back_its_time(path):
            console.print(f"{path} has its old content and time again: files that were made from it are up to date.")
    size = sum(path.stat().st_size for path in files)
    removable = [damage.path for damage in damaged if damage.certain]
    unknown = f", {older} without a checksum" if (older := len(damaged) - len(removable)) else ""
    whole = f"{len(files) - len(damaged)} whole, {len(removable)} damaged{unknown}"
    console.print(f"{len(files)} files, {decimal(size)}: {whole}")
    if damaged:
        console.print(_table(damaged))
    if remove:
        for path in removable:
            _remove(path)
    if removable:
        console.print(_way_back(results, removable, remove))
    return damaged


def _note(path: Path) -> Path:
    """The file that records a removed file: its checksum as the content, its modification time as the time."""
    return path.parent / f".{path.name}.removed"


def _remove(path: Path) -> None:
    times = path.stat()
    write_text(_note(path), sealed_checksum(path) or "" if path.suffix in SEALED else "")
    os.utime(_note(path), ns=(times.st_atime_ns, times.st_mtime_ns))
    path.unlink()


def _give_back_its_time(path: Path) -> bool:
    note = _note(path)
    if not note.exists():
        return False
    was, times = note.read_text(encoding="utf-8"), note.stat()
    note.unlink()
    if not was or sealed_checksum(path) != was:
        return False
    os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))
    return True


def _table(damaged: Sequence[Damage]) -> Table:
    table = Table(box=SIMPLE_HEAD, padding=(0, 1, 0, 0))
    for heading in ("file", "damage", "clips"):
        table.add_column(heading, overflow="fold")
    for damage in damaged:
        more = f" and {len(damage.clips) - SHOWN} more" if len(damage.clips) > SHOWN else ""
        table.add_row(str(damage.path), damage.reason, ", ".join(damage.clips[:SHOWN]) + more)
    return table


def _way_back(results: Path, paths: Sequence[Path], removed: bool) -> str:
    folder = results.resolve().parent
    targets = [str(Path(results.resolve().name, path.relative_to(results))) for path in paths]
    where = [] if folder == Path.cwd() else ["--directory", str(folder)]
    again = shlex.join(["snakemake", "--cores", "8", *targets, *where])
    first = "They are removed." if removed else "Remove them with `microgesture verify --remove`."
    return (
        f"{first} This command makes them again; add the --configfile of your run if it had one:\n\n    {again}\n\n"
        "Then run `microgesture verify` again: if a file has the same bytes as before, the files that were made from "
        "it are up to date."
    )
