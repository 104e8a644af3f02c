# REQUIRED INPUTS: results/clips/<corpus>.parquet, trained streams, and results/face/<corpus>/<shard>.arrow.
# OUTPUTS: results/emotion/videos.csv; results/embeddings/<stream>.parquet, features of each clip;
# results/emotion/<row>/{model.safetensors,card.json,held_out.csv,test.csv}; results/emotion/ablation.{csv,md};
# results/emotion/cross_subject.{csv,md} where ground truth is given; results/emotion/submission.csv.

from microgesture.workflow.emotion_stages import label_files

emotion = plan.config.emotion
emotion_clips = f"results/clips/{emotion.corpus}.parquet"

try:
    emotion_labels = label_files(plan.config, plan.root(emotion.corpus))
except InputError as error:
    raise WorkflowError(f"emotion: {error}")


localrules:
    list_videos,
    submit_emotion,


def row_faces(wildcards):
    """The face shards of a row of sources."""
    return (
        shards("face", emotion.corpus) if "face" in emotion.rows[wildcards.row] else []
    )


def row_embeddings(source):
    """The embeddings for the context or gesture tokens of a row."""
    return lambda wildcards: (
        f"results/embeddings/{getattr(emotion, source)}.parquet"
        if source in emotion.rows[wildcards.row]
        else []
    )


def row_options(wildcards, input):
    """The options with the embeddings."""
    return [
        part
        for source in ("context", "gestures")
        if input[source]
        for part in (f"--{source}", input[source])
    ]


rule emotion:
    input:
        expand("results/emotion/{row}/test.csv", row=emotion.rows),


rule list_videos:
    input:
        clips=emotion_clips,
        labels=emotion_labels,
    output:
        "results/emotion/videos.csv",
    log:
        "results/logs/emotion/videos.log",
    params:
        settings=plan.step("videos", "emotion").settings,
        stamp=plan.step("videos", "emotion").stamp,
    message:
        "Listing the videos of {emotion.corpus} with their emotions"
    shell:
        "microgesture --log {log:q} videos --settings {params.settings:q} --clips {input.clips:q} --output {output:q}"


rule embed_stream:
    input:
        clips=stream_clips,
        shards=stream_shards,
        model="results/streams/{stream}/model.safetensors",
    output:
        "results/embeddings/{stream}.parquet",
    log:
        "results/logs/embed/{stream}.log",
    threads: lambda wildcards: claimed_threads(plan.config, workflow.resource_settings.cores)
    resources:
        gpu=gpus(),
        mem_mb=lambda wildcards, attempt: training_memory(plan.config, attempt),
        runtime=lambda wildcards, attempt: 240 * attempt,
    params:
        settings=settings("embed", "stream"),
        stamp=stamp("embed", "stream"),
    message:
        "Computing features of every clip with the stream {wildcards.stream}"
    shell:
        "microgesture --log {log:q} embed --settings {params.settings:q} --clips {input.clips:q}"
        " --model {input.model:q} --output {output:q} {input.shards:q}"


rule train_emotion:
    input:
        videos="results/emotion/videos.csv",
        clips=emotion_clips,
        faces=row_faces,
        context=row_embeddings("context"),
        gestures=row_embeddings("gestures"),
        weights=lambda wildcards: (
            emotion.face.weights or [] if "face" in emotion.rows[wildcards.row] else []
        ),
    output:
        model="results/emotion/{row}/model.safetensors",
        card="results/emotion/{row}/card.json",
    log:
        "results/logs/emotion/train_{row}.log",
    threads: lambda wildcards: claimed_threads(plan.config, workflow.resource_settings.cores)
    resources:
        gpu=gpus(),
        mem_mb=lambda wildcards, attempt: training_memory(plan.config, attempt),
        runtime=lambda wildcards, attempt: 720 * attempt,
    params:
        settings=settings("train_emotion", "row"),
        stamp=stamp("train_emotion", "row"),
        embeddings=row_options,
    message:
        "Training emotion recognition from {wildcards.row}"
    shell:
        "microgesture --log {log:q} train-emotion --settings {params.settings:q} --videos {input.videos:q}"
        " --clips {input.clips:q} {params.embeddings:q} --model {output.model:q} --card {output.card:q} {input.faces:q}"


