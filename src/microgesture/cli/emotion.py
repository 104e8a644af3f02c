"""Subcommands of emotion recognition: win or lose for whole videos, from face, context, gestures and posture."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..config.base import parse_step
from ..config.emotion import EmotionStep, EmotionSubmissionStep, EmotionTableStep, VideosStep
from ..config.streams import TrainStep
from .options import Device, File, Files, Memory, OptionalFile, Output, SettingsText, Threads, Workers, by_kind, stage

if TYPE_CHECKING:
    import torch

    from ..emotion.tokens import Video

RowShards = Annotated[
    list[Path] | None, typer.Argument(exists=True, dir_okay=False, help="shards of faces and of keypoints")
]


@stage("videos", VideosStep)
def videos(settings: SettingsText, clips: File, output: Output) -> None:
    """List the videos of a corpus, with their labels (win or lose) except in the test split."""
    from ..emotion.videos import list_videos
    from ..storage.clips import read_clips
    from ..storage.files import write_csv

    step = parse_step(VideosStep, settings)
    labels = [Path(path) for path in step.labels]
    write_csv(output, list_videos(read_clips(clips), Path(step.root), labels, step.split))


@stage("embed", TrainStep)
def embed(
    settings: SettingsText,
    clips: File,
    shards: Files,
    model: File,
    output: Output,
    device: Device = "auto",
    threads: Threads = 1,
    workers: Workers = 0,
    memory: Memory = 1.0,
) -> None:
    """Write features and logits of a trained stream for every usable clip."""
    from ..emotion.embeddings import embed as embed_clips
    from ..machine.gpus import held_gpus
    from ..machine.resources import Resources
    from ..networks import build
    from ..storage.clips import read_clips

    step = parse_step(TrainStep, settings)
    with held_gpus(device) as gpus:
        resources = Resources(device, threads, workers, memory, gpus=gpus)
        embed_clips(read_clips(clips), by_kind(shards), model, step, build, output, resources)


@stage("train-emotion", EmotionStep)
def train_emotion(
    settings: SettingsText,
    videos: File,
    clips: File,
    model: Output,
    card: Output,
    shards: RowShards = None,
    context: OptionalFile = None,
    gestures: OptionalFile = None,
    device: Device = "auto",
    threads: Threads = 1,
) -> None:
    """Train emotion networks on some sources of tokens, leaving out each fold of subjects in turn."""
    from ..emotion.train import train_emotion as train_row
    from ..emotion.videos import read_videos
    from ..machine.gpus import held_gpus
    from ..machine.resources import Resources

    step = parse_step(EmotionStep, settings)
    with held_gpus(device) as gpus:
        on = Resources(device, threads, gpus=gpus).prepare()
        tokens = _tokens(step, videos, clips, shards or [], context, gestures, on)
        train_row(read_videos(videos), tokens, step, model, card, on)


@stage("predict-emotion", EmotionStep)
def predict_emotion(
    settings: SettingsText,
    videos: File,
    clips: File,
    model: File,
    held_out: Output,
    test: Output,
    shards: RowShards = None,
    context: OptionalFile = None,
    gestures: OptionalFile = None,
    device: Device = "auto",
    threads: Threads = 1,
) -> None:
    """Predict the probability of a win in each video.

    Labelled videos are predicted by networks that were trained without their subjects.
    """
    from ..emotion.predict import predict_emotion as predict_row
    from ..emotion.videos import read_videos
    from ..machine.gpus import held_gpus
    from ..machine.resources import Resources

    step = parse_step(EmotionStep, settings)
    with held_gpus(device) as gpus:
        on = Resources(device, threads, gpus=gpus).prepare()
        tokens = _tokens(step, videos, clips, shards or [], context, gestures, on)
        predict_row(read_videos(videos), tokens, step, model, held_out, test, on)


@stage("compare-emotion", EmotionTableStep)
def compare_emotion(settings: SettingsText, videos: File, predictions: Files, csv: Output, markdown: Output) -> None:
    """Compare rows of sources, with intervals over subjects. The files are <row>/held_out.csv or <row>/test.csv."""
    from ..emotion.measure import compare_rows
    from ..emotion.videos import read_videos

    step = parse_step(EmotionTableStep, settings)
    files = {path.parent.name: path for path in predictions}
    ground_truth = Path(step.ground_truth) if step.ground_truth else None
    versus = {row.name: row.versus for row in step.rows}
    compare_rows(read_videos(videos), {row: files[row] for row in versus}, versus, ground_truth, csv, markdown)


@stage("submit-emotion", EmotionSubmissionStep)
def submit_emotion(settings: SettingsText, videos: File, predictions: File, output: Output) -> None:
    """Write the submission of emotions: every test video once, in order."""
    from ..emotion.submission import write_emotion_submission
    from ..emotion.videos import read_videos

    step = parse_step(EmotionSubmissionStep, settings)
    sample = Path(step.sample) if step.sample else None
    write_emotion_submission(read_videos(videos), predictions, output, sample, step.targets)


def _tokens(
    step: EmotionStep,
    videos: Path,
    clips: Path,
    shards: list[Path],
    context: Path | None,
    gestures: Path | None,
    device: "torch.device",
) -> dict[str, "Video"]:
    """The tokens of all videos, from the sources of a step."""
    from ..emotion.embeddings import read_embeddings
    from ..emotion.faces import encoded, published_encoder
    from ..emotion.poses import Poses
    from ..emotion.tokens import read_tokens
    from ..emotion.videos import read_videos
    from ..skeletons.selections import selection_named
    from ..storage.clips import read_clips

    table = read_videos(videos)
    recordings = dict(zip(table.video_id, table.recording, strict=True))
    seen = [read_embeddings(path) if path else None for path in (context, gestures)]
    kinds = by_kind(shards)
    options: dict[str, Any] = {"frames": step.face.frames, "size": step.face.size} if step.face else {}
    if step.pose:
        options["poses"] = Poses(kinds["keypoints"], selection_named(step.selection), step.pose.frames)
    tokens = read_tokens(read_clips(clips), recordings, kinds.get("face", []), *seen, **options)
    if step.face and step.face.weights:
        return encoded(tokens, published_encoder(step.face, device), step.face.network.embedding, device)
    return tokens
