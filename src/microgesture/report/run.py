"""The sections of a report about the run: ablation, training, quarantine, time and settings."""

import json
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pandas as pd

from ..measures.baselines import in_words
from ..terminal import counted
from .charts import learning_chart
from .measured import HELD_OUT, TEST, Measured
from .results import Results
from .section import COUNT, GAIN, MOST_ROWS, SCORE, SHARE, Chart, Part, Section, shown_measures
from .tables import Column, Table, make_table

# The columns of a training history in one chart; the first is dashed.
CURVES = {"loss": ("train_loss", "val_loss"), "accuracy": ("val_accuracy", "val_balanced_accuracy")}


def ablation(measured: Sequence[Measured], results: Results) -> Section:
    """The ablation tables of the held-out clips and, if there is ground truth, of the test clips.

    A table that would only repeat that of streams and ensemble is left out.
    """
    shown, parts = {each.kind: list(each.table.name) for each in measured}, []
    tables = ((TEST, "Test clips", results.cross_subject), (HELD_OUT, "Held-out clips", results.ablation))
    for kind, heading, table in tables:
        if table is None or not len(table) or (table.versus.isna().all() and list(table.name) == shown.get(kind)):
            continue
        heading += f" ({table.clips.iloc[0]:,}){_shared(table)}"
        texts = [in_words(table.chance.iloc[0], table.most_frequent.iloc[0])] if "chance" in table else []
        columns = [Column("name", "row"), *shown_measures(table)]
        parts.append(Part(kind, heading, texts, [("", "", compared(table, columns, "accuracy"))]))
    text = "The comparisons of the configuration. All rows of a table are measured on the same clips. "
    text += "Bold: the 95% interval of the difference in accuracy excludes 0."
    return Section("ablation", "Ablation", parts, [text])


def _shared(table: pd.DataFrame) -> str:
    """The part of a heading that says how many people of a table of test results are also in train or val."""
    shared = table.people_in_training.iloc[0] if "people_in_training" in table else 0
    return f"; people who are also in train or val: {shared:,}" if shared else ""


def compared(table: pd.DataFrame, columns: Sequence[Column], metric: str) -> Table:
    """The rows with their differences in ``metric``; rows whose interval excludes 0 are in bold."""
    if table.versus.isna().all():
        return make_table(table, columns)
    hint = f"{metric} minus that of the row that it is compared with"
    difference = Column("difference", "difference", GAIN, hint, interval=True)
    real = (table.difference_low > 0) | (table.difference_high < 0)
    return make_table(table, [*columns, Column("versus", "compared with"), difference], real)


def learning_curves(results: Results) -> Section:
    """Losses and accuracies of every training by epoch."""
    charts, lines, drawn = [], [], set()
    for name, card in results.cards.items():
        best, history = card["best_epoch"], card["history"]
        drawings = {}
        for unit, columns in CURVES.items():
            known = [column for column in columns if any(epoch.get(column) is not None for epoch in history)]
            drawn.update(known)
            if known:
                drawings[f"{name}_{unit}"] = learning_chart(name, history, best, known, unit)
        epochs = [epoch["epoch"] for epoch in history if epoch["train_loss"] is not None]
        span = f"{epochs[0]} to {epochs[-1]}"
        kept = f"epoch {best} of {span} is kept" if best in epochs else f"the state before epochs {span} is kept"
        charts.append(Chart(f"{name} (on {card['corpus']}): {kept}", drawings))
        lines.append({"stream": name, **{key: card[key] for key in ("corpus", "parameters")}, "epochs": len(epochs)})
    columns = [
        Column("stream", "stream"),
        Column("corpus", "corpus"),
        Column("parameters", "parameters", COUNT),
        Column("epochs", "epochs", COUNT),
    ]
    text = "Top: training loss (dashed) and validation loss (solid). " if "val_loss" in drawn else "Training loss. "
    if "val_accuracy" in drawn:
        text += "Bottom: accuracy (dashed) and balanced accuracy (solid) on the validation split. "
    text += "The dotted vertical line marks the epoch whose weights are kept."
    tables = [("trainings", "", make_table(pd.DataFrame(lines), columns))] if lines else []
    parts = [Part(tables=tables, charts=charts)] if lines else []
    return Section("learning", "Learning curves", parts, [text])


def quarantine(results: Results) -> Section:
    """The clips that could not be used, with the reasons."""
    table, title = results.quarantine, "Quarantined clips"
    if table.empty:
        return Section("quarantine", title, [])
    clips = table.clip_id.nunique()
    texts = [f"{counted(clips, 'clip')} could not be used in some stage. The run continued without."]
    if len(table) > MOST_ROWS:
        texts.append(f"The first {MOST_ROWS} are listed; results/quarantine.csv lists all.")
    by_stage = table.groupby(["corpus", "stage"]).size().rename("clips").reset_index()
    counts = [Column("corpus", "corpus"), Column("stage", "stage"), Column("clips", "clips", COUNT)]
    columns = [Column(name, name.replace("clip_id", "clip")) for name in ("corpus", "stage", "clip_id", "reason")]
    tables = [("stages", "By stage", make_table(by_stage, counts))]
    tables.append(("clips", "", make_table(table.head(MOST_ROWS), columns)))
    return Section("quarantine", title, [Part(tables=tables)], texts)


