# What all rules need: the plan made from the configuration, and the two parameters that decide about reruns.

import sys

from snakemake.exceptions import WorkflowError

sys.path.insert(0, f"{workflow.basedir}/src")

from microgesture.commands import claimed_threads, prepare, show_summary
from microgesture.errors import InputError
from microgesture.plan import KINDS, Plan

try:
    plan = Plan(config)
except InputError as error:
    raise WorkflowError(str(error))

prepare(plan.config)


def settings(stage, of):
    """The settings of a stage as canonical JSON, and nothing else of the configuration."""
    return lambda wildcards: plan.step(stage, wildcards[of]).settings


def stamp(stage, of):
    """A digest of everything a stage's output depends on."""
    return lambda wildcards: plan.step(stage, wildcards[of]).stamp


def shards(kind, corpus):
    """All shard files of one kind of a corpus."""
    return expand(
        "results/{kind}/{corpus}/{shard}.arrow",
        kind=kind,
        corpus=corpus,
        shard=plan.shards,
    )


def all_shards(kind):
    """All shard files of one kind that the configuration asks for."""
    return [
        path
        for corpus in plan.config.corpora
        if kind in plan.kinds(corpus)
        for path in shards(kind, corpus)
    ]


def keypoints_if_any(wildcards):
    """The keypoints that say where the person is; none for a corpus of videos alone."""
    known = "keypoints" in plan.kinds(wildcards.corpus)
    return (
        f"results/keypoints/{wildcards.corpus}/{wildcards.shard}.arrow" if known else []
    )


def stream_clips(wildcards):
    """The clips table of the stream's corpus."""
    return f"results/clips/{plan.config.streams[wildcards.stream].corpus}.parquet"


def stream_shards(wildcards):
    """What the stream is trained on."""
    return shards(
        plan.store(wildcards.stream), plan.config.streams[wildcards.stream].corpus
    )


def stream_init(wildcards):
    """The weights the stream starts from, if it names another stream."""
    init = plan.config.streams[wildcards.stream].init
    return f"results/streams/{init}/model.safetensors" if init else []


def ensemble_clips(ensemble):
    """The clips table of the corpus that the ensemble's streams share."""
    first = plan.config.ensembles[ensemble].streams[0]
    return f"results/clips/{plan.config.streams[first].corpus}.parquet"


def ensemble_scores(split):
    """The scores of the ensemble's streams, in the order of the configuration."""
    return lambda wildcards: expand(
        "results/scores/{stream}/{split}.parquet",
        stream=plan.config.ensembles[wildcards.ensemble].streams,
        split=split,
    )
