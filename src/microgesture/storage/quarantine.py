"""The list of quarantined clips of all stages with the reasons, and of clips with several people or filled gaps."""

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from .clips import read_clips
from .files import write_csv
from .shards import Shard

NOTES = ("people", "person", "close", "filled")  # of the clips in a shard of keypoints


def list_quarantine(files: Sequence[Path], output: Path) -> None:
    """Write ``corpus, stage, clip_id, reason`` for every clip that is quarantined in a table or missing in a shard.

    Clips tables are ``<corpus>.parquet``, shards are ``<kind>/<corpus>/<shard>.arrow``. A skeleton file that cannot be
    read is listed by its path.
    """
    rows = []
    for path in files:
        if path.suffix == ".parquet":
            table = read_clips(path).table
            bad = table[table.status != "ok"]
            rows += [(path.stem, "clips", row.clip_id, row.reason) for row in bad.itertuples()]
        else:
            kind, corpus = path.parts[-3:-1]
            rows += [(corpus, kind, clip_id, reason) for clip_id, reason in Shard(path).reasons.items()]
    write_csv(output, pd.DataFrame(rows, columns=["corpus", "stage", "clip_id", "reason"]))


def list_keypoints(files: Sequence[Path], output: Path) -> None:
    """Write the notes of shards of keypoints about each clip; clips without a note are left out.

    The columns are ``corpus``, ``clip_id``, ``people``, the number of people in the clip, ``person``, the chosen one,
    ``close``, whether another was nearly chosen, and ``filled``, the share of its points that were filled.
    """
    rows = []
    for path in files:
        if path.suffix != ".parquet" and path.parts[-3] == "keypoints":
            shard, corpus = Shard(path), path.parts[-2]
            notes = {clip_id: shard.note(clip_id) for clip_id in shard.clip_ids}
            rows += [{"corpus": corpus, "clip_id": clip_id, **note} for clip_id, note in notes.items() if note]
    write_csv(output, pd.DataFrame(rows, columns=["corpus", "clip_id", *NOTES]).round(4))
