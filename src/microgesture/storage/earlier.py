"""Clips of earlier shards, which are used again if nothing that they are made from has changed.

The folder of a kind of shards has hard links to the last version of each shard, which take no space while the shard
exists, and a list of what each clip was made from. So a new clip, or a clip that moves to another shard, does not make
its neighbours again.
"""

import logging
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

from ..errors import InputError
from .checksums import sealed_checksum
from .files import read_json, write_json
from .shards import Shard, is_finished, store_part

log = logging.getLogger(__name__)

EARLIER = ".earlier"


@contextmanager
def reusing(output: Path, scratch: Path, sources: Mapping[str, str]) -> Iterator[None]:
    """Make the shard ``output`` in the block, with unchanged clips of earlier shards already in ``scratch``.

    ``sources`` has a digest of all that each clip is made from; a clip is taken if it had the same digest. Clips that
    could not be made are not taken. The new shard is kept for later, except on a file system without hard links.
    """
    _take_unchanged(output, scratch, sources)
    yield
    _keep_for_later(output, sources)


def _take_unchanged(output: Path, scratch: Path, sources: Mapping[str, str]) -> None:
    missing = {clip_id: source for clip_id, source in sources.items() if not is_finished(scratch, clip_id)}
    folder, taken = output.parent / EARLIER, 0
    for path in sorted(folder.glob("*.arrow"), key=lambda path: path.name != output.name):
        with suppress(InputError, OSError, ValueError, KeyError):  # an earlier shard that is damaged is of no use
            noted = read_json(path.with_suffix(".json"))
            if noted["shard"] != sealed_checksum(path):
                continue
            shard, known = Shard(path), noted["clips"]
            for clip_id in [clip_id for clip_id, source in missing.items() if known.get(clip_id) == source]:
                if shard.reason(clip_id) is None and shard.damage(clip_id) is None:
                    store_part(scratch, shard, clip_id)
                    del missing[clip_id]
                    taken += 1
    if taken:
        log.info("%s: %d of %d clips are unchanged and taken from the last run", output, taken, len(sources))


def _keep_for_later(output: Path, sources: Mapping[str, str]) -> None:
    link = output.parent / EARLIER / output.name
    note = link.with_suffix(".json")
    note.unlink(missing_ok=True)
    link.unlink(missing_ok=True)
    if sources:
        link.parent.mkdir(exist_ok=True)
        try:
            os.link(output, link)
        except OSError as error:
            log.info("%s cannot be kept for a later run (%s)", output, error.strerror)
            return
        write_json(note, {"shard": sealed_checksum(output), "clips": dict(sources)})
