# What every rule needs: the plan made from the configuration, and the two parameters that decide about reruns.

import os
import subprocess
import sys
from pathlib import Path

from snakemake.exceptions import WorkflowError

sys.path.insert(0, f"{workflow.basedir}/src")
# The command of the environment that runs Snakemake, also where that environment was not activated.
os.environ["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"

from microgesture.errors import InputError
from microgesture.plan import KINDS, Plan

try:
    plan = Plan(config)
except InputError as error:
    raise WorkflowError(str(error))

# Not a parameter of the rules: the same training on another device is not another result.
os.environ["MICROGESTURE_DEVICE"] = plan.config.device


wildcard_constraints:
    corpus="|".join(plan.config.corpora),
    stream="|".join(plan.config.streams),
    ensemble="|".join(plan.config.ensembles),
    shard=r"\d{4}",


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


def show_summary():
    """The closing table: how good each stream and the ensemble is on the validation split."""
    ensemble = plan.config.submission.ensemble
    shown = {
        "--summary": f"results/ensembles/{ensemble}/summary.csv",
        "--submission": "results/submission.csv",
        "--quarantine": "results/quarantine.csv",
    }
    if all(map(os.path.exists, shown.values())):
        subprocess.run(
            [
                "microgesture",
                "summary",
                *(word for pair in shown.items() for word in pair),
            ],
            check=False,
        )
