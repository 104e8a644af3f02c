"""Verification of results: finding files that have changed since they were written, and making them again."""

import csv
import hashlib
import os
import shlex
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import av
import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image
from rich.box import SIMPLE_HEAD
from rich.filesize import decimal
from rich.table import Table
from safetensors import SafetensorError, safe_open

from ..config.recogniser import SUMS
from ..errors import InputError
from ..progress import progress
from ..terminal import PlainConsole
from .checksums import is_whole, sealed_checksum
from .files import read_json, write_text
from .shards import Shard

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
    """The files in a results folder that can be verified; raises ``InputError`` if there are none.

    Links to folders are followed, because large results may be on another disk.
    """
    found, visited = [], set()
    for folder, folders, names in os.walk(results, followlinks=True):
        inside, real = Path(folder).relative_to(results), os.path.realpath(folder)
        if real in visited:
            folders.clear()
            continue
        visited.add(real)
        folders[:] = sorted(f for f in folders if not f.startswith(".") and str(inside / f) not in NOT_RESULTS)
        paths = [Path(folder, name) for name in sorted(names) if not name.startswith(".")]
        # Opening a pipe would wait for ever; a link to nothing is damage.
        paths = [path for path in paths if path.is_file() or not path.exists()]
        found += [path for path in paths if _kind(path) in (*SEALED, *OTHERS)]
    if not found:
        raise InputError(f"there are no results in {results}; name the results folder of a run")
    return found


def find_damage(path: Path) -> Damage | None:
    """The damage of a result file, None if it is intact; the whole file is read."""
    if _kind(path) in OTHERS:
        fault = _fault(path, OTHERS[_kind(path)])
        return Damage(path, fault) if fault else None
    whole = is_whole(path)
    if whole is None:
        fault = _fault(path, SEALED[path.suffix])
        why = f"has no checksum and {fault}" if fault else "has no checksum: it is damaged, or older than checksums"
        return Damage(path, why, certain=fault is not None)
    if whole:
        return None
    return _damaged_clips(path) if path.suffix == ".arrow" else Damage(path, "has changed since it was written")


def _kind(path: Path) -> str:
    return path.suffix or path.name


def _fault(path: Path, read: Callable[[Path], object]) -> str | None:
    """Why a file cannot be read, or None."""
    try:
        read(path)
    except (ValueError, SyntaxError, OSError, csv.Error, pa.ArrowException, SafetensorError, av.FFmpegError) as error:
        return f"cannot be read ({error})"
    return None


def _read_rows(path: Path) -> None:
    with open(path, encoding="utf-8", newline="") as file:
        rows = list(csv.reader(file, strict=True))
    if len({len(row) for row in rows}) != 1:
        raise ValueError("it has rows of different lengths, or none")


def _read_text(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    whole = text.rstrip().endswith("</html>") if path.suffix == ".html" else text.endswith("\n")
    if not whole:
        raise ValueError("it is cut off")


def _compare_checksums(path: Path) -> None:
    for line in path.read_text(encoding="utf-8").splitlines():
        checksum, _, name = line.partition("  ")
        with open(path.parent / name, "rb") as file:
            if hashlib.file_digest(file, "sha256").hexdigest() != checksum:
                raise ValueError(f"{name} has changed")


def _read_picture(path: Path) -> None:
    with Image.open(path) as picture:
        picture.verify()


def _read_video(path: Path) -> None:
    with av.open(f"file:{path.absolute()}") as video:
        stream = video.streams.video[0]
        frames = sum(packet.size > 0 for packet in video.demux(stream))
        if frames < stream.frames:
            raise ValueError(f"it is cut off after {frames} frames")


# Files with checksums, and how those without one are opened; files that have none are only checked to be readable.
SEALED: dict[str, Callable[[Path], object]] = {
    ".arrow": lambda path: pa.ipc.open_file(pa.memory_map(str(path))),
    ".parquet": lambda path: pq.ParquetFile(path).close(),
    ".safetensors": lambda path: safe_open(path, framework="numpy").keys(),
}
OTHERS: dict[str, Callable[[Path], object]] = {
    SUMS: _compare_checksums,
    ".json": read_json,
    ".csv": _read_rows,
    ".md": _read_text,
    ".html": _read_text,
    ".png": _read_picture,
    ".mp4": _read_video,
}


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


def verify(results: Path, *, remove: bool = False, console: PlainConsole | None = None) -> list[Damage]:
    """Read every result file; print and return the damage.

    With ``remove``, files that have certainly changed are removed, and the command that makes them again is printed. A
    folder that one job makes is removed as a whole. A file without a checksum may be the user's own, so it is not
    removed but gets the name ``.<name>.damaged``. If a removed file was made again with the same bytes, it gets the
    modification time of the removed file. The files that were made from it are then still up to date, because no stage
    accepts a damaged file.
    """
    console, files = console or PlainConsole(), result_files(results)
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
            _remove(path, _target(results, path))
    if removable:
        console.print(_way_back(results, removable, remove))
    return damaged


def _target(results: Path, path: Path) -> Path:
    """The file or folder that a job makes together with a file."""
    kind, *below = path.relative_to(results).parts
    if kind == "recogniser":
        return results / kind
    if kind == "views" and len(below) > 1:
        return results / kind / below[0]
    return path.with_suffix(".csv") if kind == "predictions" else path


def _note(path: Path) -> Path:
    """The file that records a removed file: its checksum as the content, its modification time as the time."""
    return path.parent / f".{path.name}.removed"


def _aside(path: Path) -> Path:
    """The name of a damaged file that may be the user's own."""
    return path.parent / f".{path.name}.damaged"


def _remove(path: Path, target: Path) -> None:
    if target.is_dir() and not target.is_symlink():
        shutil.rmtree(target)
    elif target != path:
        target.unlink(missing_ok=True)
    if not path.exists():
        return
    if path.suffix not in SEALED:
        path.replace(_aside(path))
        return
    times = path.stat()
    write_text(_note(path), sealed_checksum(path) or "")
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
    made = dict.fromkeys(_target(results, path).relative_to(results) for path in paths)
    targets = [str(Path(results.resolve().name, target)) for target in made]
    where = [] if folder == Path.cwd() else ["--directory", str(folder)]
    again = shlex.join(["snakemake", "--cores", "8", *targets, *where])
    kept = [path for path in paths if removed and _aside(path).exists()]
    first = "They are removed." if removed else "Remove them with `microgesture verify --remove`."
    first += f" Files without a checksum are kept, such as {_aside(kept[0])}." if kept else ""
    return (
        f"{first} This command makes them again; add the --configfile of your run if it had one:\n\n    {again}\n\n"
        "Then run `microgesture verify` again: if a file has the same bytes as before, the files that were made from "
        "it are up to date."
    )
