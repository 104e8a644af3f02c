"""Corpora: every release format is converted to the same clips table; later stages do not depend on the format."""

import difflib
import inspect
from collections.abc import Iterable
from copy import copy
from importlib import import_module
from numbers import Integral
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pandas as pd

from ..config.base import fault_of_class
from ..config.corpora import FORMATS
from ..errors import InputError
from ..measures.people import refuse_shared_people
from ..storage.clips import NULLABLE, SCHEMA, SPLITS, Clips, folder_of, part_of, shard_of
from ..videos.reading import VideoInfo
from .fitting import fit_rows, rate_of, resample
from .labelled import with_declared
from .listing import Listing, Row, declared_clips, kinds_in_every_split
from .measuring import Measure, measure_files
from .recordings import join_recordings


def list_clips(
    corpus: str,
    format: str,
    root: Path | str,
    shards: int,
    *,
    end_tolerance: int = 5,
    fps: float | None = None,
    allow_shared_subjects: bool = False,
    pose: str | None = None,
    **options: object,
) -> Clips:
    """Build the clips table of a corpus in one of ``FORMATS``; ``root`` is its folder, ``options`` are for its reader.

    A clip is quarantined, with the reason, if its declaration is not valid, if it lacks a kind of file that every split
    has, if its video is not readable, or if it does not fit its file (see ``fit_rows`` for ``end_tolerance``). With
    ``fps``, clips of another rate have the frames that are nearest in time to those of this rate. Raises ``InputError``
    as ``declare`` does.
    """
    listing = declare(corpus, format, root, allow_shared_subjects=allow_shared_subjects, pose=pose, **options)
    return measured_clips(corpus, listing, root, shards, end_tolerance, fps)


def measured_clips(
    corpus: str, listing: Listing, root: Path | str, shards: int, end_tolerance: int = 5, fps: float | None = None
) -> Clips:
    """Build the clips table of a listing; see ``list_clips``. The listing stays as it is."""
    rows = list(map(copy, listing.rows))
    table, doubts = measure(rows, folder_of(root), corpus, end_tolerance, fps)
    table["shard"] = np.int32([shard_of(row.recording, part_of(row.split), shards) for row in rows])
    declared = {row.clip_id: row.declared for row in rows}
    return Clips(with_declared(table, declared), listing.classes, listing.targets, doubts=doubts)


def declare(
    corpus: str,
    format: str,
    root: Path | str,
    *,
    allow_shared_subjects: bool = False,
    pose: str | None = None,
    **options: object,
) -> Listing:
    """Read the lists of a corpus: its clips, without opening their videos and keypoint files.

    With ``pose``, keypoints will be found in the videos, so the videos take the place of skeleton files. Raises
    ``InputError`` if the corpus as a whole is not valid: no clips, two clips with the same id, an unknown split or
    class, no training clip, or a person both in test and in another split (unless ``allow_shared_subjects``).
    """
    root = Path(root)
    listing = _read(format, root, options)
    _refuse_duplicates(listing.rows, corpus)
    if not any(row.split == "train" for row in listing.rows):
        raise InputError(f"corpus '{corpus}': no clip of {root} is in the train split; check its folders or lists")
    _join_recordings(listing.rows, folder_of(root))
    if not allow_shared_subjects:
        refuse_shared_people(declared_clips(listing).table, corpus)
    for row in listing.rows:
        _complete_starts(row)
    if pose:
        _take_videos_for_skeletons(listing.rows)
    _refuse_missing_sources(listing.rows, root)
    return listing


def measure(
    rows: list[Row], folder: Path, corpus: str, end_tolerance: int = 5, fps: float | None = None
) -> tuple[pd.DataFrame, tuple[str, ...]]:
    """Open the files of clips, and return the clips as rows of a clips table, all in shard 0, and doubts about them.

    See ``list_clips``.
    """
    measured = measure_files(rows, folder, corpus)
    doubts = fit_rows(rows, measured, end_tolerance)
    return _table(rows, corpus, fps, measured), doubts


def provides(format: str, root: Path | str, **options: object) -> frozenset[str]:
    """Return which of "video", "keypoints" and "metres" (for keypoints in space, in any unit) the corpus has.

    No video is opened, and at most one file of keypoints. Raises ``InputError`` as ``list_clips`` does.
    """
    if hasattr(_reader(format), "provides"):
        kinds = _call(format, "provides", Path(root), options)
    else:
        kinds = kinds_in_every_split(_read(format, Path(root), options).rows)
    return kinds | {"metres"} if FORMATS[format].in_space and "keypoints" in kinds else kinds


