"""The contact sheet and the video of one clip, made from the results of a run."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from PIL import Image

from ..config.modalities import MODALITIES
from ..config.view import ViewStep
from ..errors import InputError, UnusableClip
from ..skeletons.keypoints import cut_clip, in_picture
from ..skeletons.layouts import Skeleton, stored_layout
from ..skeletons.person import each_person, tracks_of
from ..skeletons.selections import Selection, selection_named
from ..storage.clips import Clips, frames_of
from ..storage.files import replacing
from ..storage.scores import Prediction
from ..storage.shards import Shard
from ..streams.crops import Box, keypoints_in_box, person_square, video_box
from ..videos.lettering import can_write
from ..videos.writing import write_video
from .pictures import (
    brightened,
    flow_pictures,
    flow_wheel,
    full_speed,
    heatmap_pictures,
    scaled,
    with_figure,
    with_others,
)
from .sheet import Row, Words, contact_sheet, video_pictures

WHEEL = 44  # pixels
TOGETHER = 32  # frames of a video that are read and drawn at once
MEASURED = 64  # largest number of frames of a clip from which the full speed of its flow is estimated
RATE = 25  # frames a second of the video, if the clips table has no frame rate
GUESSES = 3  # most probable classes in the text


@dataclass(frozen=True)
class Source:
    """The inputs of a sheet: the clips of a corpus, the shards that hold the clip by kind, and predictions.

    ``predictions`` are those of the submission's ensemble by clip id; None if there are none for this corpus.
    """

    clips: Clips
    shards: Mapping[str, Shard]
    predictions: Mapping[str, Prediction] | None


def write_view(source: Source, clip_id: str, step: ViewStep, sheet: Path, video: Path | None) -> None:
    """Write the contact sheet of a clip as PNG and, if ``video`` is set, all its frames as MP4.

    The clip must be in the clips table and not quarantined. Equal results give equal bytes.
    """
    clip = next(row for row in source.clips.table.itertuples() if row.clip_id == clip_id)
    words = words_about(clip, source, step.ensemble)
    frames_N = moments(clip.n_frames, step.frames)
    picture_HWC = contact_sheet(words, times_of(frames_N, clip.fps), rows_of(clip, source, step, frames_N))
    with replacing(sheet) as temporary:
        Image.fromarray(picture_HWC).save(temporary, "png", optimize=True)
    if video is not None:
        every_N = np.arange(max(clip.n_frames, 1))
        pictures = chain.from_iterable(
            video_pictures(words, times_of(frames_N, clip.fps), rows_of(clip, source, step, frames_N))
            for frames_N in np.split(every_N, range(TOGETHER, len(every_N), TOGETHER))
        )
        write_video(video, pictures, RATE if pd.isna(clip.fps) else clip.fps)


def moments(n_frames: int, count: int) -> np.ndarray:
    """The frames of a sheet: ``count`` evenly spaced frames from first to last, or all if there are fewer."""
    return np.unique(np.rint(np.linspace(0, max(n_frames - 1, 0), count)).astype(int))


def times_of(frames_N: np.ndarray, fps: float | None) -> list[str]:
    """The captions of frames: their number in the clip, from 0, and their time in seconds."""
    numbers = frames_N.tolist()
    if pd.isna(fps):
        return [f"frame {frame}" for frame in numbers]
    return [f"frame {frame}, {frame / fps:.2f} s" for frame in numbers]


def words_about(clip: Any, source: Source, ensemble: str | None) -> Words:
    """The text about a clip (its row of the table): id, class, split and the ensemble's prediction.

    A class whose name the font lacks appears under its code in the submission.
    """
    named = zip(source.clips.classes, source.clips.targets, strict=True)
    classes = [name if can_write(name) else f"class {code}" for name, code in named]
    label = None if pd.isna(clip.label) else int(clip.label)
    known = "class unknown" if label is None else classes[label]
    whose = [] if pd.isna(clip.subject) else [f"subject {clip.subject}"]
    length = f"{clip.n_frames} frames" + ("" if pd.isna(clip.fps) else f" at {clip.fps:g} fps")
    lines = [", ".join([known, f"split {clip.split}", *whose, length])]
    if ensemble is not None:
        lines.append(_prediction(clip, label, classes, source.predictions, ensemble))
    return Words(f"{clip.corpus} {clip.clip_id}", tuple(lines))


def _prediction(
    clip: Any,
    label: int | None,
    classes: Sequence[str],
    predictions: Mapping[str, Prediction] | None,
    ensemble: str,
) -> str:
    if predictions is None:
        return f"Ensemble {ensemble}: there are no predictions yet"
    if clip.clip_id not in predictions:
        learnt = "; its networks were trained on it" if clip.split == "train" else ""
        return f"Ensemble {ensemble}: no prediction for this clip{learnt}"
    probabilities_K = predictions[clip.clip_id].probabilities_K
    likeliest = np.argsort(-probabilities_K, kind="stable")[:GUESSES]
    guesses = ", ".join(f"{classes[k]} {probabilities_K[k]:.2f}" for k in likeliest)
    verdict = "" if label is None else " (correct)" if likeliest[0] == label else " (wrong)"
    return f"Ensemble {ensemble}{verdict}: {guesses}"


def rows_of(clip: Any, source: Source, step: ViewStep, frames_N: np.ndarray) -> list[Row]:
    """The rows of a clip (its row of the table) with pictures of these frames, ``step.cell`` pixels high.

    If the clip lacks a modality that the corpus has, the row has no pictures and its note gives the reason.
    """
    figures = ["rgb"] if "rgb" in step.kinds else ["keypoints"] if "keypoints" in step.kinds else []
    heatmaps = list(step.heatmaps) if "keypoints" in step.kinds else []
    videos = [kind for kind in step.kinds if MODALITIES[kind].is_video and kind not in figures]
    people = ["people"] if _people_in(clip, source) > 1 else []
    ways = {_figure_row: figures, _people_row: people, _heatmap_row: heatmaps, _video_row: videos}
    rows = []
    for make, names in ways.items():
        for name in names:
            try:
                rows.append(make(name, clip, source, step, frames_N))
            except UnusableClip as reason:
                rows.append(Row(name, None, str(reason)))
    return rows


def _read(kind: str, clip: Any, source: Source, frames_N: np.ndarray | None = None) -> np.ndarray:
    if kind not in source.shards:
        target = f"results/{kind}/{clip.corpus}/{clip.shard:04d}.arrow"
        raise UnusableClip(f"no {kind} shard yet; make it with: snakemake --cores all {target}")
    if clip.clip_id not in source.shards[kind].clip_ids:
        raise UnusableClip(f"{source.shards[kind].path} does not have the clip; the file is older than the clips table")
    return source.shards[kind].read(clip.clip_id, frames_N)


def _read_keypoints(clip: Any, source: Source, selection: Selection) -> np.ndarray:
    keypoints_TVC = in_picture(_read("keypoints", clip, source))
    if keypoints_TVC.shape[1] != len(selection.joints):
        raise InputError(
            f"{source.shards['keypoints'].path} has {keypoints_TVC.shape[1]} points per frame, the configuration "
            f"has {len(selection.joints)}; pass the configuration of these results with --configfile"
        )
    return keypoints_TVC


def _size(clip: Any) -> tuple[int | None, int | None]:
    return tuple(None if pd.isna(pixels) else int(pixels) for pixels in (clip.width, clip.height))


def _figure_row(name: str, clip: Any, source: Source, step: ViewStep, frames_N: np.ndarray) -> Row:
    """The video with the skeleton on it, or the skeleton alone if the corpus has no video."""
    selection = selection_named(step.selection)
    pictures_NHWC = scaled(_read("rgb", clip, source, frames_N), step.cell) if name == "rgb" else None
    if "keypoints" not in step.kinds:
        return Row(name, pictures_NHWC)
    try:
        keypoints_TVC = _read_keypoints(clip, source, selection)
    except UnusableClip as reason:
        if pictures_NHWC is None:
            raise
        return Row(name, pictures_NHWC, f"no keypoints: {reason}")
    if pictures_NHWC is None:
        pictures_NHWC = np.zeros((len(frames_N), step.cell, step.cell, 3), np.uint8)
        box = person_square(keypoints_TVC)
    else:
        box = video_box(keypoints_TVC, *_size(clip), step.margin)
    shares_NVC = keypoints_in_box(keypoints_TVC[frames_N], box)
    note = f"{len(selection.joints)} joints; the person's left side is red"
    return Row(name, with_figure(pictures_NHWC, shares_NVC, selection), note)


def _people_in(clip: Any, source: Source) -> int:
    """The number of people in a clip, 0 if its recording can have only one."""
    kept = source.shards.get("keypoints")
    return kept.note(clip.clip_id).get("people", 0) if kept and clip.clip_id in kept.clip_ids else 0


def _people_row(name: str, clip: Any, source: Source, step: ViewStep, frames_N: np.ndarray) -> Row:
    """Everybody in the picture: the chosen person in colour, the others grey."""
    chosen, selection = source.shards["keypoints"].note(clip.clip_id), selection_named(step.selection)
    if "skeletons" not in source.shards or clip.skeleton not in source.shards["skeletons"].clip_ids:
        raise UnusableClip(f"no skeletons of all {chosen['people']} people")
    stored = source.shards["skeletons"]
    rows_N = np.asarray(frames_of(clip, clip.skeleton_start))[frames_N]
    rows_N = np.minimum(rows_N, stored.shape(clip.skeleton)[0] - 1)
    keypoints_NPVC, layout = stored.read(clip.skeleton, rows_N), stored_layout(stored.note(clip.skeleton))
    everybody = [
        (track, in_picture(cut_clip(Skeleton(alone_NVC, layout), range(len(rows_N)), selection, clip.skeleton)))
        for track, alone_NVC in each_person(keypoints_NPVC, tracks_of(stored.note(clip.skeleton)), rows_N)
    ]
    own_NVC = in_picture(_read("keypoints", clip, source, frames_N))
    width, height = _size(clip)
    if width is None or height is None:
        width, height = (int(1.05 * side) + 1 for side in np.max([k[..., :2].max((0, 1)) for _, k in everybody], 0))
    box = Box(0, 0, width, height)
    pictures_NHWC = np.zeros((len(frames_N), step.cell, max(round(step.cell * width / height), 1), 3), np.uint8)
    others = [keypoints_in_box(k, box) for track, k in everybody if chosen["person"] not in track.names]
    pictures_NHWC = with_others(pictures_NHWC, others, selection)
    close = "; another is nearly chosen" if chosen["close"] else ""
    note = f"{chosen['people']} people; person {chosen['person']} in colour is chosen{close}"
    return Row(name, with_figure(pictures_NHWC, keypoints_in_box(own_NVC, box), selection), note)


def _heatmap_row(modality: str, clip: Any, source: Source, step: ViewStep, frames_N: np.ndarray) -> Row:
    view, selection = step.heatmaps[modality], selection_named(step.selection)
    keypoints_TVC = _read_keypoints(clip, source, selection)
    pictures_NHWC = heatmap_pictures(keypoints_TVC, modality, view, selection, *_size(clip), frames_N)
    channels = f"{len(selection.joints)} joints" if modality == "joint" else f"{len(selection.edges)} limbs"
    return Row(modality, scaled(pictures_NHWC, step.cell, smooth=False), f"heatmaps of {channels}, {view.size} pixels")


def _video_row(kind: str, clip: Any, source: Source, step: ViewStep, frames_N: np.ndarray) -> Row:
    modality = MODALITIES[kind]
    if modality.content == "vectors":
        # One full speed for the whole clip, so that the colours do not depend on the chosen frames.
        pixel = np.float32(modality.unit)
        full = full_speed(_read(kind, clip, source, moments(clip.n_frames, MEASURED)) / pixel)
        pictures_NHWC = flow_pictures(_read(kind, clip, source, frames_N) / pixel, full)
        note = f"full colour: {full:.1f} pixels per frame"
        return Row(kind, scaled(pictures_NHWC, step.cell), note, flow_wheel(WHEEL))
    pictures_NHWC = _read(kind, clip, source, frames_N)
    if modality.channels == 1:
        pictures_NHWC = np.repeat(pictures_NHWC[..., None], 3, -1)
    if kind in step.rest:
        pictures_NHWC = brightened(pictures_NHWC, step.rest[kind])
    return Row(kind, scaled(pictures_NHWC, step.cell), modality.caption)
