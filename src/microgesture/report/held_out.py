"""The sections of a report about predictions on labelled clips; each has a part for each kind of them."""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from ..measures.metrics import expected_calibration_error
from ..storage.clips import Clips, class_counts
from ..terminal import counted
from .charts import interval_chart, reliability_chart
from .frames import strips
from .matrix import make_matrix
from .measured import HELD_OUT, Measured
from .measures import by_person, class_table, confused_pairs, missed_by_all, reliability
from .results import Results
from .section import COUNT, GAIN, MOST_ROWS, SCORE, SHARE, Chart, Part, Section, shown_measures
from .tables import Column, make_table


def streams(measured: Sequence[Measured]) -> Section:
    """The measures of each stream and of the ensemble beside those of trivial classifiers, with intervals."""
    texts = [
        "A stream is a network with one kind of input. The ensemble is the weighted mean of the streams' calibrated "
        "probabilities. Balanced accuracy and macro F1 give each class the same weight, however rare it is. In "
        "brackets: 95% intervals."
    ]
    if any("f1_mean" in each.table for each in measured):
        texts.append("The probability of a group of classes is the sum of the probabilities of its classes.")
    return Section("streams", "Streams and ensemble", [_streams(each) for each in measured], texts)


def _streams(measured: Measured) -> Part:
    columns = [Column("name", "stream"), *shown_measures(measured.table)]
    table = pd.concat([measured.table, measured.baselines], ignore_index=True)
    chance, most_frequent = measured.baselines.accuracy
    drawing = interval_chart(measured.table, "accuracy", most_frequent)
    chart = Chart(
        f"Top-1 accuracy with intervals. Dotted: always the most frequent class, {most_frequent:.3f}. Guessing a "
        f"class: {chance:.3f}.",
        {"accuracy": drawing},
    )
    marked = table.name == measured.ensemble
    return Part(measured.kind, measured.described, [], [("", "", make_table(table, columns, marked))], [chart])


def fusion_weights(measured: Sequence[Measured], step_streams: Sequence[str], results: Results) -> Section:
    """The weights and temperatures of the fusion, and the contribution of each stream."""
    fusion, parts = results.fusion, []
    table = pd.DataFrame(
        {
            "stream": step_streams,
            "weight": [fusion.get("weights", {}).get(stream, np.nan) for stream in step_streams],
            "temperature": [fusion["temperatures"][stream] for stream in step_streams],
        }
    )
    columns = [
        Column("stream", "stream"),
        Column("weight", "weight", SCORE, bar=table.weight.max()),
        Column("temperature", "temperature", SCORE, "divides the logits; above 1: overconfident stream"),
    ]
    contributions = [
        Column("without", "ensemble without it", SCORE, "accuracy without the stream, other weights unchanged"),
        Column("gain", "contribution", GAIN, "accuracy of the ensemble minus that without the stream"),
    ]
    for each in measured:
        whole = (each.fused_NK.argmax(1) == each.labels_N).mean()
        own = pd.DataFrame({"stream": each.streams, "without": each.without_S, "gain": whole - each.without_S})
        # Streams that were also trained on val have the weights of others, in their order.
        own = own.assign(weight=table.weight.to_numpy(), temperature=table.temperature.to_numpy())
        text = f"The accuracy of the whole ensemble is {whole:.3f}. {each.trivial}"
        tables = [("", "", make_table(own, [*columns, *contributions]))]
        parts.append(Part(each.kind, each.described, [text], tables))
    return Section("weights", "Fusion weights", parts or [Part(tables=[("", "", make_table(table, columns))])])


def class_scores(measured: Sequence[Measured], results: Results) -> Section:
    """F1, precision and recall of each class beside its number of clips."""
    clips = results.clips
    train = clips.usable[(clips.usable.split == "train") & clips.usable.label.notna()]
    counts = class_counts(train.label, len(clips.classes))
    text = "The classes that occur, sorted by their number of training clips."
    return Section("classes", "Results by class", [_class_scores(each, clips, counts) for each in measured], [text])


