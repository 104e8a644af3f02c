"""Estimates of the disk space and the time of a run, from the sizes and times of finished jobs."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
from rich.box import SIMPLE_HEAD
from rich.filesize import decimal
from rich.table import Table

from ..errors import InputError
from ..storage.clips import read_clips
from ..storage.disk import free_bytes
from ..storage.files import read_json
from ..terminal import PlainConsole
from .encoder_stages import all_features
from .plan import Plan

UNKNOWN = "?"
TRAININGS = ("train", "pretrain")


@dataclass(frozen=True)
class Job:
    """One shard or one training: the files that it makes, and its amount of work (frames, or epochs).

    ``name`` is the corpus of a shard, the folder of a shard of features, or the kind of a training: its network.
    """

    stage: str
    name: str
    files: tuple[Path, ...]
    work: int

    @property
    def done(self) -> bool:
        """Whether its files exist. Only Snakemake can check whether they are up to date."""
        return all(file.exists() for file in self.files)


@dataclass(frozen=True)
class Estimate:
    """The estimate of one stage on one corpus, or of one kind of training: jobs, bytes and hours, done and remaining.

    Hours assume one job at a time. A value is None if no job of the stage has finished yet.
    """

    stage: str
    name: str
    done: int
    to_do: int
    bytes_now: int
    bytes_to_come: float | None
    hours_to_come: float | None
    largest: float = 0  # bytes of the largest remaining file


def shards_and_trainings(plan: Plan) -> Iterator[Job]:
    """The jobs that take nearly all the disk and time of a run; raises ``InputError`` if clips are not listed yet."""
    results = Path(plan.results)
    for corpus in plan.config.corpora:
        frames, kinds = shard_frames(plan, corpus), plan.kinds(corpus)
        for kind in [*(["skeletons"] if {"keypoints", "face"} & set(kinds) else []), *kinds]:
            for shard, work in frames.items():
                yield Job(kind, corpus, (results / kind / corpus / f"{shard}.arrow",), work)
    for name, stream in all_features(plan.config).items():
        for shard, work in shard_frames(plan, plan.config.streams[stream].corpus).items():
            yield Job("features", name, (results / "features" / name / f"{shard}.arrow",), work)
    for stream, settings in plan.config.streams.items():
        epochs = plan.config.recipes[settings.recipe].epochs
        for part in (".", *(f"fold{fold}" for fold in plan.folds if stream in plan.folded)):
            folder = results / "streams" / stream / part
            yield Job("train", settings.network.name, (folder / "model.safetensors", folder / "card.json"), epochs)
    for name, pretraining in plan.config.pretraining.items():
        files = tuple(results / "pretraining" / name / file for file in ("model.safetensors", "card.json"))
        yield Job("pretrain", name, files, plan.config.recipes[pretraining.recipe].epochs)


def estimate_run(plan: Plan) -> list[Estimate]:
    """Estimate the shards of a run in proportion to their frames, and the trainings in proportion to their epochs.

    The clips tables give the frames of each shard. A kind of training that has not finished yet is expected to be as
    slow as the slowest kind that has. Raises ``InputError`` if a table does not exist yet.
    """
    found: dict[tuple[str, str], list[Job]] = {}
    for job in shards_and_trainings(plan):
        found.setdefault((job.stage, job.name), []).append(job)
    rates = {key: _seconds_per_unit(jobs) for key, jobs in found.items()}
    slowest = max((rate for (stage, _), rate in rates.items() if stage == "train" and rate), default=None)
    return [
        _estimate(stage, name, jobs, rates[stage, name] or (slowest if stage == "train" else None))
        for (stage, name), jobs in found.items()
    ]


def shard_frames(plan: Plan, corpus: str) -> dict[str, int]:
    """The frames of the usable clips in each shard of a corpus; raises ``InputError`` without a clips table."""
    table = Path(plan.results, "clips", f"{corpus}.parquet")
    if not table.exists():
        raise InputError(f"{table} does not exist yet, so the clips are unknown; run snakemake with the target clips")
    counts = read_clips(table).usable.groupby("shard").n_frames.sum()
    return {shard: int(counts.get(int(shard), 0)) for shard in plan.shards}


def _seconds_per_unit(jobs: Sequence[Job]) -> float | None:
    times = [(seconds, job.work) for job in jobs if job.done and (seconds := measured_seconds(job)) is not None]
    return _rate(times)


def _estimate(stage: str, name: str, jobs: Sequence[Job], seconds_per_unit: float | None) -> Estimate:
    """Estimate a stage from its finished jobs."""
    done = [job for job in jobs if job.done]
    to_do = [job.work for job in jobs if not job.done]
    sizes = [(sum(file.stat().st_size for file in job.files), job.work) for job in done]
    per_unit = _rate(sizes)
    return Estimate(
        stage,
        name,
        len(done),
        len(to_do),
        sum(size for size, _ in sizes),
        _times(per_unit, sum(to_do)),
        _times(seconds_per_unit, sum(to_do) / 3600),
        _times(per_unit, max(to_do, default=0)) or 0,
    )


def _rate(measured: Iterable[tuple[float, float]]) -> float | None:
    """Amount per unit of work, from pairs of amount and work; None without any work."""
    pairs = [(amount, work) for amount, work in measured if work]
    return sum(amount for amount, _ in pairs) / sum(work for _, work in pairs) if pairs else None


def _times(rate: float | None, units: float) -> float | None:
    return 0.0 if not units else None if rate is None else rate * units


def measured_seconds(job: Job) -> float | None:
    """The seconds of a finished job, from Snakemake's benchmark of a shard or the card of a training."""
    if job.stage in TRAININGS:
        return float(read_json(job.files[1])["seconds"])
    file = job.files[0]
    benchmark = file.parents[2] / "benchmarks" / job.stage / job.name / f"{file.stem}.tsv"
    return float(pd.read_csv(benchmark, sep="\t").s.sum()) if benchmark.exists() else None


