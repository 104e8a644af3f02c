"""What each clip of a shard is made from, as a digest, so that unchanged clips need not be made again."""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from ..config.declarations import Modality
from ..corpora.versions import file_digest
from ..storage.checksums import sealed_checksum
from ..storage.clips import Clips
from ..storage.shards import Shard
from .work import Work

_BOOKKEEPING = ["shard", "status", "reason"]  # columns that no stage computes with


def sources_of_clips(modality: Modality, work: Work, stamp: str) -> dict[str, str]:
    """Return a digest of the stage's ``stamp`` and of all that each clip of ``work`` is made from.

    That is its row in the clips table, the content of its files, and its content in the shards that the stage reads.
    Clips whose files have no known content are left out; so are all clips if the settings name a folder.
    """
    named = [Path(name) for name in work.settings[modality.name].files.values() if name]
    named += [work.weights] if work.weights else []
    if any(not path.is_file() for path in named):
        return {}
    shards = {kind: Shard(path) for kind, path in work.shards.items()}
    common = [stamp, *map(file_digest, named)]
    if work.clips is None:
        return _of_stored(list(shards.values()), common)
    found = {}
    for row in _rows(work.clips, work.shard).to_dict("records"):
        if (files := _contents(row, work.clips.digests)) is not None:
            stored = [_stored(shard, row["skeleton"] if kind == "skeletons" else row["clip_id"])
                      for kind, shard in shards.items()]  # fmt: skip
            found[row["clip_id"]] = _digest([*common, *row.values(), *files, *stored])
    return found


def sources_of_features(frames: Path, weights: Path, stamp: str) -> dict[str, str]:
    """Return a digest of the stage's ``stamp``, of an encoder's weights and of the frames of each clip of a shard."""
    return _of_stored([Shard(frames)], [stamp, sealed_checksum(weights)])


def sources_of_recordings(clips: Clips, shard: int, stamp: str) -> dict[str, str]:
    """Return a digest of the stage's ``stamp``, and the content and the clips of each recording with a skeleton."""
    found = {}
    for path, rows in _rows(clips, shard).groupby("skeleton", sort=True):
        if path in clips.digests:
            spans = rows.drop(columns=["clip_id", "recording"]).itertuples(index=False, name=None)
            found[path] = _digest([stamp, clips.digests[path], *sorted(map(repr, spans))])
    return found


def _rows(clips: Clips, shard: int) -> pd.DataFrame:
    usable = clips.usable
    rows = usable[usable.shard == shard].drop(columns=_BOOKKEEPING)
    # The text of a long array would leave out its middle.
    return rows.assign(frames=[of.tolist() if isinstance(of, np.ndarray) else None for of in rows.frames])


def _contents(row: Mapping[str, object], digests: Mapping[str, str]) -> list[str] | None:
    paths = [row[kind] for kind in ("video", "skeleton") if row[kind]]
    return [digests[path] for path in paths] if all(path in digests for path in paths) else None


def _of_stored(shards: Sequence[Shard], common: Sequence[str]) -> dict[str, str]:
    """Digests of ``common`` and of the content of each clip of the first shard in all ``shards``."""
    ids = shards[0].clip_ids if shards else []
    return {clip_id: _digest([*common, *(shard.content(clip_id) for shard in shards)]) for clip_id in ids}


def _stored(shard: Shard, name: str | None) -> str:
    return shard.content(name) if name in shard.clip_ids else ""


def _digest(parts: Iterable[object]) -> str:
    return hashlib.sha256(repr(list(parts)).encode()).hexdigest()[:32]
