"""The subcommands that make shards out of a corpus."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from ..config.base import parse_step
from ..config.corpora import ClipsStep, DemoStep, SkeletonStep
from ..config.modalities import DepthStep, FaceStep, FlowSettings, KeypointSettings, RgbStep, TaylorSettings
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
    scratch_folder,
    stage,
)


@stage("demo", DemoStep)
def demo(
    settings: SettingsText,
    root: Output,
    truth: Output,
    output: Output,
    emotion_truth: Annotated[Path | None, typer.Option(help="where to, if the corpus has emotions")] = None,
    workers: Annotated[int, typer.Option(min=1)] = 1,
) -> None:
    """Draw a corpus of articulated figures in the file layout of a release."""
    from ..demo.corpus import make_demo
    from ..storage.files import write_json

    step = parse_step(DemoStep, settings)
    files = make_demo(root, truth=truth, workers=workers, emotion_truth=emotion_truth, **step.model_dump())
    write_json(output, [path.relative_to(root).as_posix() for path in files])


@stage("clips", ClipsStep)
def clips(settings: SettingsText, output: Output) -> None:
    """List the clips of a corpus: one row each, with where it lies and whether it can be used."""
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
            envvar="MICROGESTURE_SHARED_SUBJECTS", help="corpora that may have subjects of test elsewhere too"
        ),
    ] = None,
) -> None:
    """Pass a list of clips on, unless too many of them are unusable or a subject is in test and elsewhere."""
    from ..storage.clips import read_clips, refuse_many_quarantined, refuse_shared_subjects, write_clips

    clips = read_clips(listed)
    corpus = clips.table.corpus.iloc[0]
    if corpus not in (shared_subjects or ()):
        refuse_shared_subjects(clips.table, corpus)
    refuse_many_quarantined(clips.table, corpus, max_quarantined)
    write_clips(output, clips)


@stage("skeletons", SkeletonStep)
def skeletons(settings: SettingsText, clips: File, shard: ShardNumber, output: Output, stamp: Stamp = "hand") -> None:
    """Read the skeleton files of a shard's recordings once."""
    from ..skeletons.reading import read_skeletons
    from ..storage.clips import read_clips

    step = parse_step(SkeletonStep, settings)
    with scratch_folder(output, stamp) as scratch:
        read_skeletons(read_clips(clips), shard, Path(step.root), output, scratch)


@stage("pose", SkeletonStep)
def pose(settings: SettingsText, clips: File, shard: ShardNumber, output: Output, stamp: Stamp = "hand") -> None:
    """Find keypoints in the videos of a shard's recordings, in place of reading their skeleton files."""
    from ..pose.making import make_pose
    from ..storage.clips import read_clips

    step = parse_step(SkeletonStep, settings)
    with scratch_folder(output, stamp) as scratch:
        make_pose(read_clips(clips), shard, Path(step.root), output, scratch)


@stage("keypoints", KeypointSettings)
def keypoints(
    clips: File,
    shard: ShardNumber,
    skeletons: File,
    output: Output,
    settings: SettingsText = "{}",
    stamp: Stamp = "hand",
) -> None:
    """Cut the clips out of their recordings' skeletons and keep the chosen joints."""
    from ..skeletons.keypoints import select_keypoints
    from ..storage.clips import read_clips

    step = parse_step(KeypointSettings, settings)
    with scratch_folder(output, stamp) as scratch:
        select_keypoints(read_clips(clips), shard, skeletons, output, scratch, **step.model_dump())


@stage("rgb", RgbStep)
def rgb(
    settings: SettingsText,
    clips: File,
    shard: ShardNumber,
    output: Output,
    keypoints: OptionalFile = None,
    stamp: Stamp = "hand",
) -> None:
    """Decode each video once and cut its clips out, to the person where there are keypoints."""
    from ..modalities.rgb import make_rgb
    from ..storage.clips import read_clips

    step = parse_step(RgbStep, settings)
    with scratch_folder(output, stamp) as scratch:
        make_rgb(read_clips(clips), shard, Path(step.root), keypoints, output, scratch, step.size, step.margin)


@stage("face", FaceStep)
def face(
    settings: SettingsText,
    clips: File,
    shard: ShardNumber,
    skeletons: File,
    output: Output,
    stamp: Stamp = "hand",
) -> None:
    """Decode each video once and cut the faces out, all turned and scaled alike, by the landmarks of its skeleton."""
    from ..modalities.face import make_face
    from ..storage.clips import read_clips

    step = parse_step(FaceStep, settings)
    with scratch_folder(output, stamp) as scratch:
        options = step.model_dump(exclude={"root"})
        make_face(read_clips(clips), shard, Path(step.root), skeletons, output, scratch, **options)


@stage("taylor", TaylorSettings)
def taylor(rgb: File, output: Output, settings: SettingsText = "{}", stamp: Stamp = "hand") -> None:
    """Make the Taylor videos of a shard: displacement, velocity and acceleration as three channels."""
    from ..modalities.taylor import make_taylor

    step = parse_step(TaylorSettings, settings)
    with scratch_folder(output, stamp) as scratch:
        make_taylor(rgb, output, scratch, **step.model_dump())


@stage("flow", FlowSettings)
def flow(
    rgb: File,
    output: Output,
    settings: SettingsText = "{}",
    weights: Annotated[Path | None, typer.Option(exists=True, help="file of the weights that settings name")] = None,
    stamp: Stamp = "hand",
    device: Device = "auto",
    threads: Threads = 1,
) -> None:
    """Make the optical flow of a shard, in 1/32 pixel."""
    from ..modalities.flow import make_flow

    step = parse_step(FlowSettings, settings)
    with _own_device(device, step.is_learned) as device, scratch_folder(output, stamp) as scratch:
        options = step.model_dump() | ({"weights": str(weights)} if weights else {})
        make_flow(rgb, output, scratch, device=device, threads=threads, **options)


@stage("depth", DepthStep)
def depth(
    clips: File,
    shard: ShardNumber,
    output: Output,
    keypoints: OptionalFile = None,
    rgb: OptionalFile = None,
    settings: SettingsText = "{}",
    stamp: Stamp = "hand",
    device: Device = "auto",
    threads: Threads = 1,
) -> None:
    """Make the relative depth of a shard, in the same frames as rgb."""
    from ..modalities.depth import make_depth
    from ..storage.clips import read_clips

    step = parse_step(DepthStep, settings)
    folder = Path(step.folder) if step.folder else None
    with _own_device(device, step.is_learned) as device, scratch_folder(output, stamp) as scratch:
        make_depth(
            read_clips(clips),
            shard,
            keypoints,
            output,
            scratch,
            rgb=rgb,
            folder=folder,
            device=device,
            threads=threads,
            **step.model_dump(exclude={"folder"}),
        )


@contextmanager
def _own_device(device: str, runs_network: bool) -> Iterator[str]:
    """The device, and where a network runs on a GPU the number of one that no other job has meanwhile."""
    if not runs_network:
        yield device
        return
    from ..machine.gpus import held_gpus

    with held_gpus(device) as gpus:
        yield f"cuda:{gpus[0]}" if gpus else device
