"""The report as one self-contained HTML page, with its charts and tables as files in a folder beside it."""

from pathlib import Path

import numpy as np
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from ..config.report import ReportStep
from ..measures.learning import doubts_of_learning
from ..measures.people import caveat, count_people, people_in_words, person_of, shared_in_words
from ..measures.warnings import corpus_warnings
from ..storage.files import write_text
from ..terminal import counted
from . import held_out, run
from .files import address, write_files
from .measured import HELD_OUT, TEST, Measured, measure_all
from .methods import methods_text
from .results import Results
from .section import Part, Section, shown_measures

HERE = Path(__file__).parent
FIGURES = {"top 1": "accuracy (top 1)", "balanced": "balanced accuracy"}
SHOWN = ("accuracy", "top5", "macro_f1", "balanced_accuracy", "f1_mean")


def write_report(output: Path, step: ReportStep, results: Results) -> None:
    """Write the page, and its files into the folder of the same name; equal results give an equal page."""
    measured = measure_all(step, results)
    sections, methods = make_sections(step, results, measured), methods_text(step, results, measured)
    write_files(output.with_suffix(""), sections, methods)
    write_text(output, _page(step, results, measured, output.stem))


def render(step: ReportStep, results: Results, folder: str = "report") -> str:
    """The page as HTML without external resources; all text from results is escaped.

    ``folder`` is the name of the folder with the files to which charts and tables are linked.
    """
    return _page(step, results, measure_all(step, results), folder)


def _page(step: ReportStep, results: Results, measured: list[Measured], folder: str) -> str:
    corpora = ", ".join(sorted(set(results.clips.table.corpus)))
    environment = Environment(
        loader=FileSystemLoader(HERE), autoescape=True, undefined=StrictUndefined, trim_blocks=True
    )
    doubts = [doubt for card in results.cards.values() for doubt in doubts_of_learning(card)]
    return environment.get_template("page.html").render(
        title=f"Report of the ensemble {step.submitted} on {corpora}",
        style=Markup((HERE / "page.css").read_text(encoding="utf-8")),
        script=Markup((HERE / "page.js").read_text(encoding="utf-8")),
        what_ran=_what_ran(step, results),
        figures=_figures(measured),
        warnings=[*corpus_warnings(results.clips), *doubts],
        told=_told(step, results, measured),
        submission=results.submission,
        submitted_clips=counted(results.submitted_clips, "test clip"),
        sections=make_sections(step, results, measured),
        folder=folder,
        address=address,
        methods=methods_text(step, results, measured),
    )


def make_sections(step: ReportStep, results: Results, measured: list[Measured]) -> list[Section]:
    """The sections in the order of the page, without those for which the run has no results."""
    made = [
        held_out.streams(measured),
        held_out.fusion_weights(measured, step.streams, results),
        run.ablation(measured, results),
        held_out.class_scores(measured, results),
        held_out.confusion(measured, results),
        held_out.calibration(measured),
        run.learning_curves(results),
        held_out.missed_clips(measured, results, step.videos),
        held_out.people(measured),
        run.quarantine(results),
        run.keypoints(results),
        run.pseudo_labels(results),
        run.emotion(results),
        run.time_and_memory(results),
        Section("methods", "Methods and results", [Part()], []),
        run.versions_and_settings(results, step.configuration),
    ]
    return [section for section in made if section.parts]


def _what_ran(step: ReportStep, results: Results) -> str:
    table, streams = results.clips.table, ", ".join(step.streams)
    splits = ", ".join(f"{(table.split == split).sum():,} {split}" for split in ("train", "val", "test"))
    return (
        f"{counted(len(step.streams), 'stream')} ({streams}); {counted(len(table), 'clip')} of "
        f"{people_in_words(count_people(person_of(table)))} ({splits}). Labelled clips cover "
        f"{table.label.dropna().nunique()} of {len(results.clips.classes)} classes."
    )


def _figures(measured: list[Measured]) -> list[tuple[str, str, str, str, list[str]]]:
    """The ensemble's measures on test clips, or else on held-out ones.

    Each has a name, an explanation, a value, an interval, which may be empty, and the values of trivial classifiers.
    """
    figures = []
    for each in measured[:1]:
        (line,) = each.table.tail(1).to_dict("records")
        for column in shown_measures(each.table):
            if column.name in SHOWN:
                low, high = line[f"{column.name}_low"], line[f"{column.name}_high"]
                interval = "" if np.isnan(low) else f"{low:.1%} to {high:.1%}"
                name = FIGURES.get(column.title, column.title)
                trivial = [
                    f"{row['name']} {row[column.name]:.1%}"
                    for row in each.baselines.to_dict("records")
                    if not np.isnan(row.get(column.name, np.nan))
                ]
                figures.append((name, column.hint, f"{line[column.name]:.1%}", interval, trivial))
    return figures


def _told(step: ReportStep, results: Results, measured: list[Measured]) -> list[str]:
    """The clips on which the ensemble was measured, and how far the result applies to other people."""
    texts = []
    if step.measured != step.submitted:
        texts.append(
            f"The streams of {step.submitted} were also trained on the validation clips. For held-out clips, this page "
            f"shows {step.measured} instead; {step.submitted} uses its temperatures and weights."
        )
    if not measured:
        return [*texts, "There are no held-out clips with labels, so there is no accuracy."]
    first, *others = measured
    texts.append(f"The figures above: {first.described}. {_applies(step, first)} {_intervals(first)}")
    for other in others:
        accuracy = other.table.accuracy.iloc[-1]
        texts.append(f"{other.described}: accuracy {accuracy:.1%}. {_applies(step, other)}")
    if all(each.kind != HELD_OUT for each in measured):
        texts.append("There are no held-out clips with labels in train or val.")
    return texts


def _applies(step: ReportStep, measured: Measured) -> str:
    """How far a result applies to other people."""
    if measured.kind != TEST:
        return caveat(step.folds, measured.people)
    shared = shared_in_words(measured.shared, sum(measured.people.values()))
    return f"Their labels were not used in training. {shared or 'None of these people is in train or val.'}"


def _intervals(measured: Measured) -> str:
    """The kind of the intervals, and what they do not show."""
    people = people_in_words(measured.people)
    if sum(measured.people.values()) == 1:
        return (
            f"The ranges are 95% binomial intervals (Wilson); all clips are of {people}, so they show the variation "
            "between clips, not between people."
        )
    text = f"The ranges are 95% bootstrap intervals over the {people} (1000 resamples)."
    if (measured.fused_NK.argmax(1) == measured.labels_N).all():
        text += " Every clip is predicted correctly, so the ranges do not show how much other clips may differ."
    return text
