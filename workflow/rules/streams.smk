# REQUIRED INPUTS: results/clips/<corpus>.parquet and the shards of the stream's input.
# OUTPUTS: results/streams/<stream>/{model.safetensors,card.json}; results/scores/<stream>/<split>.parquet, logits a clip.


rule train:
    input:
        expand("results/streams/{stream}/model.safetensors", stream=plan.config.streams),


rule scores:
    input:
        [
            f"results/scores/{stream}/{split}.parquet"
            for stream in plan.scored
            for split in ("val", "test")
        ],


rule train_stream:
    input:
        clips=stream_clips,
        shards=stream_shards,
        init=stream_init,
    output:
        model="results/streams/{stream}/model.safetensors",
        card="results/streams/{stream}/card.json",
    log:
        "results/logs/train/{stream}.log",
    threads: lambda wildcards: claimed_threads(plan.config, workflow.cores)
    resources:
        gpu=int(plan.config.device != "cpu"),
        mem_mb=lambda wildcards, attempt: 16000 * attempt,
        runtime=lambda wildcards, attempt: 720 * attempt,
    params:
        settings=settings("train", "stream"),
        stamp=stamp("train", "stream"),
        init=lambda wildcards, input: f"--init {input.init}" if input.init else "",
    message:
        "Training the stream {wildcards.stream}"
    shell:
        "microgesture --log {log:q} train --settings {params.settings:q} --clips {input.clips} {params.init}"
        " --model {output.model} --card {output.card} --stamp {params.stamp} {input.shards}"


rule predict_stream:
    input:
        clips=stream_clips,
        shards=stream_shards,
        model="results/streams/{stream}/model.safetensors",
    output:
        val="results/scores/{stream}/val.parquet",
        test="results/scores/{stream}/test.parquet",
    log:
        "results/logs/predict/{stream}.log",
    threads: lambda wildcards: claimed_threads(plan.config, workflow.cores)
    resources:
        gpu=int(plan.config.device != "cpu"),
        mem_mb=8000,
    params:
        settings=settings("predict", "stream"),
        stamp=stamp("predict", "stream"),
    message:
        "Predicting with the stream {wildcards.stream}"
    shell:
        "microgesture --log {log:q} predict --settings {params.settings:q} --clips {input.clips}"
        " --model {input.model} --val {output.val} --test {output.test} {input.shards}"
