# Micro-gesture recognition: from a corpus of videos and keypoints to results/submission.csv and results/report.html.
# `snakemake --cores 8` makes both. Each stage is also a target.

from snakemake.utils import min_version

min_version("9.27")


# A configuration given with --configfile replaces the default one, which is the demo's.
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
    pretraining="|".join(plan.config.pretraining) or "none",
    published=r"\w+_Weights\.\w+",
    encoder="|".join(map(re.escape, encoders_used)) or "none",
    features="|".join(map(re.escape, features_used)) or "none",


# They take seconds, or need the internet, which only the login node of a cluster has.
localrules:
    fetch_encoder,
    fetch_weights,
    label_clips,
    list_quarantine,
    write_submission,


include: "workflow/rules/corpus.smk"
include: "workflow/rules/skeletons.smk"
include: "workflow/rules/modalities.smk"
include: "workflow/rules/features.smk"
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
