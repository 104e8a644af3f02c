# REQUIRED INPUTS: results/ablation.csv, results/submission.csv, results/quarantine.csv, the scores and the fusion of the
# submitted ensemble, cards of streams; the tables of pseudo-labels, of the test split and of emotion; and with report.frames the shards of rgb.
# OUTPUTS: results/report.html.

from microgesture.workflow.report_stages import shown_ensemble

shown = shown_ensemble(plan.config)


localrules:
    write_report,


rule write_report:
    input:
        clips=ensemble_clips(shown),
        fusion=f"results/ensembles/{shown}/fusion.json",
        scores=expand(
            "results/scores/{stream}/{split}.parquet",
            stream=plan.config.ensembles[shown].streams,
            split=[f"fold{fold}" for fold in plan.folds] or ["val"],
        ),
        cards=expand("results/streams/{stream}/card.json", stream=plan.reported),
        labels=expand(
            "results/ensembles/{ensemble}/{table}.csv",
            table=["pseudo_labels", "pseudo_label_counts"],
            ensemble=sorted(
                {
                    labels
                    for stream in plan.reported
                    if (labels := plan.config.streams[stream].pseudo_labels)
                }
            ),
        ),
        rgb=shards("rgb", plan.framed) if plan.framed else [],
        ablation="results/ablation.csv",
        quarantine="results/quarantine.csv",
        keypoints="results/keypoints.csv",
        submission="results/submission.csv",
        cross_subject=(
            "results/cross_subject/ablation.csv" if plan.config.ground_truth else []
        ),
        emotion="results/emotion/ablation.csv" if plan.config.emotion else [],
        emotion_on_test=(
            "results/emotion/cross_subject.csv"
            if plan.config.emotion and plan.config.emotion.ground_truth
            else []
        ),
    output:
        "results/report.html",
    log:
        "results/logs/report.log",
    params:
        settings=plan.step("report", "report").settings,
        stamp=plan.step("report", "report").stamp,
        tables=lambda wildcards, input: [
            part
            for name in ("cross_subject", "emotion", "emotion_on_test")
            if input[name]
            for part in (f"--{name.replace('_', '-')}", input[name])
        ],
    message:
        "Writing the report"
    shell:
        "microgesture --log {log:q} report --settings {params.settings:q} --clips {input.clips:q}"
        " --fusion {input.fusion:q} --ablation {input.ablation:q} --quarantine {input.quarantine:q}"
        " --submission {input.submission:q} --keypoints {input.keypoints:q} --benchmarks results/benchmarks {params.tables:q} --output {output:q}"
        " {input.scores:q} {input.cards:q} {input.labels:q} {input.rgb:q}"
