"""Parquet files with a checksum."""

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
    """Read a table; raises ``InputError`` if ``write_parquet`` did not write the file, or if it has changed since."""
    if not refuse_damaged(path):
        raise InputError(
            f"{path} is not a Parquet file of this version (it has no checksum): it is older, from another program or "
            "damaged; delete it and run again"
        )
    try:
        table = pq.read_table(path)
        table.validate(full=True)  # otherwise invalid text would cause an error only when it is used
        return table
    except (pa.ArrowException, ValueError, OSError) as error:
        if getattr(error, "errno", None):  # an error of the system, not of Arrow
            raise
        raise InputError(f"{path} is not a Parquet file, or it is damaged ({error}); delete it and run again") from None