def _class_scores(measured: Measured, clips: Clips, counts: Sequence[int]) -> Part:
    table = class_table(measured.confusion_KK, clips.classes, counts)
    shown = "test clips" if measured.kind != HELD_OUT else "held-out clips"
    columns = [
        Column("number", "no.", "{:.0f}"),
        Column("name", "class"),
        Column("train", "training clips", COUNT, bar=table.train.max()),
        Column("clips", shown, COUNT, bar=table.clips.max()),
        Column("f1", "F1", SCORE, "harmonic mean of precision and recall", bar=1),
        Column("precision", "precision", SCORE, "fraction of the clips predicted as the class that belong to it"),
        Column("recall", "recall", SCORE, "fraction of the class's clips that are predicted as the class"),
    ]
    texts = [f"{len(table)} of {len(clips.classes)} classes occur."]
    lacking = table.name[(table.train > 0) & (table.clips == 0)]
    if len(lacking):
        texts.append(f"{len(lacking)} of them have none of these clips, so their F1 and recall are unknown.")
    return Part(measured.kind, measured.described, texts, [("", "", make_table(table, columns))])


def confusion(measured: Sequence[Measured], results: Results) -> Section:
    """The confusion matrices, and the most frequent confusions."""
    text = "Rows are true classes, columns are the ensemble's predictions. Correct predictions lie on the diagonal."
    parts = [_confusion(each, results.clips.classes) for each in measured]
    return Section("confusion", "Confusion matrix", parts, [text])


def _confusion(measured: Measured, classes: Sequence[str]) -> Part:
    pairs = confused_pairs(measured.confusion_KK)
    shown = pairs.head(MOST_ROWS).assign(
        true=[classes[number] for number in pairs.true[:MOST_ROWS]],
        predicted=[classes[number] for number in pairs.predicted[:MOST_ROWS]],
    )
    columns = [
        Column("true", "true class"),
        Column("predicted", "predicted class"),
        Column("clips", "clips", COUNT),
        Column("share", "fraction of the true class", SHARE, bar=1),
    ]
    texts = [] if len(pairs) else ["Every clip is predicted correctly."]
    tables = [("pairs", "Most frequent confusions", make_table(shown, columns))] if len(shown) else []
    matrix = make_matrix(measured.confusion_KK, classes)
    return Part(measured.kind, measured.described, texts, tables, matrix=matrix)


def calibration(measured: Sequence[Measured]) -> Section:
    """Confidence against accuracy of each stream, before and after calibration."""
    text = (
        "Confidence of each stream against its accuracy. Dashed: uncalibrated. Solid: calibrated with the fitted "
        "temperature. The dashed line of the ensemble is the unweighted mean of the uncalibrated streams. Points below "
        "the diagonal are overconfident. Larger dots stand for more clips. The error is the expected calibration error."
    )
    return Section("calibration", "Calibration", [_calibration(each) for each in measured], [text])


def _calibration(measured: Measured) -> Part:
    before = [*measured.plain_SNK, measured.plain_SNK.mean(0)]
    after = [*measured.calibrated_SNK, measured.fused_NK]
    charts = []
    for name, plain_NK, calibrated_NK in zip([*measured.streams, measured.ensemble], before, after, strict=True):
        both = plain_NK, calibrated_NK
        errors = [expected_calibration_error(each_NK, measured.labels_N) for each_NK in both]
        drawing = reliability_chart(name, *(reliability(each_NK, measured.labels_N) for each_NK in both))
        charts.append(Chart(f"{name}: error {errors[0]:.3f}, calibrated {errors[1]:.3f}", {name: drawing}))
    return Part(measured.kind, measured.described, charts=charts)


def missed_clips(measured: Sequence[Measured], results: Results, root: str | None) -> Section:
    """The clips that every stream predicts wrongly; with ``root``, linked to their videos in this folder."""
    parts = [part for each in measured if (part := _missed_clips(each, results, root))]
    return Section("missed", "Clips that every stream predicts wrongly", parts)


