"""Subcommands that make the shards of a corpus."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from ..config.base import parse_step
from ..config.corpora import ClipsStep, DemoStep, SkeletonStep
from ..config.declarations import Modality
from ..config.modalities import MODALITIES, STEPS
from .options import (
    Device,
    File,
    MaxQuarantined,
    OptionalFile,
    Output,
    SettingsText,
    ShardNumber,
    Stamp,
    Threads,
    by_kind,
    scratch_folder,
    stage,
)


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


@stage("clips", ClipsStep)
def clips(settings: SettingsText, output: Output) -> None:
    """List the clips of a corpus: a row for each, with its files and whether it can be used."""
    from ..corpora import list_clips
    from ..storage.clips import write_clips

    step = parse_step(ClipsStep, settings)
    options = step.options | {"allow_shared_subjects": True}  # check-clips looks for them
    write_clips(output, list_clips(step.corpus, step.format, Path(step.root), step.shards, **options))


@stage("check-clips")
def check_clips(
    listed: File,
    output: Output,
    max_quarantined: MaxQuarantined = 1.0,
    shared_subjects: Annotated[
        list[str] | None,
        typer.Option(
            envvar="MICROGESTURE_SHARED_SUBJECTS", help="corpora in which subjects of test may also be in train or val"
        ),
    ] = None,
) -> None:
    """Check a list of clips: fail if too many are unusable, or if a subject of test is also in train or val."""
    from ..storage.clips import read_clips, refuse_many_quarantined, refuse_shared_subjects, write_clips

    clips = read_clips(listed)
    corpus = clips.table.corpus.iloc[0]
    if corpus not in (shared_subjects or ()):
        refuse_shared_subjects(clips.table, corpus)
    refuse_many_quarantined(clips.table, corpus, max_quarantined)
    write_clips(output, clips)


@stage("skeletons", SkeletonStep)
def skeletons(settings: SettingsText, clips: File, shard: ShardNumber, output: Output, stamp: Stamp = "hand") -> None:
    """Read the skeleton files of the recordings in a shard."""
    from ..skeletons.reading import read_skeletons
    from ..storage.clips import read_clips

    step = parse_step(SkeletonStep, settings)
    with scratch_folder(output, stamp) as scratch:
        read_skeletons(read_clips(clips), shard, Path(step.root), output, scratch, step.normalized)


@stage("pose", SkeletonStep)
def pose(settings: SettingsText, clips: File, shard: ShardNumber, output: Output, stamp: Stamp = "hand") -> None:
    """Find keypoints in the videos of the recordings in a shard, instead of reading skeleton files."""
    from ..pose.making import make_pose
    from ..storage.clips import read_clips

    step = parse_step(SkeletonStep, settings)
    with scratch_folder(output, stamp) as scratch:
        make_pose(read_clips(clips), shard, Path(step.root), output, scratch)


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
        stamp: Stamp = "hand",
        device: Device = "auto",
        threads: Threads = 1,
    ) -> None:
        from ..modalities.work import Work, make_modality
        from ..storage.clips import read_clips

        step = parse_step(step_class, settings)
        if modality.reads_clips and clips is None:
            raise typer.BadParameter("this stage reads the clips table; give its path", param_hint="--clips")
        by_name = {name: getattr(step, name) for name in (modality.name, *modality.uses)}
        learned = by_name[modality.name].is_learned
        with _own_device(device, learned) as device, scratch_folder(output, stamp) as scratch:
            work = Work(
                settings=by_name,
                output=output,
                scratch=scratch,
                shards={kind: path for kind, (path,) in by_kind(shards or []).items()},
                clips=read_clips(clips) if clips else None,
                shard=shard,
                root=Path(step.root) if modality.opens_videos else None,
                weights=weights,
                device=device,
                threads=threads,
            )
            make_modality(modality, work)

    make.__doc__ = f"Make {modality.label} for one shard of a corpus."
    stage(modality.name, step_class)(make)


for _modality in MODALITIES.values():
    _add(_modality)


@contextmanager
def _own_device(device: str, runs_network: bool) -> Iterator[str]:
    """The device; for a network on a GPU, the number of a GPU that no other job uses meanwhile."""
    if not runs_network:
        yield device
        return
    from ..machine.gpus import held_gpus

    with held_gpus(device) as gpus:
        yield f"cuda:{gpus[0]}" if gpus else device
