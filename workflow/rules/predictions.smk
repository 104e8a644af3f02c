# REQUIRED INPUTS: the recordings in predictions.folder; and predictions.recogniser, or the inputs of this run's own recogniser:
# results/clips/<corpus>.parquet, results/ensembles/<ensemble>/{fusion.json,summary.csv,held_out.parquet}, results/streams/<stream>/.
# OUTPUTS: results/recogniser, the exported ensemble; results/predictions/<recording>.{csv,mp4,html}.

import re

from snakemake.logging import logger

from microgesture.recogniser.recordings import keypoints_beside
from microgesture.workflow.prediction_stages import recordings_to_predict

try:
    recordings, left_out = recordings_to_predict(plan.config.predictions)
except InputError as error:
    raise WorkflowError(visible(f"predictions.folder: {error}"))

if workflow.is_main_process:
    for message in left_out:
        logger.warning(visible(f"predictions.folder: {message}"))


def finding_options(wildcards):
    """The options for finding gestures."""
    finding = plan.config.predictions
    options = ["--fps", finding.fps, "--stillness", finding.stillness]
    for name in ("threshold", "join"):
        if (value := getattr(finding, name)) is not None:
            options += [f"--{name}", value]
    options += [] if finding.pictures else ["--no-pictures"]
    for name in ("overlap", "pose"):
        if (value := getattr(finding, name)) is not None:
            options += [f"--{name}" if value else f"--no-{name}"]
    return options


def timelines(wildcards):
    """A table for each recording."""
    return [f"results/predictions/{recording}.csv" for recording in recordings]


rule predictions:
    input:
        timelines,


if plan.config.predictions.recogniser is None:
    exported = plan.config.submission.ensemble

    rule export_recogniser:
        input:
            clips=ensemble_clips(exported),
            fusion=f"results/ensembles/{exported}/fusion.json",
            summary=f"results/ensembles/{exported}/summary.csv",
            held_out=f"results/ensembles/{exported}/held_out.parquet",
            models=expand(
                "results/streams/{stream}/model.safetensors",
                stream=plan.config.ensembles[exported].streams,
            ),
            cards=expand(
                "results/streams/{stream}/card.json",
                stream=plan.config.ensembles[exported].streams,
            ),
            encoders=[
                encoder_files(stream)[1]
                for stream in plan.config.ensembles[exported].streams
                if plan.config.streams[stream].network.sees_features
            ],
        output:
            directory("results/recogniser"),
        log:
            "results/logs/recogniser.log",
        params:
            settings=plan.step("recogniser", "recogniser").settings,
            stamp=plan.step("recogniser", "recogniser").stamp,
        message:
            "Exporting the ensemble"
        shell:
            "microgesture --log {log:q} recogniser --settings {params.settings:q} --clips {input.clips:q}"
            " --fusion {input.fusion:q} --summary {input.summary:q} --held-out {input.held_out:q}"
            " --encoders results/encoders --output {output:q} {input.models:q}"


rule find_gestures:
    input:
        recogniser=plan.config.predictions.recogniser or "results/recogniser",
        recording=lambda wildcards: str(recordings[wildcards.recording]),
        keypoints=lambda wildcards: [
            str(path) for path in keypoints_beside(recordings[wildcards.recording])[:1]
        ],
    output:
        "results/predictions/{recording}.csv",
    log:
        "results/logs/predictions/{recording}.log",
    benchmark:
        "results/benchmarks/predictions/{recording}.tsv"
    wildcard_constraints:
        recording="|".join(map(re.escape, recordings)),
    threads: lambda wildcards: claimed_threads(plan.config, workflow.resource_settings.cores)
    resources:
        gpu=gpus(),
        mem_mb=lambda wildcards, attempt: 8000 * attempt,
        runtime=lambda wildcards, attempt: 720 * attempt,
    params:
        options=finding_options,
        stamp=plan.step("gestures", "predictions").stamp,
    message:
        "Finding gestures in {wildcards.recording}"
    shell:
        "microgesture --log {log:q} predict-videos --output results/predictions {params.options:q}"
        " -- {input.recogniser:q} {input.recording:q}"
