# REQUIRED INPUTS: results/scores/<stream>/<split>.parquet of the ensemble's streams.
# OUTPUTS: results/ensembles/<ensemble>/{fusion.json,summary.csv,held_out.parquet,val.parquet,test.parquet,
# pseudo_labels.csv,pseudo_label_counts.csv};
# results/ablation.{csv,md}; results/cross_subject/ablation.{csv,md} where ground truth is given; results/submission.csv.


rule ensemble:
    input:
        expand(
            "results/ensembles/{ensemble}/fusion.json", ensemble=plan.config.ensembles
        ),


rule fuse_streams:
    input:
        clips=lambda wildcards: ensemble_clips(wildcards.ensemble),
        val=ensemble_scores("val"),
        test=ensemble_scores("test"),
        folds=ensemble_scores(*[f"fold{fold}" for fold in plan.folds]),
        calibration_from=ensemble_calibration,
    output:
        fusion="results/ensembles/{ensemble}/fusion.json",
        summary="results/ensembles/{ensemble}/summary.csv",
        held_out="results/ensembles/{ensemble}/held_out.parquet",
        val="results/ensembles/{ensemble}/val.parquet",
        test="results/ensembles/{ensemble}/test.parquet",
    log:
        "results/logs/ensembles/{ensemble}.log",
    benchmark:
        "results/benchmarks/ensemble/{ensemble}.tsv"
    params:
        settings=settings("ensemble", "ensemble"),
        stamp=stamp("ensemble", "ensemble"),
        calibration_from=lambda wildcards, input: (
            ["--calibration-from", input.calibration_from]
            if input.calibration_from
            else []
        ),
    message:
        "Calibrating and fusing the streams of {wildcards.ensemble}"
    shell:
        "microgesture --log {log:q} ensemble --settings {params.settings:q} --name {wildcards.ensemble:q}"
        " --clips {input.clips:q} --fusion {output.fusion:q} --summary {output.summary:q} --held-out {output.held_out:q}"
        " --val-output {output.val:q} --test-output {output.test:q} {params.calibration_from:q} {input.val:q} {input.test:q} {input.folds:q}"


rule label_clips:
    input:
        clips=lambda wildcards: ensemble_clips(wildcards.ensemble),
        predictions="results/ensembles/{ensemble}/test.parquet",
        fusion="results/ensembles/{ensemble}/fusion.json",
        scores=ensemble_scores("test"),
    output:
        labels="results/ensembles/{ensemble}/pseudo_labels.csv",
        counts="results/ensembles/{ensemble}/pseudo_label_counts.csv",
    log:
        "results/logs/ensembles/{ensemble}_pseudo_labels.log",
    params:
        settings=settings("pseudo_labels", "ensemble"),
        stamp=stamp("pseudo_labels", "ensemble"),
    message:
        "Writing pseudo-labels of {wildcards.ensemble} for test clips"
    shell:
        "microgesture --log {log:q} pseudo-labels --settings {params.settings:q} --clips {input.clips:q}"
        " --predictions {input.predictions:q} --fusion {input.fusion:q} --output {output.labels:q}"
        " --counts {output.counts:q} {input.scores:q}"


rule compare_rows:
    input:
        clips=f"results/clips/{plan.corpus_of(plan.ablation[0].name)}.parquet",
        predictions=ablation_rows(),
    output:
        csv="results/ablation.csv",
        markdown="results/ablation.md",
    log:
        "results/logs/ablation.log",
    params:
        settings=plan.step("ablation", "ablation").settings,
        stamp=plan.step("ablation", "ablation").stamp,
    message:
        "Comparing streams and ensembles"
    shell:
        "microgesture --log {log:q} ablation --settings {params.settings:q} --clips {input.clips:q} --csv {output.csv:q}"
        " --markdown {output.markdown:q} {input.predictions:q}"


if plan.config.ground_truth:

    rule compare_on_test:
        input:
            clips=f"results/clips/{plan.corpus_of(plan.ablation[0].name)}.parquet",
            predictions=test_rows(),
            ground_truth=plan.config.ground_truth.file,
        output:
            csv="results/cross_subject/ablation.csv",
            markdown="results/cross_subject/ablation.md",
        log:
            "results/logs/cross_subject.log",
        params:
            settings=plan.step("cross_subject", "cross_subject").settings,
            stamp=plan.step("cross_subject", "cross_subject").stamp,
        message:
            "Comparing streams and ensembles on the test split"
        shell:
            "microgesture --log {log:q} cross-subject --settings {params.settings:q} --clips {input.clips:q}"
            " --csv {output.csv:q} --markdown {output.markdown:q} {input.predictions:q}"


rule write_submission:
    input:
        clips=ensemble_clips(plan.config.submission.ensemble),
        test=f"results/ensembles/{plan.config.submission.ensemble}/test.parquet",
        quarantine="results/quarantine.csv",
        sample=plan.config.submission.sample or [],
    output:
        "results/submission.csv",
    log:
        "results/logs/submission.log",
    params:
        settings=plan.step("submission", plan.config.submission.ensemble).settings,
        stamp=plan.step("submission", plan.config.submission.ensemble).stamp,
    message:
        "Writing the submission"
    shell:
        "microgesture --log {log:q} submission --settings {params.settings:q} --clips {input.clips:q}"
        " --predictions {input.test:q} --output {output:q}"