def keypoints(results: Results) -> Section:
    """How many clips have several people, how many choices were close, and what share of points was filled.

    It is empty if there is only one person in every clip, and gaps are not filled.
    """
    table, title = results.keypoints, "People and gaps"
    if table is None or not ((table.people > 1).any() or table.filled.notna().any()):
        return Section("keypoints", title, [])
    table = table.assign(several=table.people > 1, close=table.close.eq(True))
    by_corpus = table.groupby("corpus").agg(
        several=("several", "sum"), close=("close", "sum"), filled=("filled", "mean"), most=("filled", "max")
    )
    columns = [
        Column("corpus", "corpus"),
        Column("several", "clips with several people", COUNT),
        Column("close", "close choices", COUNT, "another person was nearly chosen"),
        Column(
            "filled", "points filled", SHARE, "share of points that were missing and interpolated; mean over the clips"
        ),
        Column("most", "most in a clip", SHARE),
    ]
    tables = [("corpora", "", make_table(by_corpus.reset_index(), columns))]
    if table.close.any():
        listed = [Column("corpus", "corpus"), Column("clip_id", "clip"), Column("people", "people", COUNT)]
        listed += [Column("person", "person that was chosen")]
        tables.append(("close", "Close choices", make_table(table[table.close].head(MOST_ROWS), listed)))
    text = "results/keypoints.csv lists all clips. A contact sheet (microgesture view) shows everybody in a clip."
    return Section("keypoints", title, [Part(tables=tables)], [text])


def pseudo_labels(results: Results) -> Section:
    """The pseudo-labels of test clips by ensemble."""
    classes, tables = results.clips.classes, []
    for ensemble, labels in (results.pseudo_labels or {}).items():
        found = labels.groupby("label").confidence.agg(["size", "mean"]).reset_index()
        found["label"] = [classes[label] for label in found.label]
        columns = [
            Column("label", "class"),
            Column("size", "test clips", COUNT, bar=found["size"].max()),
            Column("mean", "mean probability", SCORE),
        ]
        heading = f"{counted(len(labels), 'test clip')} labelled by {ensemble}"
        tables.append((ensemble, heading, make_table(found, columns)))
    for ensemble, counts in (results.pseudo_label_counts or {}).items():
        columns = [
            Column("temperatures", "temperatures"),
            Column("test_clips", "test clips", COUNT),
            Column("labelled", "labelled", COUNT),
            Column("mean_confidence", "mean probability", SCORE),
        ]
        heading = f"Test clips that {ensemble} labels with and without its calibration"
        tables.append((f"{ensemble}_counts", heading, make_table(counts, columns)))
    text = (
        "Test clips that an ensemble predicted with enough confidence to train other streams on. Their true labels are "
        "not used."
    )
    return Section("pseudo-labels", "Pseudo-labels", [Part(tables=tables)] if tables else [], [text])


def emotion(results: Results) -> Section:
    """Emotion recognition (win or lose) by source."""
    columns = [
        Column("row", "sources"),
        Column("balanced_accuracy", "balanced", SCORE, interval=True),
        Column("auc", "AUC", SCORE, "area under the receiver operating characteristic", interval=True),
        Column("accuracy", "accuracy", SCORE, interval=True),
    ]
    parts = []
    tables = ((TEST, "Test videos", results.emotion_on_test), (HELD_OUT, "Held-out videos", results.emotion))
    for kind, heading, table in tables:
        if table is not None and len(table):
            heading += f" ({table.videos.iloc[0]:,}){_shared(table)}"
            parts.append(Part(kind, heading, tables=[("", "", compared(table, columns, "balanced accuracy"))]))
    text = (
        "Predictions of whether the person in a video has won or lost, from the face, from a stream's features of the "
        "whole video (context), from its features of the gestures, and from combinations of these sources. Held-out "
        "videos were predicted by networks trained without their people. Bold: the 95% interval of the difference "
        "excludes 0. Guessing has a balanced accuracy of 0.5."
    )
    return Section("emotion", "Emotion", parts, [text])


def time_and_memory(results: Results) -> Section:
    """Time and peak memory by stage."""
    jobs = results.jobs
    columns = [
        Column("stage", "stage"),
        Column("of", "of"),
        Column("jobs", "jobs", COUNT),
        Column("seconds", "seconds", "{:,.1f}", "summed over jobs, which may have run in parallel"),
        Column("megabytes", "peak MB", COUNT, "memory of the largest job; empty if not measured"),
    ]
    found = jobs.groupby(["stage", "of"], sort=True)
    table = pd.DataFrame({"jobs": found.size(), "seconds": found.seconds.sum(), "megabytes": found.megabytes.max()})
    columns[3] = replace(columns[3], bar=table.seconds.max())
    text = f"All jobs together took {jobs.seconds.sum() / 60:,.1f} minutes."
    parts = [Part(tables=[("", "", make_table(table.reset_index(), columns))])] if len(table) else []
    return Section("time", "Time and memory", parts, [text])


def versions_and_settings(results: Results, configuration: dict[str, Any]) -> Section:
    """Versions of software and devices, and the settings of every stream and stage."""
    cards = results.cards
    ran: dict[tuple[str, str], list[str]] = {}
    for name, card in cards.items():
        versions = {"python": card["python"], **card["libraries"], "revision": card["git_revision"]}
        versions["device"] = f"{card['devices']} {card['device']}"
        for what, version in versions.items():
            ran.setdefault((what, version or "unknown"), []).append(name)
    shared = {found for found, names in ran.items() if len(names) == len(cards)}
    lines = [(*found, "all" if found in shared else ", ".join(names)) for found, names in ran.items()]
    columns = [Column("what", "what"), Column("version", "version"), Column("streams", "streams")]
    table = make_table(pd.DataFrame(lines, columns=[column.name for column in columns]), columns)
    keys = ("inputs", "network", "recipe", "init", "weights", "seed")
    listed = [(f"Stream {name}", _json({key: card.get(key) for key in keys})) for name, card in cards.items()]
    listed += [(key, _json(value)) for key, value in configuration.items()]
    return Section("settings", "Versions and settings", [Part(tables=[("versions", "", table)], listings=listed)])


def _json(value: Any) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False)