def _read(format: str, root: Path, options: dict) -> Listing:
    listing = _call(format, "read", root, options)
    for name in listing.classes:
        if fault := fault_of_class(name):
            raise InputError(f"{root}: the class {name[:40]!r} {fault}; correct its labels")
    for row in listing.rows:
        _refuse_unknown(row, len(listing.classes), format)
    return listing


def _refuse_unknown(row: Row, classes: int, format: str) -> None:
    """Raise ``InputError`` if a reader gives a clip a split that does not exist, or an index of no class."""
    where = f"{row.declared}, clip '{row.clip_id}'"
    if row.split not in SPLITS:
        raise InputError(f"{where}: split {row.split!r} is not one of {', '.join(SPLITS)}; correct it")
    if row.label is not None and not (isinstance(row.label, Integral) and 0 <= row.label < classes):
        raise InputError(
            f"{where}: label {row.label!r} is not an index 0..{classes - 1} of the {classes} classes; correct the "
            f"reader of format '{format}'"
        )


def _reader(format: str) -> ModuleType:
    if format not in FORMATS:
        raise InputError(f"format '{format}' is unknown; the formats are {', '.join(FORMATS)}")
    module = FORMATS[format].module
    try:
        return import_module(module)
    except ImportError as error:
        raise InputError(
            f"format '{format}': its module {module} cannot be imported ({error}); correct `module` in the declaration "
            "of the format, or the imports of that module"
        ) from error


def _call(format: str, name: str, root: Path, options: dict) -> Any:
    function = getattr(_reader(format), name)
    known = [option for option in inspect.signature(function).parameters if option != "root"]
    for option in options:
        if option not in known:
            near = difflib.get_close_matches(option, known, 1)
            hint = f"; did you mean '{near[0]}'?" if near else f"; its options are {', '.join(known) or 'none'}"
            raise InputError(f"format '{format}' has no option '{option}'{hint}")
    if not root.exists():
        raise InputError(f"{root}: no such folder; set root to the folder of the corpus")
    return function(root, **options)


def _refuse_duplicates(rows: Iterable[Row], corpus: str) -> None:
    seen: dict[str, Row] = {}
    for row in rows:
        if first := seen.get(row.clip_id):
            raise InputError(
                f"corpus '{corpus}': clip id '{row.clip_id}' is declared twice, "
                f"in {first.declared} and in {row.declared}; every clip needs a unique id"
            )
        seen[row.clip_id] = row


def _join_recordings(rows: list[Row], folder: Path) -> None:
    files = [row.files for row in rows]
    for row, recording in zip(rows, join_recordings([row.recording for row in rows], files, folder), strict=True):
        row.recording = recording


def _complete_starts(row: Row) -> None:
    """Set the first frame in each file that the reader has left open."""
    if row.video_start is None:
        row.video_start = row.start if row.video else 0
    if row.skeleton_start is None:
        row.skeleton_start = row.start if row.skeleton else 0


def _take_videos_for_skeletons(rows: Iterable[Row]) -> None:
    for row in rows:
        row.skeleton, row.skeleton_start = row.video, row.video_start


def _refuse_missing_sources(rows: list[Row], root: Path) -> None:
    provided = kinds_in_every_split(rows)
    for row in rows:
        for kind, path in (("video", row.video), ("keypoints", row.skeleton)):
            if path is None and (kind in provided or not (row.video or row.skeleton)):
                wanted = row.expected.get(kind, f"a file in column {kind}")
                row.refuse(f"no {kind} under {root}: expected {wanted}")


def _table(rows: list[Row], corpus: str, fps: float | None, measured: dict[str, Measure]) -> pd.DataFrame:
    records = []
    for row in rows:
        measure = measured.get(row.video) if row.video else None
        info = measure if isinstance(measure, VideoInfo) else None
        frames_N = resample(row, measure, fps) if fps else None
        end = -1 if row.end is None else row.end
        records.append(
            {
                **{name: getattr(row, name) for name in SCHEMA.names if hasattr(row, name)},
                "corpus": corpus,
                "end": end,
                "n_frames": max(0, end - row.start + 1) if frames_N is None else len(frames_N),
                "frames": frames_N,
                "fps": fps or rate_of(row, measure),
                "video_frames": info.n_frames if info and (info.n_frames or 0) < 2**31 else None,
                "width": info.width if info else None,
                "height": info.height if info else None,
                "shard": 0,
                "status": "quarantined" if row.reason else "ok",
            }
        )
    table = pd.DataFrame(records, columns=SCHEMA.names)
    types = {"int32": "int32", "float": "float32"}
    for column in SCHEMA:
        kind = "Int32" if column.name in NULLABLE else types.get(str(column.type), object)
        table[column.name] = table[column.name].astype(kind)
    return table
