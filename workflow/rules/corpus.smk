# REQUIRED INPUTS: the corpora in the configuration, which are listed in results/listed/<corpus> before the run is planned;
# nothing for a synthetic corpus, which the run makes and lists.
# OUTPUTS: results/measured/<corpus>/<shard>.parquet, the clips of a shard without their labels; with their labels
# results/clips/<corpus>/<part>.parquet, the clips of a part (train with val, and test), and results/clips/<corpus>.parquet,
# all; results/quarantine.csv, unusable clips with reasons; results/keypoints.csv, clips with several people or filled gaps.


localrules:
    check_clips,
    join_clips,


demos = [name for name, corpus in plan.config.corpora.items() if corpus.demo]


rule clips:
    input:
        expand("results/clips/{corpus}.parquet", corpus=plan.config.corpora),


if demos:

    rule generate_demo:
        output:
            files="results/demo/{corpus}.json",
            truth="results/demo/{corpus}_test_labels.csv",
        log:
            "results/logs/demo/{corpus}.log",
        wildcard_constraints:
            corpus="|".join(demos),
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
            "results/demo/{corpus}.json",
        output:
            expand(
                "results/listed/{{corpus}}/{name}.parquet",
                name=[*plan.shards, *PARTS, "declared"],
            ),
        log:
            "results/logs/listed/{corpus}.log",
        wildcard_constraints:
            corpus="|".join(demos),
        params:
            settings=settings("listed", "corpus"),
            stamp=stamp("listed", "corpus"),
        message:
            "Listing the clips of {wildcards.corpus}"
        shell:
            "microgesture --log {log:q} list-clips --settings {params.settings:q}"
            " --output results/listed/{wildcards.corpus:q}"


# The priorities make sure that unusable clips are known before the first long job.
rule measure_clips:
    input:
        "results/listed/{corpus}/{shard}.parquet",
    output:
        "results/measured/{corpus}/{shard}.parquet",
    log:
        "results/logs/measured/{corpus}/{shard}.log",
    priority: 10
    resources:
        mem_mb=memory(3000),
        runtime=minutes(1),
    params:
        settings=settings("measured", "corpus"),
        stamp=stamp("measured", "corpus"),
    message:
        "Opening the files of {wildcards.corpus}, shard {wildcards.shard}"
    shell:
        "microgesture --log {log:q} measure-clips --settings {params.settings:q} --listed {input:q}"
        " --shard {wildcards.shard:q} --output {output:q}"


# The limit comes from the environment (see commands.prepare), so a higher limit reruns no other job.
rule check_clips:
    input:
        labels="results/listed/{corpus}/{part}.parquet",
        # Only for messages: another place in the lists is no reason to check the clips again.
        declared=ancient("results/listed/{corpus}/declared.parquet"),
        measured=lambda wildcards: expand(
            "results/measured/{{corpus}}/{shard}.parquet",
            shard=plan.shards_of(wildcards.part),
        ),
    output:
        "results/clips/{corpus}/{part}.parquet",
    log:
        "results/logs/clips/{corpus}/{part}.log",
    wildcard_constraints:
        part="|".join(PARTS),
    priority: 10
    params:
        stamp=lambda wildcards: plan.step(
            f"{wildcards.part}_clips", wildcards.corpus
        ).stamp,
    message:
        "Checking the clips of {wildcards.corpus} for {wildcards.part}"
    shell:
        "microgesture --log {log:q} check-clips --corpus {wildcards.corpus:q} --labels {input.labels:q}"
        " --declared {input.declared:q} --output {output:q} {input.measured:q}"


rule join_clips:
    input:
        declared="results/listed/{corpus}/declared.parquet",
        parts=expand("results/clips/{{corpus}}/{part}.parquet", part=PARTS),
    output:
        "results/clips/{corpus}.parquet",
    log:
        "results/logs/clips/{corpus}.log",
    priority: 10
    params:
        stamp=stamp("clips", "corpus"),
    message:
        "Joining the clips of {wildcards.corpus}"
    shell:
        "microgesture --log {log:q} join-clips --declared {input.declared:q} --output {output:q} {input.parts:q}"


rule list_quarantine:
    input:
        clips=expand("results/clips/{corpus}.parquet", corpus=plan.config.corpora),
        shards=[
            path for kind in ("skeletons", *MODALITIES) for path in all_shards(kind)
        ],
    output:
        clips="results/quarantine.csv",
        keypoints="results/keypoints.csv",
    log:
        "results/logs/quarantine.log",
    params:
        stamp=[plan.step("clips", corpus).stamp for corpus in plan.config.corpora],
    message:
        "Listing the unusable clips"
    shell:
        "microgesture --log {log:q} quarantine --output {output.clips:q} --keypoints {output.keypoints:q}"
        " {input.clips:q} {input.shards:q}"
