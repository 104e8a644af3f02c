"""The report as one self-contained HTML page."""

from pathlib import Path

import numpy as np
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from ..config.report import ReportStep
from ..measures.people import caveat, count_people, describe_clips, people_in_words, person_of
from ..measures.warnings import corpus_warnings
from ..storage.files import write_text
from . import held_out, run
from .measured import Measured, measure_held_out
from .results import Results
from .section import MEASURES, Section

HERE = Path(__file__).parent
FIGURES = {"top 1": "accuracy (top 1)", "balanced": "balanced accuracy"}


def write_report(output: Path, step: ReportStep, results: Results) -> None:
    """Write the page; equal results give equal bytes."""
    write_text(output, render(step, results))


def render(step: ReportStep, results: Results) -> str:
    """The page as HTML without external resources; all text from results is escaped."""
    measured = measure_held_out(step, results)
    corpora = ", ".join(sorted(set(results.clips.table.corpus)))
    environment = Environment(
        loader=FileSystemLoader(HERE), autoescape=True, undefined=StrictUndefined, trim_blocks=True
    )
    return environment.get_template("page.html").render(
        title=f"Report of the ensemble {step.submitted} on {corpora}",
        style=Markup((HERE / "page.css").read_text(encoding="utf-8")),
        script=Markup((HERE / "page.js").read_text(encoding="utf-8")),
        what_ran=_what_ran(step, results),
        figures=_figures(measured),
        warnings=corpus_warnings(results.clips),
        told=_told(step, results, measured),
        submission=results.submission,
        submitted_clips=f"{results.submitted_clips:,}",
        sections=_sections(step, results, measured),
    )


def _sections(step: ReportStep, results: Results, measured: Measured) -> list[Section]:
    """The sections in the order of the page, without those for which the run has no results."""
    made = [
        held_out.streams(measured),
        held_out.fusion_weights(measured, results),
        run.ablation(measured, results),
        held_out.class_scores(measured, results),
        held_out.confusion(measured, results),
        held_out.calibration(measured),
        run.learning_curves(results),
        held_out.missed_clips(measured, results),
        held_out.people(measured),
        run.quarantine(results),
        run.keypoints(results),
        run.pseudo_labels(results),
        run.emotion(results),
        run.time_and_memory(results),
        run.versions_and_settings(results, step.configuration),
    ]
    return [section for section in made if section is not None]


def _what_ran(step: ReportStep, results: Results) -> str:
    table, streams = results.clips.table, ", ".join(step.streams)
    splits = ", ".join(f"{(table.split == split).sum():,} {split}" for split in ("train", "val", "test"))
    return (
        f"{len(step.streams)} {'stream' if len(step.streams) == 1 else 'streams'} ({streams}); {len(table):,} clips of "
        f"{people_in_words(count_people(person_of(table)))} ({splits}). Labelled clips cover "
        f"{table.label.dropna().nunique()} of {len(results.clips.classes)} classes."
    )


def _figures(measured: Measured) -> list[tuple[str, str, str, str]]:
    """The ensemble's measures: name, explanation, value, and interval, which may be empty."""
    figures = []
    for line in measured.table.tail(1).to_dict("records"):
        for column in MEASURES:
            low, high = line[f"{column.name}_low"], line[f"{column.name}_high"]
            interval = "" if np.isnan(low) else f"{low:.1%} to {high:.1%}"
            name = FIGURES.get(column.title, column.title)
            figures.append((name, column.hint, f"{line[column.name]:.1%}", interval))
    return figures


def _told(step: ReportStep, results: Results, measured: Measured) -> list[str]:
    """The clips on which the ensemble was measured, and how far the result applies to other people."""
    said = _told_of_test(step, results)
    if step.measured != step.submitted:
        said.append(
            f"The streams of {step.submitted} were also trained on the validation clips. This page shows "
            f"{step.measured} instead; {step.submitted} uses its temperatures and weights."
        )
    if measured.table.empty:
        return [*said, "There are no held-out clips with labels, so there is no accuracy."]
    people = count_people(measured.person_N)
    shown = f"{describe_clips(step.folds, people)}, {len(measured.labels_N):,} clips of {people_in_words(people)}."
    said.append(f"{shown} {caveat(step.folds, people)}")
    if sum(people.values()) > 1:
        said.append(f"The ranges are 95% bootstrap intervals over the {people_in_words(people)} (1000 resamples).")
        if (measured.fused_NK.argmax(1) == measured.labels_N).all():
            said.append("Every clip is predicted correctly, so the ranges do not show how much other clips may differ.")
    return said


def _told_of_test(step: ReportStep, results: Results) -> list[str]:
    """The accuracy of the ensemble on the test clips; empty if there is no ground truth."""
    if results.cross_subject is None:
        return []
    rows = results.cross_subject[results.cross_subject.name == step.submitted].to_dict("records")
    return [
        f"Top-1 accuracy on {row['clips']:,} test clips, whose labels were not used in training: {row['accuracy']:.1%}"
        + ("." if np.isnan(row["accuracy_low"]) else f" ({row['accuracy_low']:.1%} to {row['accuracy_high']:.1%}).")
        + (" Some of their people are also in train or val." if row["people_in_training"] else "")
        for row in rows
    ]
