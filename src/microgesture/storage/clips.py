"""The clips table: one row for each labelled segment of a recording; later stages use nothing else of a corpus."""

import hashlib
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import pyarrow as pa

from ..errors import InputError
from .parquet import read_parquet, write_parquet

SPLITS = ("train", "val", "test")

SCHEMA = pa.schema(
    [
        ("clip_id", pa.string()),  # unique in the corpus
        ("corpus", pa.string()),
        ("recording", pa.string()),  # the source recording; clips of one recording always share a shard
        ("start", pa.int32()),  # first frame in the recording, from 0
        ("end", pa.int32()),  # last frame in the recording, included
        ("n_frames", pa.int32()),  # end - start + 1
        ("subject", pa.string()),  # null if the release does not contain it
        ("split", pa.string()),  # train, val or test
        ("label", pa.int32()),  # class index; null if unknown, always null in test
        ("video", pa.string()),  # path relative to the corpus root; null if there is none
        ("video_start", pa.int32()),  # the clip's first frame in that file: 0 in a pre-cut clip
        ("video_frames", pa.int32()),  # frames of that file, counted or as its header says; null if unknown
        ("skeleton", pa.string()),  # path relative to the corpus root; null if there is none
        ("skeleton_start", pa.int32()),  # the clip's first row in that file
        ("fps", pa.float32()),
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

    ``classes[label]`` is the name of a class, ``targets[label]`` is its value in a submission.
    """

    table: pd.DataFrame
    classes: tuple[str, ...]
    targets: tuple[str, ...]

    @property
    def usable(self) -> pd.DataFrame:
        """The rows that are not quarantined."""
        return self.table[self.table.status == "ok"]


def shard_of(recording: str, shards: int) -> int:
    """The shard of a recording: a stable hash, so a new recording does not change the shards of others."""
    return int(hashlib.sha256(recording.encode()).hexdigest()[:8], 16) % shards


def natural_key(clip_id: str) -> tuple:
    """Sort key that orders the numbers inside ids by value: ``0054_2`` before ``0054_10``."""
    return tuple((1, int(part), "") if part.isdigit() else (0, 0, part) for part in re.split(r"(\d+)", clip_id))


def write_clips(path: Path | str, clips: Clips) -> None:
    """Write a clips table as Parquet, with the class names in its metadata."""
    table = pa.Table.from_pandas(clips.table[SCHEMA.names], schema=SCHEMA, preserve_index=False)
    names = json.dumps({"classes": clips.classes, "targets": clips.targets}, ensure_ascii=False)
    write_parquet(path, table, {"microgesture": names})


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
    return Clips(table, classes, targets)


def refuse_shared_subjects(table: pd.DataFrame, corpus: str) -> None:
    """Raise ``InputError`` if a subject is in test and also in train or val, since test results are for new people."""
    test = set(table.subject[table.split == "test"].dropna())
    seen = set(table.subject[table.split != "test"].dropna())
    if shared := sorted(test & seen):
        raise InputError(
            f"corpus '{corpus}': subject {shared[0]} is in test and in train or val ({len(shared)} such subjects). "
            f"Move the subject to one of them, or set corpora.{corpus}.allow_shared_subjects: true"
        )


def refuse_many_quarantined(table: pd.DataFrame, corpus: str, limit: float) -> None:
    """Raise ``InputError`` with all reasons if more than a fraction ``limit`` of the clips is quarantined."""
    bad = table[table.status != "ok"]
    if len(bad) > limit * len(table):
        listed = "\n".join(f"  {row.clip_id}: {row.reason}" for row in bad.itertuples())
        raise InputError(
            f"corpus '{corpus}': {len(bad)} of {len(table)} clips are unusable, more than the {limit:.1%} of "
            f"max_quarantined; repair the files or increase max_quarantined:\n{listed}"
        )


def class_counts(labels: Sequence[int], classes: int) -> list[int]:
    """The number of clips of each class."""
    counts = [0] * classes
    for label in labels:
        counts[int(label)] += 1
    return counts
