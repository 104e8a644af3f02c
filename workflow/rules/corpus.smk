# REQUIRED INPUTS: the corpora that the configuration names, or nothing for a drawn one.
# OUTPUTS: results/listed/<corpus>.parquet, one row a clip, and the same as results/clips/<corpus>.parquet once it keeps
# within the limits; results/quarantine.csv, what could not be used and why.


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
        "Drawing the demo corpus {wildcards.corpus}"
    shell:
        "microgesture --log {log:q} demo --settings {params.settings:q} --root results/demo/{wildcards.corpus}"
        " --truth {output.truth} --emotion-truth results/demo/{wildcards.corpus}_test_emotions.csv"
        " --output {output.files} --workers {threads}"


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
        "microgesture --log {log:q} clips --settings {params.settings:q} --output {output}"


# The limits that it holds clips to come from the environment (see commands.prepare): a raised one repeats nothing.
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
        "microgesture --log {log:q} check-clips --listed {input} --output {output}"


rule list_quarantine:
    input:
        clips=expand("results/clips/{corpus}.parquet", corpus=plan.config.corpora),
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
        "Listing what could not be used"
    shell:
        "microgesture --log {log:q} quarantine --output {output} {input}"
