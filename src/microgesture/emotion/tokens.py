"""The tokens of a video: for each clip features of face, context, gestures and posture, and its time."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
import pandas as pd
import torch

from ..config.emotion import EmotionRecipe, Source
from ..errors import InputError
from ..storage.clips import Clips
from ..storage.shards import Shard
from ..streams.samples import random_generator
from .embeddings import Embedding
from .poses import Poses

DARK = 16  # of 255: a frame without a brighter pixel shows no face; the codec may store black as slightly above 0
FPS = 25.0  # for a clip of unknown rate


@dataclass(frozen=True)
class Video:
    """The tokens of the N usable clips of a video, in the order of time.

    ``faces[n]`` are the faces of a clip, uint8 (F, H, W, 3) RGB, or their embeddings by a fixed encoder, float32
    (F, D); F is 0 if no face is visible. ``context_ND`` are features, ``gestures_NG`` are from ``gesture_features``,
    ``pose_NFX`` from ``poses.pose_features``; these are NaN in the rows of clips that the stream could not use, or that
    lack keypoints. ``place_N`` is the middle of a clip as a fraction of the video, in [0, 1].
    """

    video_id: str
    place_N: np.ndarray
    faces: tuple[np.ndarray, ...] | None = None
    context_ND: np.ndarray | None = None
    gestures_NG: np.ndarray | None = None
    pose_NFX: np.ndarray | None = None

    def found(self, source: Source) -> np.ndarray:
        """Return which clips have a token of a source, bool (N,)."""
        if source == "face":
            return np.array([len(faces) > 0 for faces in self.faces], bool)
        values_NX = {"context": self.context_ND, "gestures": self.gestures_NG, "pose": self.pose_NFX}[source]
        return ~np.isnan(values_NX).any(tuple(range(1, values_NX.ndim)))

    def part(self, rows: np.ndarray) -> "Video":
        """Return the video with only some of its clips."""
        return Video(
            self.video_id,
            self.place_N[rows],
            None if self.faces is None else tuple(self.faces[row] for row in rows),
            None if self.context_ND is None else self.context_ND[rows],
            None if self.gestures_NG is None else self.gestures_NG[rows],
            None if self.pose_NFX is None else self.pose_NFX[rows],
        )


class Tokens(NamedTuple):
    """A batch of videos for the network, padded to the N clips of the longest.

    ``found`` has a mask (B, N) for each source, which is false for padding. ``faces_M`` are the M faces of all videos,
    float32 (M, 3, H, W) in [-1, 1] or (M, D), and ``face_of_M`` is the clip of each, b N + n.
    """

    place_BN: torch.Tensor
    found: dict[Source, torch.Tensor]
    faces_M: torch.Tensor | None
    face_of_M: torch.Tensor | None
    context_BND: torch.Tensor | None
    gestures_BNG: torch.Tensor | None
    pose_BNFX: torch.Tensor | None


def read_video(
    video_id: str,
    table: pd.DataFrame,
    faces: Mapping[str, Shard],
    context: Mapping[str, Embedding] | None,
    gestures: Mapping[str, Embedding] | None,
    frames: int,
    size: int,
    poses: Poses | None = None,
) -> Video:
    """Read the tokens of a video whose usable clips are the rows of ``table``; ``faces`` maps a clip to its shard.

    From each clip ``frames`` faces are taken, evenly spaced among the visible ones, as squares of ``size`` pixels.
    """
    table = table.sort_values(["start", "end", "clip_id"])
    middle_N = (table.start.to_numpy(float) + table.end.to_numpy(float) + 1) / 2
    whole = float(table.end.max() + 1) if len(table) else 1.0
    return Video(
        video_id,
        (middle_N / whole).astype(np.float32),
        tuple(_faces(faces.get(clip_id), clip_id, frames, size) for clip_id in table.clip_id) if faces else None,
        None if context is None else _context(table, context),
        None if gestures is None else _gestures(table, gestures),
        None if poses is None else _poses(table, poses),
    )


def read_tokens(
    clips: Clips,
    recordings: Mapping[str, str],
    face_shards: Sequence[Path],
    context: Mapping[str, Embedding] | None,
    gestures: Mapping[str, Embedding] | None,
    frames: int = 1,
    size: int = 112,
    poses: Poses | None = None,
) -> dict[str, Video]:
    """Read the tokens of videos, by id; ``recordings[video_id]`` is the recording with the usable clips of a video.

    Raises ``InputError`` if a clip is in none of the face shards.
    """
    holder = {clip_id: shard for shard in map(Shard, face_shards) for clip_id in shard.clip_ids}
    of_recording = dict(list(clips.usable.groupby("recording")))
    none = clips.usable[:0]
    tables = {video_id: of_recording.get(recording, none) for video_id, recording in recordings.items()}
    if holder and (missing := [c for table in tables.values() for c in table.clip_id if c not in holder]):
        raise InputError(f"clip {missing[0]} is in none of the face shards; they are older than the clips table")
    return {
        video_id: read_video(video_id, table, holder, context, gestures, frames, size, poses)
        for video_id, table in tables.items()
    }


def gesture_features(probability_K: np.ndarray, seconds: float, pause: float) -> np.ndarray:
    """Compute the token of a gesture, float32 (K + 2,): class probabilities, duration, and pause since the last one.

    Probabilities are multiplied by sqrt(K), so that those of a confident prediction have a mean square of 1;
    ``seconds`` and ``pause`` (0 if clips overlap) become logarithms of 1 + seconds. The pauses contain the frequency of
    gestures.
    """
    scaled_K = probability_K * np.sqrt(len(probability_K))
    return np.append(scaled_K, np.log1p([seconds, max(pause, 0.0)])).astype(np.float32)


def visible(frames_THWC: np.ndarray) -> np.ndarray:
    """Return which frames show a face, bool (T,): those that are not black."""
    return frames_THWC.max((1, 2, 3)) > DARK


def evenly(rows: np.ndarray, count: int) -> np.ndarray:
    """Choose at most ``count`` of the rows, from the middles of ``count`` equal parts."""
    if len(rows) <= count:
        return rows
    return rows[((np.arange(count) + 0.5) * len(rows) / count).astype(int)]


def shown(video: Video, recipe: EmotionRecipe, seed: int, draw: int) -> Video:
    """Augment a video for a training step: choose clips and faces at random, and hide some tokens.

    At most ``recipe.clips`` clips are kept, with one face of each, mirrored with probability 0.5; each token of each
    source is hidden with the probability ``token_dropout``. The result depends only on the video, ``seed`` and
    ``draw``, the number of the random draw.
    """
    generator = random_generator(seed, draw, video.video_id)
    clips = len(video.place_N)
    part = video.part(np.sort(generator.permutation(clips)[: recipe.clips]))
    clips = len(part.place_N)
    hidden_SN = generator.random((3, clips)) < recipe.token_dropout
    choice_N, mirror_N = generator.random(clips), generator.random(clips) < 0.5
    hidden_N = generator.random(clips) < recipe.token_dropout  # drawn last, so that posture changes no other draw
    faces = part.faces
    if faces is not None:
        faces = tuple(
            faces_FX[:0] if hidden else _one(faces_FX, choice, mirror and recipe.flip)
            for faces_FX, hidden, choice, mirror in zip(faces, hidden_SN[0], choice_N, mirror_N, strict=True)
        )
    others = (part.context_ND, hidden_SN[1]), (part.gestures_NG, hidden_SN[2]), (part.pose_NFX, hidden_N)
    return Video(part.video_id, part.place_N, faces, *(_without(*tokens) for tokens in others))


def together(videos: Sequence[Video], sources: Sequence[Source], device: torch.device) -> Tokens:
    """Collate videos into one batch on a device, with the tokens of these sources."""
    longest = max(1, *(len(video.place_N) for video in videos))

    def padded(arrays: Sequence[np.ndarray]) -> torch.Tensor:
        stacked = np.zeros((len(arrays), longest, *arrays[0].shape[1:]), arrays[0].dtype)
        for row, array in enumerate(arrays):
            stacked[row, : len(array)] = array
        return torch.from_numpy(stacked).to(device)

    faces_M = face_of_M = None
    if "face" in sources:
        parts = [(b * longest + n, faces) for b, video in enumerate(videos) for n, faces in enumerate(video.faces)]
        face_of_M = torch.tensor([place for place, faces in parts for _ in faces], dtype=torch.long, device=device)
        some = [faces for _, faces in parts if len(faces)]
        faces_M = as_input(np.concatenate(some), device) if some else torch.zeros(0, device=device)
    return Tokens(
        padded([video.place_N for video in videos]),
        {source: padded([video.found(source) for video in videos]) for source in sources},
        faces_M,
        face_of_M,
        padded([np.nan_to_num(video.context_ND) for video in videos]) if "context" in sources else None,
        padded([np.nan_to_num(video.gestures_NG) for video in videos]) if "gestures" in sources else None,
        padded([np.nan_to_num(video.pose_NFX) for video in videos]) if "pose" in sources else None,
    )


def as_input(faces_M: np.ndarray, device: torch.device) -> torch.Tensor:
    """Convert faces uint8 (M, H, W, 3) to SwinFace's input, float32 (M, 3, H, W) in [-1, 1]; keep embeddings as is."""
    given = torch.from_numpy(np.ascontiguousarray(faces_M)).to(device)
    return given if given.dim() == 2 else (given.permute(0, 3, 1, 2).float() / 255 - 0.5) / 0.5


