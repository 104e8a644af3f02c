"""Measured clips with their labels: the clips table of a part of a corpus, and that of the whole corpus."""

from collections.abc import Mapping, Sequence

import pandas as pd
import pyarrow as pa

from ..storage.clips import SCHEMA, Clips


def labelled(labels: pa.Table, measured: Sequence[pd.DataFrame]) -> pd.DataFrame:
    """Return the clips in ``labels`` in that order, with all other columns from the tables of ``measured`` clips.

    Raises ``KeyError`` if a clip was not measured.
    """
    told = labels.to_pandas(integer_object_nulls=True)
    table = pd.concat(measured, ignore_index=True).set_index("clip_id").loc[told.clip_id].reset_index()
    table = table.assign(split=told.split, subject=told.subject, label=told.label.astype("Int32"))
    return table[SCHEMA.names]


def joined(parts: Sequence[Clips], declared: Mapping[str, str]) -> Clips:
    """Return the clips of all parts in the order of ``declared``, the place of each in the lists of the release."""
    table = pd.concat([part.table for part in parts], ignore_index=True)
    table = table.set_index("clip_id").loc[list(declared)].reset_index()[SCHEMA.names]
    digests = {path: digest for part in parts for path, digest in sorted(part.digests.items())}
    return Clips(with_declared(table, declared), parts[0].classes, parts[0].targets, digests)


def with_declared(table: pd.DataFrame, declared: Mapping[str, str]) -> pd.DataFrame:
    """Return a clips table whose reasons begin with the place of the clip in the lists of the release."""
    bad = table.reason.notna()
    reasons = table.clip_id[bad].map(declared) + ": " + table.reason[bad]
    return table.assign(reason=table.reason.where(~bad, reasons))
