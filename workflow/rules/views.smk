# REQUIRED INPUTS: results/clips/<corpus>.parquet, all shards of the corpus, and the predictions of the submission's ensemble if it is on that corpus.
# OUTPUTS: results/views/<corpus>/{<clip>.png,<clip>.mp4,views.csv}, the network inputs of a few clips of every class.


rule views:
    input:
        expand(
            "results/views/{corpus}",
            corpus=[corpus for corpus in plan.config.corpora if plan.kinds(corpus)],
        ),


rule view_clips:
    input:
        clips="results/clips/{corpus}.parquet",
        shards=lambda wildcards: [
            path
            for kind in plan.shown(wildcards.corpus)
            for path in shards(kind, wildcards.corpus)
        ],
        predictions=submitted_predictions,
    output:
        directory("results/views/{corpus}"),
    log:
        "results/logs/views/{corpus}.log",
    resources:
        mem_mb=lambda wildcards, attempt: 3000 * attempt,
        runtime=lambda wildcards, attempt: 120 * attempt,
    params:
        settings=settings("view", "corpus"),
        stamp=stamp("view", "corpus"),
    message:
        "Drawing the network inputs of clips of {wildcards.corpus}"
    shell:
        "microgesture --log {log:q} views --settings {params.settings:q} --clips {input.clips:q} --output {output:q}"
        " {input.shards:q} {input.predictions:q}"