def _missed_clips(measured: Measured, results: Results, root: str | None) -> Part | None:
    places = missed_by_all(measured.labels_N, measured.calibrated_SNK)
    if not len(places):
        return None
    texts = [f"{len(places):,} of {counted(len(measured.labels_N), 'clip')}, most confident predictions first."]
    if len(places) > MOST_ROWS:
        texts.append(f"The first {MOST_ROWS} are listed.")
    classes, shown = results.clips.classes, places[:MOST_ROWS]
    charts = _frames(measured, results, shown)
    if charts:
        texts.append(f"The pictures show frames of {counted(len(charts), 'clip')}, in order from left to right.")
    frame = pd.DataFrame({"clip_id": measured.clip_ids[shown], "person": measured.person_N[shown]})
    if root:
        texts.append("The name of a clip leads to its video on the machine of this run.")
        frame["video"] = frame.clip_id.map(_addresses(results.clips, Path(root)))
    frame["true"] = [classes[label] for label in measured.labels_N[shown]]
    frame["ensemble"] = [classes[label] for label in measured.fused_NK[shown].argmax(1)]
    frame["sure"] = measured.fused_NK[shown].max(1)
    columns = [Column("clip_id", "clip", link="video" if root else None)]
    columns += [Column("person", "person"), Column("true", "true class")]
    columns += [Column("ensemble", "ensemble predicts"), Column("sure", "confidence", SHARE)]
    for number, stream in enumerate(measured.streams):
        frame[f"stream {stream}"] = [classes[label] for label in measured.plain_SNK[number][shown].argmax(1)]
        columns.append(Column(f"stream {stream}", stream))
    return Part(measured.kind, measured.described, texts, [("", "", make_table(frame, columns))], charts)


def _addresses(clips: Clips, root: Path) -> Callable[[str], str | None]:
    """The address of the video of a clip, with its seconds in the video (W3C Media Fragments); None without one."""
    table = clips.table.set_index("clip_id")

    def address(clip_id: str) -> str | None:
        row = table.loc[clip_id]
        if not isinstance(row.video, str):
            return None
        where = (root / row.video).resolve().as_uri()
        if pd.isna(row.fps) or not row.fps > 0:
            return where
        return f"{where}#t={row.video_start / row.fps:.2f},{(row.video_start + row.n_frames) / row.fps:.2f}"

    return address


def _frames(measured: Measured, results: Results, places: np.ndarray) -> list[Chart]:
    """Frames of the first clips of ``places``; empty if frames are not to be shown."""
    classes, clip_ids = results.clips.classes, measured.clip_ids[places]
    shard = results.clips.table.set_index("clip_id").shard
    pictures = strips(((clip_id, shard[clip_id]) for clip_id in clip_ids), results.rgb)
    charts = []
    for place, clip_id in zip(places, clip_ids, strict=True):
        if clip_id in pictures:
            true, predicted = classes[measured.labels_N[place]], classes[measured.fused_NK[place].argmax()]
            charts.append(Chart(f"{clip_id}: {true}, predicted {predicted}", {"": pictures[clip_id]}))
    return charts


def people(measured: Sequence[Measured]) -> Section:
    """The accuracy of the streams and of the ensemble on each person, if there are several."""
    return Section("people", "Accuracy by person", [_people(each) for each in measured if len(set(each.person_N)) > 1])


def _people(measured: Measured) -> Part:
    table = by_person(measured.person_N, measured.labels_N, measured.probabilities)
    columns = [Column("person", "person"), Column("clips", "clips", COUNT)]
    columns.append(Column(measured.ensemble, measured.ensemble, SCORE, bar=1))
    columns += [Column(stream, stream, SCORE) for stream in measured.streams]
    text = f"People are sorted by the accuracy of {measured.ensemble}, lowest first. {measured.trivial}"
    return Part(measured.kind, measured.described, [text], [("", "", make_table(table, columns))])
