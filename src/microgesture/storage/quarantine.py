"""The list of quarantined clips of all stages, with the reasons."""

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from .clips import read_clips
from .files import write_csv
from .shards import Shard


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
