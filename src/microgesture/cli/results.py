"""Subcommands that fuse, compare and submit the predictions of the networks."""

from pathlib import Path
from typing import Annotated

import typer

from ..config.base import checked, parse_step
from ..config.ensembles import EnsembleStep, PseudoLabelStep, Submission, SubmissionStep
from ..config.measures import AblationStep, CrossSubjectStep, GroundTruth
from ..config.report import ReportStep
from ..config.whole import schema_json
from ..errors import InputError
from .options import File, Files, OptionalFile, Output, SettingsText, say, stage
from .upkeep import ConfigFile, Study, configuration_of, results_of


@stage("ensemble", EnsembleStep)
def ensemble(
    settings: SettingsText,
    name: Annotated[str, typer.Option()],
    clips: File,
    scores: Files,
    fusion: Output,
    summary: Output,
    held_out: Output,
    val_output: Output,
    test_output: Output,
    calibration_from: OptionalFile = None,
) -> None:
    """Fit temperatures and weights, and fuse the streams.

    The scores of a stream are the files <stream>/val.parquet, test.parquet and, with folds, fold0.parquet and so on.
    """
    import numpy as np

    from ..ensembles.ensemble import run_ensemble
    from ..ensembles.fusion import Fitting
    from ..storage.clips import read_clips

    step = parse_step(EnsembleStep, settings)
    found = {(path.parent.name, path.stem): path for path in scores}
    files = {stream: {split: found[stream, split] for split in ("val", "test")} for stream in step.streams}
    folds = {stream: [found[stream, f"fold{fold}"] for fold in range(step.folds)] for stream in step.streams}
    outputs = {"val": val_output, "test": test_output}
    given = isinstance(step.weights, dict)
    weights = np.array([step.weights[stream] for stream in step.streams]) if given else step.weights
    how = Fitting(weights, step.calibrate, step.recalibrated, step.pool)
    options = step.stacking, calibration_from, step.learns_from_val
    run_ensemble(name, read_clips(clips), files, folds, outputs, held_out, fusion, summary, how, *options)


@stage("pseudo-labels", PseudoLabelStep)
def pseudo_labels(
    settings: SettingsText,
    clips: File,
    predictions: File,
    fusion: File,
    scores: Files,
    output: Output,
    counts: Output,
) -> None:
    """Write pseudo-labels for the test clips that an ensemble predicts with confidence.

    The scores of its streams are the files <stream>/test.parquet.
    """
    from ..ensembles.pseudo_labels import make_pseudo_labels
    from ..storage.clips import read_clips

    step = parse_step(PseudoLabelStep, settings)
    found = {path.parent.name: path for path in scores}
    by_stream = {stream: found[stream] for stream in step.streams}
    rule = step.threshold, step.quota, step.agreement
    make_pseudo_labels(read_clips(clips), predictions, by_stream, output, *rule, fusion, counts)


@stage("ablation", AblationStep)
def ablation(settings: SettingsText, clips: File, predictions: Files, csv: Output, markdown: Output) -> None:
    """Compare streams and ensembles on the same clips, with intervals over subjects.

    The files are <stream>/fold0.parquet and so on, or <stream>/val.parquet, and <ensemble>/held_out.parquet.
    """
    from ..measures.ablation import run_ablation
    from ..storage.clips import read_clips

    step = parse_step(AblationStep, settings)
    files = {row.name: [path for path in predictions if path.parent.name == row.name] for row in step.rows}
    rows = {row.name: row.versus for row in step.rows}
    run_ablation(read_clips(clips), rows, files, step.folds, csv, markdown, step.left_out, step.groups)


@stage("cross-subject", CrossSubjectStep)
def cross_subject(settings: SettingsText, clips: File, predictions: Files, csv: Output, markdown: Output) -> None:
    """Compare streams and ensembles on the test split, over all subjects and for each subject.

    The files are <stream>/test.parquet and <ensemble>/test.parquet.
    """
    from ..measures.cross_subject import run_cross_subject
    from ..storage.clips import read_clips

    step = parse_step(CrossSubjectStep, settings)
    files = {path.parent.name: path for path in predictions}
    rows = {row.name: row.versus for row in step.rows}
    ground_truth = Path(step.file), step.id_column, step.label_column
    run_cross_subject(read_clips(clips), rows, files, *ground_truth, csv, markdown, step.groups)


@stage("submission", SubmissionStep)
def submission(
    settings: SettingsText,
    clips: File,
    predictions: File,
    output: Output,
    ranked: Annotated[Path | None, typer.Option(help="CSV of ranked predictions; its zip is written beside it")] = None,
) -> None:
    """Write the submission file: every test clip once, in order."""
    from ..ensembles.submission import write_ranked, write_submission
    from ..storage.clips import read_clips

    step, table = parse_step(SubmissionStep, settings), read_clips(clips)
    write_submission(predictions, table, output, Path(step.sample) if step.sample else None)
    if ranked:
        write_ranked(predictions, table, step.groups, ranked)


@stage("quarantine")
def quarantine(
    files: Files,
    output: Output,
    keypoints: Annotated[Path | None, typer.Option(help="table of clips with several people or filled gaps")] = None,
) -> None:
    """List all clips that a stage could not use. The files are clips tables and shards."""
    from ..storage.quarantine import list_keypoints, list_quarantine

    list_quarantine(files, output)
    if keypoints is not None:
        list_keypoints(files, keypoints)