def _faces(shard: Shard | None, clip_id: str, frames: int, size: int) -> np.ndarray:
    if shard is None or shard.reason(clip_id):
        return np.zeros((0, size, size, 3), np.uint8)
    frames_THWC = shard.read(clip_id)
    chosen_FHWC = frames_THWC[evenly(np.flatnonzero(visible(frames_THWC)), frames)]
    if chosen_FHWC.shape[1:3] == (size, size):
        return chosen_FHWC
    resized = [cv2.resize(frame, (size, size), interpolation=cv2.INTER_AREA) for frame in chosen_FHWC]
    return np.array(resized, np.uint8).reshape(-1, size, size, 3)


def _one(faces_FX: np.ndarray, choice: float, mirror: bool) -> np.ndarray:
    """Choose one of several faces, mirrored or not, if there are any; embeddings are never mirrored."""
    if not len(faces_FX):
        return faces_FX
    first = int(choice * len(faces_FX))
    face_1X = faces_FX[first : first + 1]
    return face_1X[:, :, ::-1] if mirror and face_1X.ndim == 4 else face_1X


def _without(values_NX: np.ndarray | None, hidden_N: np.ndarray) -> np.ndarray | None:
    """Return a copy of tokens in which those of the hidden clips are NaN."""
    if values_NX is None:
        return None
    return np.where(np.expand_dims(hidden_N, tuple(range(1, values_NX.ndim))), np.float32(np.nan), values_NX)


