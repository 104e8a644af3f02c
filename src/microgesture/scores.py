"""Scores: the logits of one stream for every clip of a split, keyed by clip id."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from .errors import InputError
from .files import replacing

SCHEMA = pa.schema([("clip_id", pa.string()), ("logits", pa.list_(pa.float32())), ("reason", pa.string())])


@dataclass(frozen=True)
class Scores:
    """``logits[clip_id]`` is float32 (K,); ``reasons[clip_id]`` says why a clip has none. No id is in both."""

    logits: dict[str, np.ndarray]
    reasons: dict[str, str]


def write_scores(path: Path | str, scores: Scores) -> None:
    """Write scores as Parquet, the clips that have logits first, each part in its own order."""
    rows = [{"clip_id": clip_id, "logits": logits.tolist()} for clip_id, logits in scores.logits.items()]
    rows += [{"clip_id": clip_id, "reason": reason} for clip_id, reason in scores.reasons.items()]
    with replacing(path) as temporary:
        pq.write_table(pa.Table.from_pylist(rows, SCHEMA), temporary)


def read_scores(path: Path | str) -> Scores:
    """Read scores; raises ``InputError`` if the file is something else or names a clip twice."""
    table = pq.read_table(path)
    if not table.schema.remove_metadata().equals(SCHEMA):
        raise InputError(f"{path} is no score file (columns {table.schema.names}); delete it and run again")
    rows = table.to_pylist()
    if len({row["clip_id"] for row in rows}) < len(rows):
        raise InputError(f"{path} names a clip twice; delete it and run again")
    return Scores(
        {row["clip_id"]: np.array(row["logits"], np.float32) for row in rows if row["logits"] is not None},
        {row["clip_id"]: row["reason"] for row in rows if row["logits"] is None},
    )