@stage("summary")
def summary(
    summary: File,
    fusion: File,
    submission: File,
    quarantine: File,
    cards: Annotated[
        list[Path] | None, typer.Argument(exists=True, help="cards of streams, also of those outside the ensemble")
    ] = None,
    emotion_card: Annotated[Path | None, typer.Option(exists=True, help="card of the emotion network")] = None,
    emotion_submission: Annotated[
        Path | None, typer.Option(exists=True, help="its predictions for test videos")
    ] = None,
    report: Annotated[Path | None, typer.Option(exists=True, help="path of the report, to print")] = None,
    clips: OptionalFile = None,
    ablation: OptionalFile = None,
    on_test: OptionalFile = None,
) -> None:
    """Print the tables of streams and ensemble."""
    from ..workflow.summary import print_summary

    emotion = (emotion_card, emotion_submission) if emotion_card and emotion_submission else None
    print_summary(summary, fusion, submission, quarantine, cards or [], emotion, report, clips, ablation, on_test)


@stage("report", ReportStep)
def report(
    settings: SettingsText,
    clips: File,
    fusion: File,
    ablation: File,
    quarantine: File,
    submission: File,
    files: Files,
    output: Output,
    benchmarks: Annotated[Path | None, typer.Option(help="folder with Snakemake's benchmarks of jobs")] = None,
    cross_subject: OptionalFile = None,
    emotion: OptionalFile = None,
    emotion_on_test: OptionalFile = None,
    submitted_fusion: OptionalFile = None,
    keypoints: OptionalFile = None,
) -> None:
    """Write the report of a run as one HTML page, and a folder with its charts, its tables and a text to paste.

    The files are <stream>/fold0.parquet and so on, or <stream>/val.parquet; <stream>/test.parquet; <stream>/card.json;
    <ensemble>/pseudo_labels.csv and pseudo_label_counts.csv; and the shards of rgb if the page shows frames.
    """
    from ..report.page import write_report
    from ..report.results import read_results

    step = parse_step(ReportStep, settings)
    needed = clips, fusion, ablation, quarantine, submission, files
    folder = benchmarks if benchmarks and benchmarks.exists() else None
    others = cross_subject, emotion, emotion_on_test, submitted_fusion, keypoints
    write_report(output, step, read_results(step, *needed, folder, *others))


@stage("evaluate")
def evaluate(
    study: Study = Path(),
    submission: Annotated[
        Path | None, typer.Option(exists=True, dir_okay=False, help="by default submission.csv of the study")
    ] = None,
    ground_truth: Annotated[
        Path | None,
        typer.Option(exists=True, dir_okay=False, help="CSV with the true labels; by default that of config.yaml"),
    ] = None,
    id_column: Annotated[str | None, typer.Option(help="column with the ids; by default Id or clip_id")] = None,
    label_column: Annotated[
        str | None, typer.Option(help="column with the classes; by default Target or label")
    ] = None,
    by: Annotated[
        str | None, typer.Option(help="compare also for each value of this column, such as the subject")
    ] = None,
    configfile: ConfigFile = None,
) -> None:
    """Compare a submission with the ground truth, which no stage of the workflow uses for training.

    The people and the probabilities of the classes are read from the results beside the submission.
    """
    from ..measures.evaluate import evaluate as compare
    from ..measures.evaluate import known_people, submitted_clips
    from ..storage.scores import read_probabilities
    from ..workflow.read_plan import read_configuration

    file, results = configuration_of(study, configfile), results_of(study)
    settings = read_configuration(file) if file.exists() else {}
    if ground_truth is None:
        if (given := settings.get("ground_truth")) is None:
            trouble = "has no ground_truth" if file.exists() else "does not exist"
            raise InputError(f"{file} {trouble}; name the folder of a study, or a file of labels with --ground-truth")
        labels = checked(GroundTruth, given, f"ground_truth in {file}")
        ground_truth = results.parent / labels.file  # as in a run, its path starts at the folder of the study
        if not ground_truth.is_file():
            raise InputError(f"{ground_truth}: no such file; correct ground_truth in {file}")
        chosen = labels.model_dump(exclude_unset=True)
        id_column, label_column = id_column or chosen.get("id_column"), label_column or chosen.get("label_column")
    submission = submission or results / "submission.csv"
    if not submission.exists():
        raise InputError(f"{submission} does not exist yet; run the study first, or name a file with --submission")
    clips = submitted_clips(submission, sorted((submission.parent / "clips").glob("*.parquet")))
    probabilities = None
    if clips and (given := settings.get("submission")) is not None:
        ensemble = checked(Submission, given, f"submission in {file}").ensemble
        predictions = submission.parent / "ensembles" / ensemble / "test.parquet"
        probabilities = read_probabilities(predictions) if predictions.exists() else None
    found = compare(submission, ground_truth, id_column, label_column, by, clips, probabilities)
    say(found.to_string(index=False))
    say(
        "The 95 % interval of the accuracy is from accuracy_low to accuracy_high; chance is guessing among the "
        "classes of these clips."
    )
    if known := known_people(submission, clips):
        say(known)


@stage("schema")
def schema() -> None:
    """Print the JSON schema of the configuration."""
    typer.echo(schema_json(), nl=False)
