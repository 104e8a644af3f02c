"""Tables as Parquet files that carry their own checksum."""

from collections.abc import Mapping
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from ..errors import InputError
from .checksums import OPEN, refuse_damaged, seal
from .files import replacing


def write_parquet(path: Path | str, table: pa.Table, metadata: Mapping[str, str] | None = None) -> None:
    """Write a table and its metadata; equal tables give equal bytes."""
    with replacing(path) as temporary:
        pq.write_table(table.replace_schema_metadata({**(metadata or {}), "file": OPEN}), temporary)
        seal(temporary)


def read_parquet(path: Path | str) -> pa.Table:
    """Read a table; raises ``InputError`` if the file is none of ours, or has changed since it was written."""
    if not refuse_damaged(path):
        raise InputError(
            f"{path} is no Parquet file of this version (it carries no checksum): it is older, of another origin or "
            "damaged; delete it and run again"
        )
    try:
        table = pq.read_table(path)
        table.validate(full=True)  # or a text that is none would come up only where it is used
        return table
    except (pa.ArrowException, ValueError, OSError) as error:
        if getattr(error, "errno", None):  # the system's, not Arrow's own
            raise
        raise InputError(f"{path} is no Parquet file, or a damaged one ({error}); delete it and run again") from None