def _gestures(table: pd.DataFrame, gestures: Mapping[str, Embedding]) -> np.ndarray:
    fps_N = table.fps.fillna(FPS).to_numpy(float)
    seconds_N = table.n_frames.to_numpy(float) / fps_N
    before_N = np.maximum.accumulate([-1.0, *table.end.to_numpy(float)])[:-1] if len(table) else np.zeros(0)
    length_N = (table.end - table.start + 1).to_numpy(float)  # in frames of the recording, even if it is resampled
    pause_N = (table.start.to_numpy(float) - before_N - 1) * seconds_N / length_N
    rows = []
    for clip_id, seconds, pause in zip(table.clip_id, seconds_N, pause_N, strict=True):
        known = clip_id in gestures
        rows.append(gesture_features(np.exp(gestures[clip_id].logits_K), seconds, pause) if known else None)
    width = len(next(iter(gestures.values())).logits_K) + 2 if gestures else 1
    return _filled(rows, width)


def _context(table: pd.DataFrame, context: Mapping[str, Embedding]) -> np.ndarray:
    rows = [context[clip_id].features_D if clip_id in context else None for clip_id in table.clip_id]
    return _filled(rows, len(next(iter(context.values())).features_D) if context else 1)


def _poses(table: pd.DataFrame, poses: Poses) -> np.ndarray:
    return _filled([poses[clip_id] for clip_id in table.clip_id], poses.size)


def _filled(rows: list[np.ndarray | None], shape: int | tuple[int, int]) -> np.ndarray:
    """Stack rows of a shape to one array (N, ...), NaN where a row is missing."""
    missing_X = np.full(shape, np.nan, np.float32)
    return np.array([missing_X, *(missing_X if row is None else row for row in rows)], np.float32)[1:]
