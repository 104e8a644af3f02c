"""The listing of a corpus as files, each written only if its content changes, so that an edit reruns little.

A folder has ``<shard>.parquet``, the clips of a shard and the versions of their files; ``train.parquet`` (of train and
val) and ``test.parquet``, the labels; and ``declared.parquet``, the place of each clip in the lists of the release, in
their order. The others are in the order of the ids, so that a sorted list reruns nothing.
"""

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

import pyarrow as pa

from ..errors import InputError
from ..storage.clips import PARTS, natural_key, part_of, read_clips, shard_of, shards_of
from ..storage.files import read_json, write_json
from ..storage.parquet import read_parquet, write_parquet
from ..terminal import counted
from .listing import Listing, Row
from .versions import versions_of

_FILES = pa.schema(
    [
        ("clip_id", pa.string()),
        ("recording", pa.string()),
        ("start", pa.int64()),
        ("end", pa.int64()),  # null: the end of the file
        ("video", pa.string()),
        ("video_start", pa.int64()),
        ("video_version", pa.string()),
        ("skeleton", pa.string()),
        ("skeleton_start", pa.int64()),
        ("skeleton_version", pa.string()),
        ("person", pa.string()),
        ("fps", pa.float64()),
        ("declared_fps", pa.float64()),
        ("declared_frames", pa.int64()),
        ("reason", pa.string()),
    ]
)
_LABELS = pa.schema([("clip_id", pa.string()), ("split", pa.string()), ("subject", pa.string()), ("label", pa.int32())])
_DECLARED = pa.schema([("clip_id", pa.string()), ("declared", pa.string())])
_SOURCES = ("video", "skeleton")
_OTHERS = ("clip_id", "recording", "video_version", "skeleton_version", "reason")
_PLACES = [name for name in _FILES.names if name not in _OTHERS]

Tables = dict[str, pa.Table]  # by the name of the file, without its suffix


def refresh_listing(
    folder: Path, measured: Path, listing: Listing, root: Path, shards: int, watch_files: bool
) -> list[str]:
    """Write the files of a listing that have changed in ``folder``; return sentences about what has changed.

    ``root`` is the folder of the corpus's files. With ``watch_files``, a replaced file gets a new version; for this
    every file is looked up, but only those with a new time and the same size are read. ``measured`` has the digests of
    files that jobs have read.
    """
    before = stored_listing(folder)
    after = _with_versions(folder, before, measured, listing, root, shards, watch_files)
    for name in set(before) - set(after):
        (folder / f"{name}.parquet").unlink()
    for name, table in after.items():
        if not _same(before.get(name), table):
            write_parquet(folder / f"{name}.parquet", table, _text(table.schema.metadata))
    return changes(before, after)


def listing_changes(
    folder: Path, measured: Path, listing: Listing, root: Path, shards: int, watch_files: bool
) -> list[str]:
    """Return sentences about what has changed since ``refresh_listing`` last wrote ``folder``, without writing."""
    before = stored_listing(folder)
    return changes(before, _with_versions(folder, before, measured, listing, root, shards, watch_files, remember=False))


def stored_listing(folder: Path) -> Tables:
    """The tables in a folder; files that are damaged or of another version are left out, so they are written again."""
    found = {}
    for path in sorted(folder.glob("*.parquet")):
        try:
            table = read_parquet(path)
        except InputError:
            continue
        kept = {key: value for key, value in (table.schema.metadata or {}).items() if key == b"microgesture"}
        found[path.stem] = table.replace_schema_metadata(kept or None)
    return found


def listing_digest(folder: Path, part: str | None = None, shards: int = 0) -> str:
    """A digest of a listing, or of one of ``PARTS`` of a listing with so many ``shards``; equal for equal content."""
    names = ["declared", *PARTS] if part is None else [part]
    names += [f"{shard:04d}" for shard in (range(shards) if part is None else shards_of(part, shards))]
    content = hashlib.sha256()
    for name in names:
        path = folder / f"{name}.parquet"
        content.update(path.read_bytes() if path.exists() else b"")
    return content.hexdigest()[:12]


def write_listing(folder: Path, listing: Listing, shards: int) -> None:
    """Write the files of a listing whose files never change without it, such as those of a synthetic corpus."""
    for name, table in _tables(listing, shards, {}).items():
        write_parquet(folder / f"{name}.parquet", table, _text(table.schema.metadata))


def read_rows(path: Path) -> list[Row]:
    """The clips of a shard, without split, subject and label."""
    rows = read_parquet(path).drop_columns(["video_version", "skeleton_version"]).to_pylist()
    return [Row(declared="", split="", **row) for row in rows]


def read_labels_of(path: Path) -> tuple[pa.Table, tuple[str, ...], tuple[str, ...]]:
    """The labels of a part, the names of the classes and their values in a submission."""
    table = read_parquet(path)
    names = json.loads(table.schema.metadata[b"microgesture"])
    return table, tuple(names["classes"]), tuple(names["targets"])


