"""The jobs of a run and the files they make, as the rules of the workflow name them, for those who look at a run."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from ..config.streams import is_published_name
from ..errors import InputError
from .plan import Plan


@dataclass(frozen=True)
class Job:
    """One job of a stage, on a corpus, a stream or an ensemble; it is done when all its files are there."""

    stage: str
    name: str
    files: tuple[Path, ...]

    @property
    def done(self) -> bool:
        """Whether its files are there; whether they are still what they should be, only Snakemake can tell."""
        return all(file.exists() for file in self.files)


def read_plan(file: Path, changes: Sequence[str] = (), results: Path | str = "results") -> Plan:
    """The plan of a configuration in YAML, with ``changes`` as Snakemake's ``--config`` takes them: ``key=value``.

    Raises ``InputError`` if there is no such file, or if it makes no sense.
    """
    try:
        raw = yaml.safe_load(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(f"{file}: {error.strerror}; name your configuration with --configfile") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise InputError(f"{file} is not YAML: {error}") from None
    if not isinstance(raw, dict):
        raise InputError(f"{file} has no keys; it is no configuration")
    for change in changes:
        key, equals, value = change.partition("=")
        if not equals:
            raise InputError(f"--config {change} is not of the form key=value")
        _update(raw, {key: yaml.safe_load(value)})
    return Plan(raw, str(results))


def _update(settings: dict[str, Any], changes: dict[str, Any]) -> None:
    for key, value in changes.items():
        if isinstance(value, dict) and isinstance(settings.get(key), dict):
            _update(settings[key], value)
        else:
            settings[key] = value


def jobs(plan: Plan) -> list[Job]:
    """Every job behind ``results/submission.csv``, in an order in which they can be done."""
    return [*_corpus_jobs(plan), *_stream_jobs(plan), *_result_jobs(plan)]


def _corpus_jobs(plan: Plan) -> Iterator[Job]:
    results = Path(plan.results)
    for name, corpus in plan.config.corpora.items():
        if corpus.demo:
            yield Job("demo", name, (results / f"demo/{name}.json", results / f"demo/{name}_test_labels.csv"))
        yield Job("clips", name, (results / f"clips/{name}.parquet",))
        kinds = plan.kinds(name)
        for kind in [*(["skeletons"] if {"keypoints", "face"} & set(kinds) else []), *kinds]:
            for shard in plan.shards:
                yield Job(kind, name, (results / f"{kind}/{name}/{shard}.arrow",))


def _stream_jobs(plan: Plan) -> Iterator[Job]:
    results = Path(plan.results)
    streams = [name for name in _needed(plan) if name in plan.config.streams]
    scored = [name for name in streams if name in _scored(plan)]
    folded = plan.folded_for(scored)
    for weights in dict.fromkeys(plan.config.streams[name].weights for name in streams):
        if weights and is_published_name(weights):
            yield Job("weights", weights, (results / f"weights/{weights}.safetensors",))
    for name in streams:
        for part in [".", *([f"fold{fold}" for fold in plan.folds] if name in folded else [])]:
            made = results / "streams" / name / part
            yield Job("train", name, (made / "model.safetensors", made / "card.json"))
    for name in scored:
        scores = results / "scores" / name
        yield Job("predict", name, (scores / "val.parquet", scores / "test.parquet"))
        for fold in plan.folds:
            yield Job("predict", name, (scores / f"fold{fold}.parquet",))


def _result_jobs(plan: Plan) -> Iterator[Job]:
    results = Path(plan.results)
    needed = _needed(plan)
    labelling = {plan.config.streams[name].pseudo_labels for name in needed if name in plan.config.streams}
    files = ("fusion.json", "summary.csv", "held_out.parquet", "val.parquet", "test.parquet")
    for name in needed:
        if name in plan.config.ensembles:
            yield Job("ensemble", name, tuple(results / "ensembles" / name / file for file in files))
            if name in labelling:
                yield Job("pseudo_labels", name, (results / f"ensembles/{name}/pseudo_labels.csv",))
    yield Job("quarantine", "all", (results / "quarantine.csv",))
    yield Job("submission", plan.config.submission.ensemble, (results / "submission.csv",))


def _needed(plan: Plan) -> list[str]:
    """The streams and ensembles behind the submission, itself included."""
    waiting, found = [plan.config.submission.ensemble], {}
    while waiting:
        name = waiting.pop(0)
        found[name] = None
        waiting += plan.config.above(name)
    return list(found)


def _scored(plan: Plan) -> set[str]:
    ensembles = [plan.config.ensembles[name] for name in _needed(plan) if name in plan.config.ensembles]
    return {stream for ensemble in ensembles for stream in ensemble.streams}
