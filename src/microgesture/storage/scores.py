"""Files of predictions by clip id: log-probabilities of a stream, probabilities of an ensemble."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
from scipy.special import softmax

from ..errors import InputError
from .parquet import read_parquet, write_parquet

SCHEMA = pa.schema([("clip_id", pa.string()), ("log_probabilities", pa.list_(pa.float32())), ("reason", pa.string())])
PREDICTIONS = pa.schema([("clip_id", pa.string()), ("probabilities", pa.list_(pa.float32())), ("streams", pa.int32())])


@dataclass(frozen=True)
class Scores:
    """``log_probabilities[clip_id]`` is float32 (K,), ``reasons[clip_id]`` why a clip has none; no id is in both."""

    log_probabilities: dict[str, np.ndarray]
    reasons: dict[str, str]


def write_scores(path: Path | str, scores: Scores) -> None:
    """Write scores as Parquet: first the clips with log-probabilities, then those with reasons, each in their order."""
    rows = [
        {"clip_id": clip_id, "log_probabilities": log_probabilities.tolist()}
        for clip_id, log_probabilities in scores.log_probabilities.items()
    ]
    rows += [{"clip_id": clip_id, "reason": reason} for clip_id, reason in scores.reasons.items()]
    write_parquet(path, pa.Table.from_pylist(rows, SCHEMA))


def read_scores(path: Path | str) -> Scores:
    """Read scores; raises ``InputError`` if the file is not a score file or has a clip twice."""
    return _scores(read_parquet(path), path)


def _scores(table: pa.Table, path: Path | str) -> Scores:
    if not table.schema.remove_metadata().equals(SCHEMA):
        raise InputError(f"{path} is not a score file (columns {table.schema.names}); delete it and run again")
    rows = table.to_pylist()
    if len({row["clip_id"] for row in rows}) < len(rows):
        raise InputError(f"{path} has a clip twice; delete it and run again")
    return Scores(
        {
            row["clip_id"]: np.array(row["log_probabilities"], np.float32)
            for row in rows
            if row["log_probabilities"] is not None
        },
        {row["clip_id"]: row["reason"] for row in rows if row["log_probabilities"] is None},
    )


def read_folds(paths: Sequence[Path]) -> tuple[Scores, dict[str, int]]:
    """The scores of all folds together, and the fold of each clip: the index of its file in ``paths``.

    Raises ``InputError`` if a clip is in two folds.
    """
    together, fold = Scores({}, {}), {}
    for number, path in enumerate(paths):
        part = read_scores(path)
        for clip_id in (*part.log_probabilities, *part.reasons):
            if clip_id in fold:
                raise InputError(f"{path} has clip {clip_id} of {paths[fold[clip_id]]} too; delete both and run again")
            fold[clip_id] = number
        together.log_probabilities.update(part.log_probabilities)
        together.reasons.update(part.reasons)
    return together, fold


def write_predictions(
    path: Path | str, clip_ids: Sequence[str], probabilities_NK: np.ndarray, streams_N: np.ndarray
) -> None:
    """Write the probabilities of an ensemble as Parquet, with the number of streams that could use each clip."""
    columns = [list(clip_ids), probabilities_NK.tolist(), streams_N.tolist()]
    write_parquet(path, pa.table(columns, schema=PREDICTIONS))


@dataclass(frozen=True)
class Prediction:
    """The prediction of an ensemble for a clip, and the number of streams that could use the clip."""

    probabilities_K: np.ndarray
    streams: int


def read_predictions(path: Path | str) -> dict[str, Prediction]:
    """The predictions of an ensemble by clip; raises ``InputError`` if the file has other content."""
    table = read_parquet(path)
    if not _holds_predictions(table):
        raise InputError(f"{path} holds no predictions of an ensemble; delete it and run again")
    return _predictions(table)


def _holds_predictions(table: pa.Table) -> bool:
    return table.schema.remove_metadata().equals(PREDICTIONS)


def _predictions(table: pa.Table) -> dict[str, Prediction]:
    rows = table.to_pylist()
    return {row["clip_id"]: Prediction(np.array(row["probabilities"], np.float32), row["streams"]) for row in rows}


def read_probabilities(path: Path | str) -> dict[str, np.ndarray]:
    """The probabilities (K,) of each clip, from the scores of a stream or the predictions of an ensemble.

    Raises ``InputError`` if the file is neither.
    """
    table = read_parquet(path)
    if not _holds_predictions(table):
        found = _scores(table, path).log_probabilities
        return {clip_id: softmax(logs_K.astype(float)) for clip_id, logs_K in found.items()}
    return {clip_id: found.probabilities_K for clip_id, found in _predictions(table).items()}