def read_declared(path: Path) -> dict[str, str]:
    """The place of each clip in the lists of the release, by clip id and in their order."""
    table = read_parquet(path)
    return dict(zip(table["clip_id"].to_pylist(), table["declared"].to_pylist(), strict=True))


def changes(before: Tables, after: Tables) -> list[str]:
    """Describe how two listings differ; nothing if there was none before."""
    if not before or all(_same(before.get(name), table) for name, table in after.items()):
        return []
    old, new = _by_clip(before), _by_clip(after)
    both = old.keys() & new.keys()
    told = [
        ("new", len(new.keys() - old.keys())),
        ("gone", len(old.keys() - new.keys())),
        *(
            (f"with another {key}", sum(old[clip].get(key) != new[clip].get(key) for clip in both))
            for key in ("split", "subject", "label")
        ),
        ("with other frames or files", sum(_places(old[clip]) != _places(new[clip]) for clip in both)),
    ]
    sentences = [f"{counted(count, 'clip')} {what}" for what, count in told if count]
    files, known = _file_versions(after), _file_versions(before)
    if replaced := sorted(path for path in files.keys() & known.keys() if files[path] != known[path]):
        sentences.append(f"{counted(len(replaced), 'replaced file')}, first {replaced[0]}")
    return sentences


def _same(before: pa.Table | None, after: pa.Table) -> bool:
    return before is not None and before.equals(after, check_metadata=True)


def _with_versions(
    folder: Path,
    before: Tables,
    measured: Path,
    listing: Listing,
    root: Path,
    shards: int,
    watch_files: bool,
    remember: bool = True,
) -> Tables:
    known = _file_versions(before)
    paths = {path for row in listing.rows for path in row.files}
    if not watch_files:
        return _tables(listing, shards, {path: known.get(path, "") for path in paths})
    touched = folder / "touched.json"
    seen = read_json(touched) if touched.exists() else {}
    versions, found = versions_of(sorted(paths), root, known, seen, lambda: _digests(measured))
    if remember and found != seen:
        write_json(touched, found)
    return _tables(listing, shards, versions)


def _digests(measured: Path) -> dict[str, str]:
    digests: dict[str, str] = {}
    for path in sorted(measured.glob("*.parquet")):
        with suppress(InputError):
            digests |= read_clips(path).digests
    return digests


def _tables(listing: Listing, shards: int, versions: Mapping[str, str]) -> Tables:
    names = {"classes": listing.classes, "targets": listing.targets}
    metadata = {"microgesture": json.dumps(names, ensure_ascii=False)}
    parts: dict[str, list[Row]] = {part: [] for part in PARTS}
    files: dict[str, list[Row]] = {f"{shard:04d}": [] for shard in range(shards)}
    for row in sorted(listing.rows, key=lambda row: (natural_key(row.clip_id), row.clip_id)):
        part = part_of(row.split)
        parts[part].append(row)
        files[f"{shard_of(row.recording, part, shards):04d}"].append(row)
    tables = {shard: _columns(rows, _FILES, versions) for shard, rows in files.items()}
    for part, rows in parts.items():
        tables[part] = _columns(rows, _LABELS).replace_schema_metadata(metadata)
    return tables | {"declared": _columns(listing.rows, _DECLARED)}


def _columns(rows: Sequence[Row], schema: pa.Schema, versions: Mapping[str, str] | None = None) -> pa.Table:
    def values(name: str) -> Iterator[object]:
        if name.endswith("_version"):
            paths = (getattr(row, name.removesuffix("_version")) for row in rows)
            return (versions.get(path) if path else None for path in paths)
        return (getattr(row, name) for row in rows)

    return pa.table([pa.array(list(values(field.name)), field.type) for field in schema], schema=schema)


def _file_versions(tables: Tables) -> dict[str, str]:
    found: dict[str, str] = {}
    for name, table in tables.items():
        if name.isdigit():
            for kind in _SOURCES:
                pairs = zip(table[kind].to_pylist(), table[f"{kind}_version"].to_pylist(), strict=True)
                found.update((path, version) for path, version in pairs if path and version is not None)
    return found


def _by_clip(tables: Tables) -> dict[str, dict]:
    found: dict[str, dict] = {}
    for name in (*PARTS, *(name for name in tables if name.isdigit())):
        for row in tables[name].to_pylist() if name in tables else ():
            found.setdefault(row["clip_id"], {}).update(row)
    return found


def _places(row: Mapping) -> tuple:
    return tuple(row.get(name) for name in _PLACES)


def _text(metadata: Mapping[bytes, bytes] | None) -> dict[str, str]:
    return {key.decode(): value.decode() for key, value in (metadata or {}).items()}
