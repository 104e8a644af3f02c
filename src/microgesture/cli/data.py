"""Subcommands that make the shards of a corpus."""

import logging
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from ..config.base import parse_step
from ..config.corpora import DemoStep, ListStep, MeasureStep, SkeletonStep
from ..config.corpus_format import LARGEST
from ..config.declarations import Modality
from ..config.modalities import MODALITIES, STEPS
from .options import (
    BY_HAND,
    Device,
    File,
    Files,
    MaxQuarantined,
    OptionalFile,
    Output,
    SettingsText,
    ShardNumber,
    Stamp,
    Threads,
    by_kind,
    own_device,
    reusing_earlier,
    scratch_folder,
    stage,
)

log = logging.getLogger(__name__)


@stage("demo", DemoStep)
def demo(
    settings: SettingsText,
    root: Output,
    truth: Output,
    output: Output,
    emotion_truth: Annotated[
        Path | None, typer.Option(help="file for the labels of emotion, if the corpus has any")
    ] = None,
    workers: Annotated[int, typer.Option(min=1)] = 1,
) -> None:
    """Generate a synthetic corpus of articulated figures, in the file layout of a published release."""
    from ..demo.corpus import make_demo
    from ..storage.files import write_json

    step = parse_step(DemoStep, settings)
    files = make_demo(root, truth=truth, workers=workers, emotion_truth=emotion_truth, **step.model_dump())
    write_json(output, [path.relative_to(root).as_posix() for path in files])


@stage("list-clips", ListStep)
def list_clips(settings: SettingsText, output: Output) -> None:
    """List the clips of a corpus in a folder: their labels, and for each shard their files."""
    from ..corpora import declare
    from ..corpora.listed import write_listing

    step = parse_step(ListStep, settings)
    write_listing(output, declare(step.corpus, step.format, step.root, **step.options), step.shards)


@stage("measure-clips", MeasureStep)
def measure_clips(
    settings: SettingsText,
    listed: File,
    shard: ShardNumber,
    output: Output,
) -> None:
    """Open the files of the clips in a shard: find their length and size, and which clips cannot be used."""
    from ..corpora import measure
    from ..corpora.listed import read_rows
    from ..corpora.versions import digests_of
    from ..storage.clips import Clips, folder_of, write_clips

    step, rows = parse_step(MeasureStep, settings), read_rows(listed)
    folder = folder_of(step.root)
    digests = digests_of([path for row in rows for path in row.files], folder)
    table, doubts = measure(rows, folder, step.corpus, step.end_tolerance, step.fps)
    for doubt in doubts:
        log.warning("%s: %s", step.corpus, doubt)
    write_clips(output, Clips(table.assign(shard=shard), (), (), digests))


@stage("check-clips")
def check_clips(
    measured: Files,
    corpus: Annotated[str, typer.Option(help="name of the corpus")],
    labels: File,
    declared: File,
    output: Output,
    max_quarantined: MaxQuarantined = 1.0,
) -> None:
    """Give the measured clips of a part of a corpus their labels; fail if too many are unusable."""
    from ..corpora.labelled import labelled, with_declared
    from ..corpora.listed import read_declared, read_labels_of
    from ..storage.clips import Clips, read_clips, refuse_many_quarantined, write_clips

    told, classes, targets = read_labels_of(labels)
    parts = [read_clips(path) for path in measured]
    table = labelled(told, [part.table for part in parts])
    places = read_declared(declared)
    refuse_many_quarantined(with_declared(table, places), corpus, max_quarantined, len(places))
    files = {*table.video, *table.skeleton}
    digests = {path: digest for part in parts for path, digest in part.digests.items() if path in files}
    write_clips(output, Clips(table, classes, targets, digests))