rule predict_emotion:
    input:
        videos="results/emotion/videos.csv",
        clips=emotion_clips,
        faces=row_faces,
        context=row_embeddings("context"),
        gestures=row_embeddings("gestures"),
        model="results/emotion/{row}/model.safetensors",
    output:
        held_out="results/emotion/{row}/held_out.csv",
        test="results/emotion/{row}/test.csv",
    log:
        "results/logs/emotion/predict_{row}.log",
    threads: lambda wildcards: claimed_threads(plan.config, workflow.resource_settings.cores)
    resources:
        gpu=gpus(),
        mem_mb=lambda wildcards, attempt: training_memory(plan.config, attempt),
        runtime=lambda wildcards, attempt: 120 * attempt,
    params:
        settings=settings("predict_emotion", "row"),
        stamp=stamp("predict_emotion", "row"),
        embeddings=row_options,
    message:
        "Predicting emotions from {wildcards.row}"
    shell:
        "microgesture --log {log:q} predict-emotion --settings {params.settings:q} --videos {input.videos:q}"
        " --clips {input.clips:q} {params.embeddings:q} --model {input.model:q} --held-out {output.held_out:q}"
        " --test {output.test:q} {input.faces:q}"


rule compare_emotion:
    input:
        videos="results/emotion/videos.csv",
        predictions=expand("results/emotion/{row}/held_out.csv", row=emotion.rows),
    output:
        csv="results/emotion/ablation.csv",
        markdown="results/emotion/ablation.md",
    log:
        "results/logs/emotion/ablation.log",
    params:
        settings=plan.step("emotion_ablation", "emotion").settings,
        stamp=plan.step("emotion_ablation", "emotion").stamp,
    message:
        "Comparing the sources of emotion"
    shell:
        "microgesture --log {log:q} compare-emotion --settings {params.settings:q} --videos {input.videos:q}"
        " --csv {output.csv:q} --markdown {output.markdown:q} {input.predictions:q}"


if emotion.ground_truth:

    rule compare_emotion_on_test:
        input:
            videos="results/emotion/videos.csv",
            predictions=expand("results/emotion/{row}/test.csv", row=emotion.rows),
            # For a synthetic corpus, it is generated with the corpus and is not the output of a rule.
            ground_truth=(
                []
                if plan.config.corpora[emotion.corpus].demo
                else emotion.ground_truth
            ),
        output:
            csv="results/emotion/cross_subject.csv",
            markdown="results/emotion/cross_subject.md",
        log:
            "results/logs/emotion/cross_subject.log",
        params:
            settings=plan.step("emotion_cross_subject", "emotion").settings,
            stamp=plan.step("emotion_cross_subject", "emotion").stamp,
        message:
            "Comparing the sources of emotion on the test split"
        shell:
            "microgesture --log {log:q} compare-emotion --settings {params.settings:q} --videos {input.videos:q}"
            " --csv {output.csv:q} --markdown {output.markdown:q} {input.predictions:q}"


rule submit_emotion:
    input:
        videos="results/emotion/videos.csv",
        test=f"results/emotion/{emotion.submitted}/test.csv",
        sample=emotion.sample or [],
    output:
        "results/emotion/submission.csv",
    log:
        "results/logs/emotion/submission.log",
    params:
        settings=plan.step("emotion_submission", "emotion").settings,
        stamp=plan.step("emotion_submission", "emotion").stamp,
    message:
        "Writing the submission of emotions"
    shell:
        "microgesture --log {log:q} submit-emotion --settings {params.settings:q} --videos {input.videos:q}"
        " --predictions {input.test:q} --output {output:q}"
