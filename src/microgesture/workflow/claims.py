"""The resources that a job requests from the machine or the cluster, estimated from its work."""

import math
from functools import lru_cache
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from ..config.whole import Config
from ..errors import InputError
from ..machine.hardware import has_gpu
from ..storage.checksums import damaged

# Two Snakemakes (that of the SLURM step and that of the job), Python, and the frames of a long clip.
PROCESS_MB = 2000
START_MINUTES = 15


def largest_shard(config: Config, results: Path = Path("results")) -> int | None:
    """The number of clips in the largest shard of any corpus, or None if no corpus has been generated or listed yet.

    The largest shard counts, because SLURM gives all tasks of an array the resources that the first one requests. The
    number comes from the listing in ``results``, or for a synthetic corpus that does not exist yet, from its settings,
    as an average. Raises ``InputError`` if a listing is damaged.
    """
    sizes = []
    for name, corpus in config.corpora.items():
        if listed := sorted((results / "listed" / name).glob("[0-9]*.parquet")):
            sizes += [_clips(path, path.stat().st_mtime_ns) for path in listed]
        elif corpus.demo is not None:
            sizes.append(math.ceil(sum(corpus.demo.clips.values()) / config.shards))
    return max(sizes, default=None)


@lru_cache(maxsize=4096)
def _clips(listed: Path, _changed: int) -> int:
    try:
        return pq.read_metadata(listed).num_rows
    except (pa.ArrowException, OSError):
        raise InputError(damaged(listed)) from None


def claimed_gpus(config: Config, count: int, local: bool) -> int:
    """The GPUs that a job requests: ``count``, or none with ``device: cpu``.

    With ``device: auto`` a ``local`` job requests none on a machine without a GPU, so that trainings run in parallel.
    """
    return 0 if config.device == "cpu" or (config.device == "auto" and local and not has_gpu()) else count


def shard_minutes(clips: int, seconds: float, attempt: int) -> int:
    """The time limit of a shard in minutes, from its clips and the seconds per clip; more at each attempt."""
    return math.ceil((START_MINUTES + clips * seconds / 60) * attempt)


def shard_memory(input_mb: float, attempt: int, process_mb: int = PROCESS_MB) -> int:
    """The memory limit of a shard in MB, more at each attempt.

    Clips are made one at a time, so memory grows with the shard only by its memory-mapped input.
    """
    return math.ceil((process_mb + input_mb) * attempt)


def training_memory(config: Config, attempt: int) -> int:
    """The memory limit of a training in MB, with the clips that it keeps and the processes that read them."""
    readers = 2000 * config.workers * config.devices
    return math.ceil((6000 * config.devices + 1024 * config.memory + readers) * attempt)
