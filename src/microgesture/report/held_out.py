"""The sections of a report about predictions on held-out clips."""

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
    """The measures of each stream and of the ensemble, with bootstrap intervals over people."""
    ours = "Streams and ensemble"
    if measured.table.empty:
        return Section("streams", ours, [NOTHING])
    columns = [Column("name", "stream"), *MEASURES]
    last = measured.table.name == measured.ensemble
    said = [
        "A stream is a network with one kind of input. The ensemble is the weighted mean of the streams' calibrated "
        "probabilities. Balanced accuracy and macro F1 give each class the same weight, however rare it is.",
        "In brackets: 95% bootstrap intervals over people (1000 resamples).",
    ]
    chance = np.bincount(measured.labels_N).max() / len(measured.labels_N)
    drawing = interval_chart(measured.table, "accuracy", chance)
    chart = Chart(f"Top-1 accuracy with intervals. Dotted: always the most frequent class, {chance:.3f}", [drawing])
    return Section("streams", ours, said, [("", make_table(measured.table, columns, last))], [chart])


def fusion_weights(measured: Measured, results: Results) -> Section:
    """The weights and temperatures of the fusion, and the contribution of each stream."""
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
        Column("temperature", "temperature", SCORE, "divides the logits; above 1: overconfident stream"),
    ]
    if measured.table.empty:
        return Section("weights", title, [NOTHING], [("", make_table(table, columns))])
    whole = (measured.fused_NK.argmax(1) == measured.labels_N).mean()
    table = table.assign(without=measured.without_S, gain=whole - measured.without_S)
    columns += [
        Column("without", "ensemble without it", SCORE, "accuracy without the stream, other weights unchanged"),
        Column("gain", "contribution", GAIN, "accuracy of the ensemble minus that without the stream"),
    ]
    return Section(
        "weights", title, [f"The accuracy of the whole ensemble is {whole:.3f}."], [("", make_table(table, columns))]
    )


def class_scores(measured: Measured, results: Results) -> Section:
    """F1, precision and recall of each class beside its number of clips."""
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
        Column("precision", "precision", SCORE, "fraction of the clips predicted as the class that belong to it"),
        Column("recall", "recall", SCORE, "fraction of the class's clips that are predicted as the class"),
    ]
    said = [f"{len(table)} of {len(clips.classes)} classes occur. They are sorted by their number of training clips."]
    lacking = table.name[(table.train > 0) & (table.clips == 0)]
    if len(lacking):
        said.append(f"{len(lacking)} of them have no held-out clip, so their F1 and recall are unknown.")
    return Section("classes", "Results by class", said, [("", make_table(table, columns))])


def confusion(measured: Measured, results: Results) -> Section:
    """The confusion matrix, and the most frequent confusions."""
    title = "Confusion matrix"
    if measured.table.empty:
        return Section("confusion", title, [NOTHING])
    classes = results.clips.classes
    pairs = confused_pairs(measured.confusion_KK)
    shown = pairs.head(MOST_ROWS).assign(
        true=[classes[number] for number in pairs.true[:MOST_ROWS]],
        said=[classes[number] for number in pairs.said[:MOST_ROWS]],
    )
    columns = [
        Column("true", "true class"),
        Column("said", "predicted class"),
        Column("clips", "clips", COUNT),
        Column("share", "fraction of the true class", SHARE, bar=1),
    ]
    said = "Rows are true classes, columns are the ensemble's predictions. Correct predictions lie on the diagonal."
    if pairs.empty:
        said += " Every held-out clip is predicted correctly."
    tables = [("Most frequent confusions", make_table(shown, columns))] if len(shown) else []
    return Section("confusion", title, [said], tables, matrix=make_matrix(measured.confusion_KK, classes))


def calibration(measured: Measured) -> Section:
    """Confidence against accuracy of each stream, before and after calibration."""
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
        "Confidence of each stream against its accuracy. Dashed: uncalibrated. Solid: calibrated with the fitted "
        "temperature. The dashed line of the ensemble is the unweighted mean of the uncalibrated streams. Points below "
        "the diagonal are overconfident. Larger dots stand for more clips. The error is the expected calibration error."
    )
    return Section("calibration", title, [said], charts=charts)


def missed_clips(measured: Measured, results: Results) -> Section:
    """The clips that every stream predicts wrongly."""
    title = "Clips that every stream predicts wrongly"
    if measured.table.empty:
        return Section("missed", title, [NOTHING])
    places = missed_by_all(measured.labels_N, measured.calibrated_SNK)
    if not len(places):
        return Section("missed", title, [f"There are none among the {len(measured.labels_N):,} held-out clips."])
    said = [f"{len(places):,} of {len(measured.labels_N):,} held-out clips, most confident predictions first."]
    if len(places) > MOST_ROWS:
        said.append(f"The first {MOST_ROWS} are listed.")
    classes, shown = results.clips.classes, places[:MOST_ROWS]
    charts = _frames(measured, results, shown)
    if charts:
        said.append(f"The pictures show frames of {len(charts)} of these clips, in order from left to right.")
    frame = pd.DataFrame({"clip_id": measured.clip_ids[shown], "person": measured.person_N[shown]})
    frame["true"] = [classes[label] for label in measured.labels_N[shown]]
    frame["ensemble"] = [classes[label] for label in measured.fused_NK[shown].argmax(1)]
    frame["sure"] = measured.fused_NK[shown].max(1)
    columns = [Column("clip_id", "clip"), Column("person", "person"), Column("true", "true class")]
    columns += [Column("ensemble", "ensemble predicts"), Column("sure", "confidence", SHARE)]
    for number, stream in enumerate(measured.streams):
        frame[f"stream {stream}"] = [classes[label] for label in measured.plain_SNK[number][shown].argmax(1)]
        columns.append(Column(f"stream {stream}", stream))
    return Section("missed", title, said, [("", make_table(frame, columns))], charts)


def _frames(measured: Measured, results: Results, places: np.ndarray) -> list[Chart]:
    """Frames of the first clips of ``places``; empty if frames are not to be shown."""
    classes, clip_ids = results.clips.classes, measured.clip_ids[places]
    shard = results.clips.table.set_index("clip_id").shard
    pictures = strips(((clip_id, shard[clip_id]) for clip_id in clip_ids), results.rgb)
    charts = []
    for place, clip_id in zip(places, clip_ids, strict=True):
        if clip_id in pictures:
            true, said = classes[measured.labels_N[place]], classes[measured.fused_NK[place].argmax()]
            charts.append(Chart(f"{clip_id}: {true}, predicted {said}", [pictures[clip_id]]))
    return charts


def people(measured: Measured) -> Section:
    """The accuracy of the streams and of the ensemble on each person."""
    title = "Accuracy by person"
    if measured.table.empty:
        return Section("people", title, [NOTHING])
    table = by_person(measured.person_N, measured.labels_N, measured.said)
    columns = [Column("person", "person"), Column("clips", "clips", COUNT)]
    columns.append(Column(measured.ensemble, measured.ensemble, SCORE, bar=1))
    columns += [Column(stream, stream, SCORE) for stream in measured.streams]
    said = f"People are sorted by the accuracy of {measured.ensemble}, lowest first."
    return Section("people", title, [said], [("", make_table(table, columns))])
