"""The result files that a report is made from."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ..config.measures import GroundTruth
from ..config.report import ReportStep
from ..ensembles.ensemble import HeldOut
from ..ensembles.fusion import Fusion, stack
from ..errors import InputError
from ..measures.ground_truth import read_ground_truth
from ..storage.clips import Clips, natural_key, read_clips
from ..storage.files import read_json
from ..storage.scores import Scores, read_folds, read_scores
from ..storage.shards import Shard


@dataclass(frozen=True)
class Results:
    """The results that a report shows, as the stages wrote them; a table that a run does not have is None.

    ``held_out`` has the held-out clips of the measured ensemble and its fusions, and ``on_test`` the test clips whose
    labels are known, with the submitted ensemble. ``cards`` are the cards of all streams by name. ``jobs`` has one row
    for each timed job: ``stage``, ``of``, ``seconds``, ``megabytes`` (peak memory, NaN if it was not measured). ``rgb``
    are the shards of video frames by number; it is empty if frames are not to be shown.
    """

    clips: Clips
    held_out: HeldOut
    fusion: dict[str, Any]
    cards: Mapping[str, dict[str, Any]]
    ablation: pd.DataFrame
    quarantine: pd.DataFrame
    submission: Path
    submitted_clips: int
    jobs: pd.DataFrame
    on_test: HeldOut | None = None
    cross_subject: pd.DataFrame | None = None
    pseudo_labels: Mapping[str, pd.DataFrame] | None = None
    pseudo_label_counts: Mapping[str, pd.DataFrame] | None = None
    emotion: pd.DataFrame | None = None
    emotion_on_test: pd.DataFrame | None = None
    keypoints: pd.DataFrame | None = None
    rgb: Mapping[int, Shard] = field(default_factory=dict)


def read_results(
    step: ReportStep,
    clips: Path,
    fusion: Path,
    ablation: Path,
    quarantine: Path,
    submission: Path,
    files: Sequence[Path],
    benchmarks: Path | None = None,
    cross_subject: Path | None = None,
    emotion: Path | None = None,
    emotion_on_test: Path | None = None,
    submitted_fusion: Path | None = None,
    keypoints: Path | None = None,
) -> Results:
    """Read the results of a run.

    ``files`` are ``<stream>/fold0.parquet`` and so on, or ``<stream>/val.parquet`` without folds;
    ``<stream>/card.json``; ``<ensemble>/pseudo_labels.csv`` and ``pseudo_label_counts.csv``; with
    ``step.ground_truth``, ``<stream>/test.parquet``; and with ``step.frames``, ``0000.arrow`` and so on.
    ``submitted_fusion`` is that of the submitted ensemble, and ``benchmarks`` the folder of Snakemake's benchmark
    files. Raises ``InputError`` if the scores of a stream are missing or if files do not match each other.
    """
    by_place = {(path.parent.name, path.name): path for path in files}
    table, fitted = read_clips(clips), read_json(fusion)

    def scores(streams: Iterable[str], splits: Iterable[str]) -> dict[str, list[Path]]:
        try:
            return {stream: [by_place[stream, f"{split}.parquet"] for split in splits] for stream in streams}
        except KeyError as missing:
            raise InputError(
                f"the report needs the scores {'/'.join(missing.args[0])}; add this file to the arguments"
            ) from None

    held_out = scores(step.streams, [f"fold{fold}" for fold in range(step.folds)] or ["val"])
    on_test = None
    if step.ground_truth:
        of_test = scores(step.submitted_streams or step.streams, ["test"])
        on_test = _on_test(table, of_test, read_json(submitted_fusion or fusion), step.ground_truth)
    cards = {folder: read_json(path) for (folder, name), path in by_place.items() if name == "card.json"}

    def tables(file: str) -> dict[str, pd.DataFrame] | None:
        return {folder: pd.read_csv(path) for (folder, name), path in by_place.items() if name == file} or None

    return Results(
        clips=table,
        held_out=_held_out(table, held_out, fitted, bool(step.folds)),
        on_test=on_test,
        fusion=fitted,
        cards=cards,
        ablation=pd.read_csv(ablation),
        quarantine=pd.read_csv(quarantine, dtype=str, keep_default_na=False),
        submission=submission,
        submitted_clips=len(pd.read_csv(submission)),
        jobs=read_jobs(benchmarks, cards),
        cross_subject=pd.read_csv(cross_subject) if cross_subject else None,
        pseudo_labels=tables("pseudo_labels.csv"),
        pseudo_label_counts=tables("pseudo_label_counts.csv"),
        emotion=pd.read_csv(emotion) if emotion else None,
        emotion_on_test=pd.read_csv(emotion_on_test) if emotion_on_test else None,
        keypoints=pd.read_csv(keypoints, dtype={"clip_id": str, "person": str}) if keypoints else None,
        rgb={int(path.stem): Shard(path) for path in files if step.frames and path.suffix == ".arrow"},
    )


def _held_out(clips: Clips, files: Mapping[str, Sequence[Path]], fitted: Mapping[str, Any], folded: bool) -> HeldOut:
    """The labelled clips on which the ensemble was measured, with its fusions; empty if there are none."""
    read = {stream: read_folds(paths) if folded else (read_scores(paths[0]), {}) for stream, paths in files.items()}
    scores: dict[str, Scores] = {stream: scores for stream, (scores, _) in read.items()}
    fold = next(iter(read.values()))[1]
    known = clips.usable[clips.usable.label.notna() & clips.usable.split.isin(["train", "val"] if folded else ["val"])]
    if not fitted["fitted_on"]["clips"]:
        known = known.iloc[:0]
    labels = dict(zip(known.clip_id, known.label.astype(int), strict=True))
    clip_ids = tuple(sorted(labels, key=natural_key))
    return HeldOut(
        clip_ids,
        np.array([labels[clip_id] for clip_id in clip_ids], int),
        stack(scores, clip_ids, len(clips.classes)),
        np.array([fold.get(clip_id, 0) for clip_id in clip_ids], int),
        [Fusion.from_json(each, list(files)) for each in (fitted["without_fold"] if folded else [fitted])],
    )


def _on_test(
    clips: Clips, files: Mapping[str, Sequence[Path]], fitted: Mapping[str, Any], truth: GroundTruth
) -> HeldOut:
    """The usable test clips whose labels are known, with the fusion of the submitted ensemble."""
    labels = read_ground_truth(Path(truth.file), truth.id_column, truth.label_column, clips)
    clip_ids = tuple(sorted(set(clips.usable.clip_id) & set(labels), key=natural_key))
    scores = {stream: read_scores(path) for stream, (path,) in files.items()}
    return HeldOut(
        clip_ids,
        np.array([labels[clip_id] for clip_id in clip_ids], int),
        stack(scores, clip_ids, len(clips.classes)),
        np.zeros(len(clip_ids), int),
        [Fusion.from_json(fitted, list(files))],
    )


def read_jobs(benchmarks: Path | None, cards: Mapping[str, Mapping[str, Any]]) -> pd.DataFrame:
    """Time and memory of each job, from Snakemake's benchmarks ``<stage>/<of>/<job>.tsv`` and the streams' cards.

    A card is used only for a training without a benchmark ``train/<stream>.tsv``.
    """
    lines = []
    for path in sorted(benchmarks.rglob("*.tsv")) if benchmarks else ():
        stage, of = path.relative_to(benchmarks).parts[:2]
        for row in pd.read_csv(path, sep="\t", na_values="-").itertuples():
            lines.append((stage, of.removesuffix(".tsv"), row.s, row.max_rss))
    measured = {(stage, of) for stage, of, *_ in lines}
    lines += [
        ("train", name, card["seconds"], np.nan) for name, card in cards.items() if ("train", name) not in measured
    ]
    return pd.DataFrame(lines, columns=["stage", "of", "seconds", "megabytes"])
