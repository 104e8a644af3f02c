# REQUIRED INPUTS: results/measured/<corpus>/<shard>.parquet, the videos in it, and the shards that a modality is made from.
# OUTPUTS: results/<modality>/<corpus>/<shard>.arrow, the clips of a shard in one modality.


for modality in MODALITIES.values():

    rule:
        name:
            modality.name
        input:
            all_shards(modality.name),

    rule:
        name:
            f"make_{modality.name}"
        input:
            unpack(modality_inputs(modality)),
        output:
            f"results/{modality.name}/{{corpus}}/{{shard}}.arrow",
        log:
            f"results/logs/{modality.name}/{{corpus}}/{{shard}}.log",
        benchmark:
            f"results/benchmarks/{modality.name}/{{corpus}}/{{shard}}.tsv"
        resources:
            gpu=gpus(int(is_learned(modality))),
            mem_mb=memory(8000 if is_learned(modality) else 2000),
            runtime=minutes(modality.seconds),
        params:
            stage=modality.name,
            settings=settings(modality.name, "corpus"),
            stamp=shard_stamp(modality.name),
            options=modality_options,
        message:
            f"Making {modality.label} of {{wildcards.corpus}}, shard {{wildcards.shard}}"
        shell:
            "microgesture --log {log:q} {params.stage:q} --settings {params.settings:q} {params.options:q}"
            " --output {output:q} --stamp {params.stamp:q} {input.shards:q}"