@stage("join-clips")
def join_clips(parts: Files, declared: File, output: Output, max_quarantined: MaxQuarantined = 1.0) -> None:
    """Join the parts of a corpus to one table of clips, in the order of its lists; fail if too many are unusable."""
    from ..corpora.labelled import joined
    from ..corpora.listed import read_declared
    from ..measures.warnings import warn_of_copies
    from ..storage.clips import read_clips, refuse_many_quarantined, write_clips

    clips = joined([read_clips(part) for part in parts], read_declared(declared))
    refuse_many_quarantined(clips.table, clips.table.corpus.iloc[0], max_quarantined)
    for warning in warn_of_copies(clips):
        log.warning("%s: %s", output, warning)
    write_clips(output, clips)


@stage("skeletons", SkeletonStep)
def skeletons(settings: SettingsText, clips: File, shard: ShardNumber, output: Output, stamp: Stamp = BY_HAND) -> None:
    """Read the skeleton files of the recordings in a shard."""
    from ..modalities.sources import sources_of_recordings
    from ..skeletons.plausibility import Rules
    from ..skeletons.reading import read_skeletons
    from ..storage.clips import read_clips

    step = parse_step(SkeletonStep, settings)
    table = read_clips(clips)
    rules = Rules.of(step, step.files)
    sources = partial(sources_of_recordings, table, shard, stamp)
    with scratch_folder(output, stamp) as scratch, reusing_earlier(output, scratch, stamp, sources):
        read_skeletons(table, shard, Path(step.root), output, scratch, rules)


@stage("pose", SkeletonStep)
def pose(settings: SettingsText, clips: File, shard: ShardNumber, output: Output, stamp: Stamp = BY_HAND) -> None:
    """Find keypoints in the videos of the recordings in a shard, instead of reading skeleton files."""
    from ..corpora.versions import file_digest
    from ..modalities.sources import sources_of_recordings
    from ..pose.making import make_pose
    from ..pose.methods import Pose, weight_files
    from ..storage.clips import read_clips

    step = parse_step(SkeletonStep, settings)
    table, method = read_clips(clips), Pose(step.pose or "mediapipe", step.pose_weights)
    digests = map(file_digest, weight_files(step.pose_weights))
    sources = partial(sources_of_recordings, table, shard, " ".join([stamp, *digests]))
    with scratch_folder(output, stamp) as scratch, reusing_earlier(output, scratch, stamp, sources):
        make_pose(table, shard, Path(step.root), output, scratch, method)


def _add(modality: Modality) -> None:
    """Add the subcommand that makes a modality."""
    step_class = STEPS[modality.name]

    def make(
        output: Output,
        shards: Annotated[list[Path] | None, typer.Argument(exists=True, help="shards that it is made from")] = None,
        settings: SettingsText = "{}",
        clips: OptionalFile = None,
        shard: ShardNumber = 0,
        weights: Annotated[Path | None, typer.Option(exists=True, help="file of the weights in the settings")] = None,
        stamp: Stamp = BY_HAND,
        device: Device = "auto",
        threads: Threads = 1,
    ) -> None:
        from ..modalities.sources import sources_of_clips
        from ..modalities.work import Work, make_modality
        from ..storage.clips import read_clips

        step = parse_step(step_class, settings)
        if modality.reads_clips and clips is None:
            raise typer.BadParameter("this stage reads the clips table; give its path", param_hint="--clips")
        by_name = {name: getattr(step, name) for name in (modality.name, *modality.uses)}
        learned = by_name[modality.name].is_learned
        with own_device(device, learned) as device, scratch_folder(output, stamp) as scratch:
            work = Work(
                settings=by_name,
                output=output,
                scratch=scratch,
                shards={kind: path for kind, (path,) in by_kind(shards or []).items()},
                clips=read_clips(clips) if clips else None,
                shard=shard,
                root=Path(step.root) if modality.opens_videos else None,
                person=getattr(step, "person", LARGEST),
                weights=weights,
                device=device,
                threads=threads,
            )
            with reusing_earlier(output, scratch, stamp, partial(sources_of_clips, modality, work, stamp)):
                make_modality(modality, work)

    make.__doc__ = f"Make {modality.label} for one shard of a corpus."
    stage(modality.name, step_class)(make)


for _modality in MODALITIES.values():
    _add(_modality)
