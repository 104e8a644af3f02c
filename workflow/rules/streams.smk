# REQUIRED INPUTS: results/clips/<corpus>.parquet, for training only that of train and val, and the shards of the stream's inputs.
# For pretraining results/measured/<corpus>/<shard>.parquet, which have no labels.
# OUTPUTS: results/pretraining/<name>/{model.safetensors,card.json}; results/streams/<stream>/{model.safetensors,card.json}; results/scores/<stream>/<split>.parquet, scores of each clip;
# with folds the same again in results/streams/<stream>/fold<n>/ and results/scores/<stream>/fold<n>.parquet.


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


rule fetch_weights:
    output:
        "results/weights/{published}.safetensors",
    log:
        "results/logs/weights/{published}.log",
    message:
        "Fetching the published weights {wildcards.published}"
    shell:
        "microgesture --log {log:q} weights --name {wildcards.published:q} --output {output:q}"


rule pretrain:
    input:
        expand(
            "results/pretraining/{pretraining}/model.safetensors",
            pretraining=plan.config.pretraining,
        ),


rule pretrain_network:
    input:
        clips=pretraining_clips,
        shards=pretraining_shards,
    output:
        model="results/pretraining/{pretraining}/model.safetensors",
        card="results/pretraining/{pretraining}/card.json",
    log:
        "results/logs/pretrain/{pretraining}.log",
    benchmark:
        "results/benchmarks/pretrain/{pretraining}.tsv"
    threads: lambda wildcards: claimed_threads(plan.config, workflow.resource_settings.cores)
    resources:
        gpu=plan.config.devices if plan.config.device != "cpu" else 0,
        mem_mb=lambda wildcards, attempt: training_memory(plan.config, attempt),
        runtime=lambda wildcards, attempt: 720 * attempt,
    params:
        settings=settings("pretrain", "pretraining"),
        stamp=stamp("pretrain", "pretraining"),
        clips=lambda wildcards, input: [
            part for path in input.clips for part in ("--clips", path)
        ],
    message:
        "Pretraining {wildcards.pretraining} without labels"
    shell:
        "exec microgesture --log {log:q} pretrain --settings {params.settings:q} {params.clips:q}"
        " --model {output.model:q} --card {output.card:q} --stamp {params.stamp:q} {input.shards:q}"


rule train_stream:
    input:
        clips=training_clips,
        shards=training_shards,
        init=stream_init,
        weights=stream_weights,
        encoder=stream_encoder,
        pseudo_labels=stream_pseudo_labels,
    output:
        model="results/streams/{stream}/model.safetensors",
        card="results/streams/{stream}/card.json",
    log:
        "results/logs/train/{stream}.log",
    benchmark:
        "results/benchmarks/train/{stream}.tsv"
    threads: lambda wildcards: claimed_threads(plan.config, workflow.resource_settings.cores)
    resources:
        gpu=gpus(plan.config.devices),
        mem_mb=lambda wildcards, attempt: training_memory(plan.config, attempt),
        runtime=lambda wildcards, attempt: 720 * attempt,
    params:
        settings=settings("train", "stream"),
        stamp=stamp("train", "stream"),
        start=start_options,
    message:
        "Training the stream {wildcards.stream}"
    shell:
        # exec: without a shell in between, signals reach the training, which then saves its state.
        "exec microgesture --log {log:q} train --settings {params.settings:q} --clips {input.clips:q} {params.start:q}"
        " --model {output.model:q} --card {output.card:q} --stamp {params.stamp:q} {input.shards:q}"


use rule train_stream as train_fold with:
    input:
        clips=fold_clips,
        shards=fold_shards,
        init=fold_init,
        weights=stream_weights,
        encoder=stream_encoder,
    output:
        model="results/streams/{stream}/fold{fold}/model.safetensors",
        card="results/streams/{stream}/fold{fold}/card.json",
    log:
        "results/logs/train/{stream}_fold{fold}.log",
    benchmark:
        "results/benchmarks/train_fold/{stream}/{fold}.tsv"
    params:
        settings=settings("train_fold", "stream"),
        stamp=stamp("train_fold", "stream"),
        start=lambda wildcards, input: [
            *start_options(wildcards, input),
            "--fold",
            wildcards.fold,
        ],
    message:
        "Training the stream {wildcards.stream} without the subjects of fold {wildcards.fold}"


rule predict_stream:
    input:
        clips=stream_clips,
        shards=stream_shards,
        model="results/streams/{stream}/model.safetensors",
        encoder=stream_encoder,
    output:
        val="results/scores/{stream}/val.parquet",
        test="results/scores/{stream}/test.parquet",
    log:
        "results/logs/predict/{stream}.log",
    benchmark:
        "results/benchmarks/predict/{stream}.tsv"
    threads: lambda wildcards: claimed_threads(plan.config, workflow.resource_settings.cores)
    resources:
        gpu=gpus(),
        mem_mb=lambda wildcards, attempt: training_memory(plan.config, attempt),
        runtime=lambda wildcards, attempt: 120 * attempt,
    params:
        settings=settings("predict", "stream"),
        stamp=stamp("predict", "stream"),
        encoder=encoder_options,
    message:
        "Predicting with the stream {wildcards.stream}"
    shell:
        "microgesture --log {log:q} predict --settings {params.settings:q} --clips {input.clips:q}"
        " --model {input.model:q} --val {output.val:q} --test {output.test:q} {params.encoder:q} {input.shards:q}"


rule predict_fold:
    input:
        clips=fold_clips,
        shards=fold_shards,
        model="results/streams/{stream}/fold{fold}/model.safetensors",
        encoder=stream_encoder,
    output:
        "results/scores/{stream}/fold{fold}.parquet",
    log:
        "results/logs/predict/{stream}_fold{fold}.log",
    benchmark:
        "results/benchmarks/predict_fold/{stream}/{fold}.tsv"
    threads: lambda wildcards: claimed_threads(plan.config, workflow.resource_settings.cores)
    resources:
        gpu=gpus(),
        mem_mb=lambda wildcards, attempt: training_memory(plan.config, attempt),
        runtime=lambda wildcards, attempt: 120 * attempt,
    params:
        settings=settings("predict_fold", "stream"),
        stamp=stamp("predict_fold", "stream"),
        encoder=encoder_options,
    message:
        "Predicting the subjects of fold {wildcards.fold} with the stream {wildcards.stream}"
    shell:
        "microgesture --log {log:q} predict-fold --settings {params.settings:q} --clips {input.clips:q}"
        " --model {input.model:q} --fold {wildcards.fold:q} --output {output:q} {params.encoder:q} {input.shards:q}"