def first_shards(plan: Plan, estimates: Sequence[Estimate]) -> list[str]:
    """For each kind of shard that does not exist yet, a shard of median size to make first, as Snakemake's target."""
    first, using = [], all_features(plan.config)
    for estimate in estimates:
        if estimate.stage not in TRAININGS and not estimate.done and estimate.to_do:
            corpus = plan.config.streams[using[estimate.name]].corpus if estimate.name in using else estimate.name
            frames = shard_frames(plan, corpus)
            ordered = sorted((shard for shard in frames if frames[shard]), key=frames.__getitem__)
            if ordered:
                first.append(f"results/{estimate.stage}/{estimate.name}/{ordered[len(ordered) // 2]}.arrow")
    return first


def preflight(plan: Plan, workers: int = 1, command: str = "snakemake", console: PlainConsole | None = None) -> bool:
    """Print the estimate of a run, which ``command`` starts; returns whether it fits on the disk.

    While a job makes a shard, its clips are also on the disk, so each of ``workers`` parallel jobs needs the space of
    one more shard.
    """
    console = console or PlainConsole()
    estimates = estimate_run(plan)
    console.print(_table(estimates))
    if first := first_shards(plan, estimates):
        console.print(
            f"{UNKNOWN} marks an unknown estimate. Run preflight again when a shard of each kind is finished. To make "
            f"these first:\n\n    {command} --cores {workers} {' '.join(first)}\n"
        )
    free = free_bytes(plan.results)
    beside = workers * max((estimate.largest for estimate in estimates), default=0)
    needed = sum(estimate.bytes_to_come or 0 for estimate in estimates) + beside
    known = "at least " if any(estimate.bytes_to_come is None for estimate in estimates) else ""
    console.print(f"The run still needs {known}{decimal(round(needed))}; {decimal(free)} are free.")
    if needed > free:
        console.print(f"It does not fit: free {decimal(round(needed - free))} more, or run it in another --directory.")
    return needed <= free


def _table(estimates: Sequence[Estimate]) -> Table:
    table = Table(
        box=SIMPLE_HEAD,
        padding=(0, 1, 0, 0),
        caption="Hours assume one job at a time.",
        caption_justify="left",
    )
    for heading in ("stage", "of"):
        table.add_column(heading)
    for heading in ("done", "to do", "on disk", "still needed", "hours left"):
        table.add_column(heading, justify="right")
    for estimate in estimates:
        table.add_row(
            estimate.stage,
            estimate.name,
            str(estimate.done),
            str(estimate.to_do),
            decimal(estimate.bytes_now),
            UNKNOWN if estimate.bytes_to_come is None else decimal(round(estimate.bytes_to_come)),
            UNKNOWN if estimate.hours_to_come is None else f"{estimate.hours_to_come:.2f}",
        )
    return table
