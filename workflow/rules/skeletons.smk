# REQUIRED INPUTS: results/measured/<corpus>/<shard>.parquet and the skeleton files in it, or the videos of a corpus with `pose`.
# OUTPUTS: results/skeletons/<corpus>/<shard>.arrow, the keypoints of whole recordings.


rule read_skeletons:
    input:
        "results/measured/{corpus}/{shard}.parquet",
    output:
        "results/skeletons/{corpus}/{shard}.arrow",
    log:
        "results/logs/skeletons/{corpus}/{shard}.log",
    benchmark:
        "results/benchmarks/skeletons/{corpus}/{shard}.tsv"
    resources:
        mem_mb=memory(3000),
        runtime=minutes(5),
    params:
        settings=settings("skeletons", "corpus"),
        stamp=stamp("skeletons", "corpus"),
    message:
        "Reading the skeleton files of {wildcards.corpus}, shard {wildcards.shard}"
    shell:
        "microgesture --log {log:q} skeletons --settings {params.settings:q} --clips {input:q} --shard {wildcards.shard:q}"
        " --output {output:q} --stamp {params.stamp:q}"


if plan.posed:

    ruleorder: make_pose > read_skeletons

    rule make_pose:
        input:
            clips="results/measured/{corpus}/{shard}.parquet",
            networks=lambda wildcards: pose_networks(wildcards.corpus),
        output:
            "results/skeletons/{corpus}/{shard}.arrow",
        log:
            "results/logs/pose/{corpus}/{shard}.log",
        benchmark:
            "results/benchmarks/skeletons/{corpus}/{shard}.tsv"
        wildcard_constraints:
            corpus="|".join(plan.posed),
        resources:
            mem_mb=memory(3000),
            runtime=minutes(60),
        params:
            settings=settings("skeletons", "corpus"),
            stamp=stamp("skeletons", "corpus"),
        message:
            "Finding keypoints in the videos of {wildcards.corpus}, shard {wildcards.shard}"
        shell:
            "microgesture --log {log:q} pose --settings {params.settings:q} --clips {input.clips:q} --shard {wildcards.shard:q}"
            " --output {output:q} --stamp {params.stamp:q}"
