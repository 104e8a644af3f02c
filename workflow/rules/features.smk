# REQUIRED INPUTS: the folder of a pretrained encoder, or its id on the Hugging Face hub; results/rgb/<corpus>/<shard>.arrow.
# OUTPUTS: results/encoders/<encoder>.{json,safetensors}, its description and weights;
# results/features/<features>/<shard>.arrow, its features of each view of the clips of a shard.


rule features:
    input:
        expand(
            "results/features/{features}/{shard}.arrow",
            features=features_used,
            shard=plan.shards,
        ),


rule fetch_encoder:
    input:
        lambda wildcards: encoders_used[wildcards.encoder].files,
    output:
        description="results/encoders/{encoder}.json",
        weights="results/encoders/{encoder}.safetensors",
    log:
        "results/logs/encoders/{encoder}.log",
    params:
        settings=settings("encoder", "encoder"),
        stamp=stamp("encoder", "encoder"),
    message:
        "Reading the pretrained encoder {wildcards.encoder}"
    shell:
        "microgesture --log {log:q} encoder --settings {params.settings:q} --output {output.description:q}"
        " --weights {output.weights:q}"


rule make_features:
    input:
        frames=frames_of_features,
        encoder=lambda wildcards: encoder_files(features_used[wildcards.features]),
    output:
        "results/features/{features}/{shard}.arrow",
    log:
        "results/logs/features/{features}/{shard}.log",
    benchmark:
        "results/benchmarks/features/{features}/{shard}.tsv"
    threads: lambda wildcards: claimed_threads(plan.config, workflow.resource_settings.cores)
    resources:
        gpu=gpus(),
        mem_mb=memory(8000),
        runtime=minutes(120),
    params:
        settings=settings("features", "features"),
        stamp=stamp("features", "features"),
    message:
        "Computing the features {wildcards.features}, shard {wildcards.shard}"
    shell:
        "microgesture --log {log:q} features --settings {params.settings:q} --encoder {input.encoder[0]:q}"
        " --weights {input.encoder[1]:q} --output {output:q} --stamp {params.stamp:q} {input.frames:q}"
