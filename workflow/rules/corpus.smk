# REQUIRED INPUTS: the corpora in the configuration; nothing for a synthetic corpus.
# OUTPUTS: results/listed/<corpus>.parquet, one row per clip; results/clips/<corpus>.parquet, the same table after its
# limits are checked; results/quarantine.csv, unusable clips with reasons.


localrules:
    check_clips,


rule clips:
    input:
        expand("results/clips/{corpus}.parquet", corpus=plan.config.corpora),


rule generate_demo:
    output:
        files="results/demo/{corpus}.json",
        truth="results/demo/{corpus}_test_labels.csv",
    log:
        "results/logs/demo/{corpus}.log",
    threads: 2
    params:
        settings=settings("demo", "corpus"),
        stamp=stamp("demo", "corpus"),
    message:
        "Generating the demo corpus {wildcards.corpus}"
    shell:
        "microgesture --log {log:q} demo --settings {params.settings:q} --root results/demo/{wildcards.corpus:q}"
        " --truth {output.truth:q} --emotion-truth results/demo/{wildcards.corpus:q}_test_emotions.csv"
        " --output {output.files:q} --workers {threads}"


rule list_clips:
    input:
        lambda wildcards: (
            f"results/demo/{wildcards.corpus}.json"
            if plan.config.corpora[wildcards.corpus].demo
            else []
        ),
    output:
        "results/listed/{corpus}.parquet",
    log:
        "results/logs/listed/{corpus}.log",
    params:
        settings=settings("clips", "corpus"),
        stamp=stamp("clips", "corpus"),
    message:
        "Listing the clips of {wildcards.corpus}"
    shell:
        "microgesture --log {log:q} clips --settings {params.settings:q} --output {output:q}"


# The limits come from the environment (see commands.prepare), so a higher limit reruns no other job.
rule check_clips:
    input:
        "results/listed/{corpus}.parquet",
    output:
        "results/clips/{corpus}.parquet",
    log:
        "results/logs/clips/{corpus}.log",
    params:
        stamp=stamp("clips", "corpus"),
    message:
        "Checking the clips of {wildcards.corpus}"
    shell:
        "microgesture --log {log:q} check-clips --listed {input:q} --output {output:q}"


rule list_quarantine:
    input:
        clips=expand("results/clips/{corpus}.parquet", corpus=plan.config.corpora),
        # A new listing must be checked, even if an earlier check failed and all later files exist.
        listed=expand("results/listed/{corpus}.parquet", corpus=plan.config.corpora),
        shards=[
            path for kind in ("skeletons", *MODALITIES) for path in all_shards(kind)
        ],
    output:
        "results/quarantine.csv",
    log:
        "results/logs/quarantine.log",
    params:
        stamp=[plan.step("clips", corpus).stamp for corpus in plan.config.corpora],
    message:
        "Listing the unusable clips"
    shell:
        "microgesture --log {log:q} quarantine --output {output:q} {input.clips:q} {input.shards:q}"
