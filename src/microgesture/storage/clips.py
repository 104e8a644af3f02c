"""The clips table: one row for each labelled segment of a recording; later stages use nothing else of a corpus."""

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa

from ..errors import InputError
from .parquet import read_parquet, write_parquet

SPLITS = ("train", "val", "test")
# A change in one part leaves what was made of the other part alone: a new test clip does not make trainings run again.
PARTS = {"train": ("train", "val"), "test": ("test",)}

SCHEMA = pa.schema(
    [
        ("clip_id", pa.string()),  # unique in the corpus
        ("corpus", pa.string()),
        ("recording", pa.string()),  # the source recording; its clips of one part always share a shard
        ("start", pa.int32()),  # first frame in the recording, from 0
        ("end", pa.int32()),  # last frame in the recording, included
        ("n_frames", pa.int32()),  # end - start + 1, or the number of frames of a resampled clip
        ("frames", pa.list_(pa.int32())),  # of a resampled clip, counted from start; null: all frames to end
        ("subject", pa.string()),  # null if the release does not contain it
        ("split", pa.string()),  # train, val or test
        ("label", pa.int32()),  # class index; null if unknown, always null in test
        ("video", pa.string()),  # path relative to the corpus root; null if there is none
        ("video_start", pa.int32()),  # the clip's first frame in that file: 0 in a pre-cut clip
        ("video_frames", pa.int32()),  # frames of that file, counted or as its header says; null if unknown
        ("skeleton", pa.string()),  # path relative to the corpus root; null if there is none
        ("skeleton_start", pa.int32()),  # the clip's first row in that file
        ("person", pa.string()),  # the id of the person in that file; null: a rule chooses the person
        ("fps", pa.float32()),  # of the clip, the mean if it varies; null if unknown
        ("width", pa.int32()),  # of the video in pixels; null if unknown
        ("height", pa.int32()),
        ("shard", pa.int32()),
        ("status", pa.string()),  # ok or quarantined
        ("reason", pa.string()),  # why it is quarantined; null if it is not
    ]
)
NULLABLE = ("label", "video_frames", "width", "height")  # integers that may be null


@dataclass(frozen=True)
class Clips:
    """The clips of one corpus (columns as in ``SCHEMA``, one row a clip) and the names of its classes.

    ``classes[label]`` is the name of a class, ``targets[label]`` is its value in a submission. ``digests`` has the
    content of the files of measured clips, by path. ``doubts`` are sentences for the user about clips that were just
    measured; they are not stored.
    """

    table: pd.DataFrame
    classes: tuple[str, ...]
    targets: tuple[str, ...]
    digests: Mapping[str, str] = field(default_factory=dict)
    doubts: tuple[str, ...] = ()

    @property
    def usable(self) -> pd.DataFrame:
        """The rows that are not quarantined."""
        return self.table[self.table.status == "ok"]


def folder_of(root: Path | str) -> Path:
    """The folder to which the paths of a corpus are relative; ``root`` may be a file in it, such as ``clips.csv``."""
    return Path(root).parent if Path(root).is_file() else Path(root)


def frames_of(clip: tuple, start: int) -> Sequence[int]:
    """The frames of a clip (a row of the table) in a file in which its first frame is ``start``, in order.

    They are all frames up to its last one, unless the clip is resampled; then frames are left out or repeated.
    """
    return start + clip.frames if isinstance(clip.frames, np.ndarray) else range(start, start + clip.n_frames)


def shards_of(part: str, shards: int) -> range:
    """The shards with the clips of one of ``PARTS``: the last quarter for test, and all for both if there is only one.

    Thus training needs no shard with test clips.
    """
    test = max(1, shards // 4)
    if shards == 1:
        return range(1)
    return range(shards - test, shards) if part == "test" else range(shards - test)


def shard_of(recording: str, part: str, shards: int) -> int:
    """The shard of a recording: a stable hash, so a new recording does not change the shards of others."""
    among = shards_of(part, shards)
    return among[int(hashlib.sha256(recording.encode()).hexdigest()[:8], 16) % len(among)]


def part_of(split: str) -> str:
    """The part to which a split belongs."""
    return next(part for part, splits in PARTS.items() if split in splits)


def natural_key(clip_id: str) -> tuple:
    """Sort key that orders the numbers inside ids by value: ``0054_2`` before ``0054_10``."""
    return tuple((1, int(part), "") if part.isdigit() else (0, 0, part) for part in re.split(r"(\d+)", clip_id))


def write_clips(path: Path | str, clips: Clips) -> None:
    """Write a clips table as Parquet, with the class names and the digests in its metadata."""
    table = clips.table[SCHEMA.names].astype({"frames": object})
    table = pa.Table.from_pandas(table, schema=SCHEMA, preserve_index=False)
    names = {"classes": clips.classes, "targets": clips.targets}
    names |= {"digests": dict(clips.digests)} if clips.digests else {}
    write_parquet(path, table, {"microgesture": json.dumps(names, ensure_ascii=False)})


def read_clips(path: Path | str) -> Clips:
    """Read a clips table; raises ``InputError`` if the file is not one."""
    stored = read_parquet(path)
    if not stored.schema.remove_metadata().equals(SCHEMA):
        raise InputError(f"{path} is not a clips table of this version; delete it and run again")
    try:
        names = json.loads(stored.schema.metadata[b"microgesture"])
        classes, targets = tuple(names["classes"]), tuple(names["targets"])
    except (TypeError, KeyError, ValueError) as error:
        raise InputError(f"{path} lacks the names of its classes ({error!r}); delete it and run again") from None
    table = stored.to_pandas(integer_object_nulls=False)
    for column in NULLABLE:
        table[column] = table[column].astype("Int32")
    return Clips(table, classes, targets, names.get("digests", {}))


def refuse_many_quarantined(table: pd.DataFrame, corpus: str, limit: float, clips: int | None = None) -> None:
    """Raise ``InputError`` with all reasons if more than a fraction ``limit`` of the clips is quarantined.

    ``clips`` is the number of clips of the corpus, if the table has a part of them.
    """
    bad, clips = table[table.status != "ok"], clips or len(table)
    if len(bad) > limit * clips:
        listed = "\n".join(f"  {row.clip_id}: {row.reason}" for row in bad.itertuples())
        raise InputError(
            f"corpus '{corpus}': {len(bad)} of {clips} clips are unusable, more than the {limit:.1%} of "
            f"max_quarantined; repair the files or increase max_quarantined:\n{listed}"
        )


def class_counts(labels: Sequence[int], classes: int) -> list[int]:
    """The number of clips of each class."""
    counts = [0] * classes
    for label in labels:
        counts[int(label)] += 1
    return counts
