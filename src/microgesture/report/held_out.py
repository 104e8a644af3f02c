"""The sections of a report about what streams and ensemble say of held-out clips."""

import numpy as np
import pandas as pd

from ..measures.metrics import expected_calibration_error
from ..storage.clips import class_counts
from .charts import interval_chart, reliability_chart
from .frames import strips
from .matrix import make_matrix
from .measured import Measured
from .measures import by_person, class_table, confused_pairs, missed_by_all, reliability
from .results import Results
from .section import COUNT, GAIN, MEASURES, MOST_ROWS, NOTHING, SCORE, SHARE, Chart, Section
from .tables import Column, make_table


def streams(measured: Measured) -> Section:
    """How good each stream and the ensemble is, with intervals over people."""
    ours = "Streams and ensemble"
    if measured.table.empty:
        return Section("streams", ours, [NOTHING])
    columns = [Column("name", "stream"), *MEASURES]
    last = measured.table.name == measured.ensemble
    said = [
        "A stream is a network that sees one view of a clip. The ensemble is the weighted mean of what streams say. "
        "Balanced accuracy and macro F1 count each class alike, however rare it is.",
        "In brackets: the middle 95 % of 1000 draws of the people, with replacement.",
    ]
    chance = np.bincount(measured.labels_N).max() / len(measured.labels_N)
    drawing = interval_chart(measured.table, "accuracy", chance)
    chart = Chart(f"top 1 with its interval; dotted: always the most frequent class, {chance:.3f}", [drawing])
    return Section("streams", ours, said, [("", make_table(measured.table, columns, last))], [chart])


def fusion_weights(measured: Measured, results: Results) -> Section:
    """The weights and temperatures of the fusion, and what each stream adds."""
    fusion, title = results.fusion, "Fusion weights"
    table = pd.DataFrame(
        {
            "stream": measured.streams,
            "weight": [fusion.get("weights", {}).get(stream, np.nan) for stream in measured.streams],
            "temperature": [fusion["temperatures"][stream] for stream in measured.streams],
        }
    )
    columns = [
        Column("stream", "stream"),
        Column("weight", "weight", SCORE, bar=table.weight.max()),
        Column("temperature", "temperature", SCORE, "its logits are divided by it; above 1 it was too sure"),
    ]
    if measured.table.empty:
        return Section("weights", title, [NOTHING], [("", make_table(table, columns))])
    whole = (measured.fused_NK.argmax(1) == measured.labels_N).mean()
    table = table.assign(without=measured.without_S, gain=whole - measured.without_S)
    columns += [
        Column("without", "ensemble without it", SCORE, "accuracy when it is left out and the other weights are kept"),
        Column("gain", "what it adds", GAIN, "accuracy of the whole ensemble less that without it"),
    ]
    return Section(
        "weights", title, [f"The whole ensemble's accuracy is {whole:.3f}."], [("", make_table(table, columns))]
    )


def class_scores(measured: Measured, results: Results) -> Section:
    """F1 of each class beside the number of its clips: the long tail."""
    clips = results.clips
    train = clips.usable[(clips.usable.split == "train") & clips.usable.label.notna()]
    counts = class_counts(train.label, len(clips.classes))
    table = class_table(measured.confusion_KK, clips.classes, counts)
    columns = [
        Column("number", "no.", "{:.0f}"),
        Column("name", "class"),
        Column("train", "training clips", COUNT, bar=table.train.max()),
        Column("clips", "held-out clips", COUNT, bar=table.clips.max()),
        Column("f1", "F1", SCORE, "harmonic mean of precision and recall", bar=1),
        Column("precision", "precision", SCORE, "of the clips that are said to be of the class, how many are"),
        Column("recall", "recall", SCORE, "of the class's clips, how many are found"),
    ]
    said = [f"{len(table)} of {len(clips.classes)} classes occur, the most frequent in training first."]
    lacking = table.name[(table.train > 0) & (table.clips == 0)]
    if len(lacking):
        said.append(f"{len(lacking)} of them have no held-out clip, so nobody knows how well they are told.")
    return Section("classes", "Classes and how many clips they have", said, [("", make_table(table, columns))])


def confusion(measured: Measured, results: Results) -> Section:
    """Which class is taken for which."""
    title = "Which class is taken for which"
    if measured.table.empty:
        return Section("confusion", title, [NOTHING])
    classes = results.clips.classes
    pairs = confused_pairs(measured.confusion_KK)
    shown = pairs.head(MOST_ROWS).assign(
        true=[classes[number] for number in pairs.true[:MOST_ROWS]],
        said=[classes[number] for number in pairs.said[:MOST_ROWS]],
    )
    columns = [
        Column("true", "class"),
        Column("said", "taken for"),
        Column("clips", "clips", COUNT),
        Column("share", "share of the class", SHARE, bar=1),
    ]
    said = "A row for each class, a column for what the ensemble says; what is right lies on the diagonal."
    if pairs.empty:
        said += " No held-out clip is taken for another class than its own."
    tables = [("The most frequent mistakes", make_table(shown, columns))] if len(shown) else []
    return Section("confusion", title, [said], tables, matrix=make_matrix(measured.confusion_KK, classes))


