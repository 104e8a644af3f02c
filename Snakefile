# Micro-gesture recognition: from a corpus of videos and keypoints to results/submission.csv and results/report.html.
# `snakemake --cores 8` makes both; each stage is a target by its own name.

from snakemake.utils import min_version

min_version("9.27")


# A configuration given with --configfile stands for itself; the demo's is only the default.
if not workflow.config_settings.configfiles:

    configfile: "config.yaml"


# Only for --sdm apptainer; built once from envs/microgesture.def.
container: "envs/microgesture.sif"


include: "workflow/rules/common.smk"


wildcard_constraints:
    corpus="|".join(plan.config.corpora),
    stream="|".join(plan.config.streams),
    ensemble="|".join(plan.config.ensembles),
    shard=r"\d{4}",
    fold=r"\d+",
    published=r"\w+_Weights\.\w+",


# Seconds of work each, or nothing without the internet, which only a cluster's login node has.
localrules:
    fetch_weights,
    label_clips,
    list_quarantine,
    write_submission,


include: "workflow/rules/corpus.smk"
include: "workflow/rules/skeletons.smk"
include: "workflow/rules/modalities.smk"
include: "workflow/rules/streams.smk"
include: "workflow/rules/ensemble.smk"
include: "workflow/rules/views.smk"


if plan.config.emotion:

    include: "workflow/rules/emotion.smk"


include: "workflow/rules/report.smk"


if plan.config.predictions:

    include: "workflow/rules/predictions.smk"


rule all:
    default_target: True
    input:
        "results/submission.csv",
        "results/report.html",
        "results/emotion/submission.csv" if plan.config.emotion else [],
        timelines if plan.config.predictions else [],


onsuccess:
    show_summary(plan.config)