def calibration(measured: Measured) -> Section:
    """How sure each stream is and how often it is right, before and after calibration."""
    title = "Calibration"
    if measured.table.empty:
        return Section("calibration", title, [NOTHING])
    before = [*measured.plain_SNK, measured.plain_SNK.mean(0)]
    after = [*measured.calibrated_SNK, measured.fused_NK]
    charts = []
    for name, plain_NK, said_NK in zip([*measured.streams, measured.ensemble], before, after, strict=True):
        errors = [expected_calibration_error(said, measured.labels_N) for said in (plain_NK, said_NK)]
        drawing = reliability_chart(name, *(reliability(said, measured.labels_N) for said in (plain_NK, said_NK)))
        charts.append(Chart(f"{name}: error {errors[0]:.3f}, calibrated {errors[1]:.3f}", [drawing]))
    said = (
        "How sure a stream was (promised) against how often it was right (kept): dashed as it is, solid after its "
        "temperature was fitted; the ensemble dashed as the plain mean of streams that are not calibrated. Below the "
        "diagonal it is too sure. Large dots stand for many clips; the error is the expected calibration error."
    )
    return Section("calibration", title, [said], charts=charts)


def missed_clips(measured: Measured, results: Results) -> Section:
    """The clips that every stream gets wrong."""
    title = "Clips that every stream gets wrong"
    if measured.table.empty:
        return Section("missed", title, [NOTHING])
    places = missed_by_all(measured.labels_N, measured.calibrated_SNK)
    if not len(places):
        return Section("missed", title, [f"There is none among the {len(measured.labels_N):,} held-out clips."])
    said = [f"{len(places):,} of {len(measured.labels_N):,} clips; those first of which the streams were surest."]
    if len(places) > MOST_ROWS:
        said.append(f"The first {MOST_ROWS} are listed.")
    classes, shown = results.clips.classes, places[:MOST_ROWS]
    charts = _frames(measured, results, shown)
    if charts:
        said.append(f"Frames of {len(charts)} of them, from the left to the right.")
    frame = pd.DataFrame({"clip_id": measured.clip_ids[shown], "person": measured.person_N[shown]})
    frame["true"] = [classes[label] for label in measured.labels_N[shown]]
    frame["ensemble"] = [classes[label] for label in measured.fused_NK[shown].argmax(1)]
    frame["sure"] = measured.fused_NK[shown].max(1)
    columns = [Column("clip_id", "clip"), Column("person", "person"), Column("true", "class")]
    columns += [Column("ensemble", "ensemble says"), Column("sure", "sure of it", SHARE)]
    for number, stream in enumerate(measured.streams):
        frame[f"stream {stream}"] = [classes[label] for label in measured.plain_SNK[number][shown].argmax(1)]
        columns.append(Column(f"stream {stream}", stream))
    return Section("missed", title, said, [("", make_table(frame, columns))], charts)


def _frames(measured: Measured, results: Results, places: np.ndarray) -> list[Chart]:
    """Frames of the first clips of ``places``, if any may be shown."""
    classes, clip_ids = results.clips.classes, measured.clip_ids[places]
    shard = results.clips.table.set_index("clip_id").shard
    pictures = strips(((clip_id, shard[clip_id]) for clip_id in clip_ids), results.rgb)
    charts = []
    for place, clip_id in zip(places, clip_ids, strict=True):
        if clip_id in pictures:
            true, said = classes[measured.labels_N[place]], classes[measured.fused_NK[place].argmax()]
            charts.append(Chart(f"{clip_id}: {true}; the ensemble says {said}", [pictures[clip_id]]))
    return charts


def people(measured: Measured) -> Section:
    """How good streams and ensemble are on each person."""
    title = "Accuracy by person"
    if measured.table.empty:
        return Section("people", title, [NOTHING])
    table = by_person(measured.person_N, measured.labels_N, measured.said)
    columns = [Column("person", "person"), Column("clips", "clips", COUNT)]
    columns.append(Column(measured.ensemble, measured.ensemble, SCORE, bar=1))
    columns += [Column(stream, stream, SCORE) for stream in measured.streams]
    return Section("people", title, ["The hardest first."], [("", make_table(table, columns))])
