"""Predict every window of a recording with the streams of a recogniser; the inputs come from the usual stages."""

import tempfile
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd
from torch import nn

from ..config.modalities import MODALITIES, store, with_sources
from ..config.recogniser import Recogniser
from ..ensembles.fusion import Fusion, fuse
from ..errors import UnusableClip
from ..machine.resources import Resources
from ..modalities.work import Work, make_modality
from ..pose.methods import Pose, require
from ..progress import progress
from ..skeletons.trajectories import steady
from ..storage.clips import Clips
from ..storage.scratch import temporary_folder
from ..streams.fused_samples import open_dataset
from ..streams.predict import log_probabilities
from .loading import open_network, open_recogniser
from .motion import motion_of
from .pieces import ROOT, Piece, each_piece, read_keypoints, store_keypoints, store_part, store_reason
from .windows import Recording, window_table

Keypoints = np.ndarray | UnusableClip  # (T, V, 3) of a recording, or why it has none


@dataclass(frozen=True)
class Windows:
    """The windows of a recording and their predictions.

    ``starts_N`` and ``ends_N`` are the first and last frames, from 0; ``probabilities_NK`` are NaN if no stream could
    use the window. ``motion_N`` is the mean change of a pixel from frame to frame in grey levels, NaN without a video.
    ``sentences`` name the streams without predictions, with the reason.
    """

    recording: Recording
    starts_N: np.ndarray
    ends_N: np.ndarray
    probabilities_NK: np.ndarray
    motion_N: np.ndarray
    sentences: tuple[str, ...]

    @property
    def silent(self) -> bool:
        """Whether no stream could use any window."""
        return bool(np.isnan(self.probabilities_NK).all())


class Scorer:
    """A recogniser with its networks loaded.

    With ``pose``, keypoints are found in videos that have no file of keypoints; None means that this is done if the
    recogniser was trained with such keypoints. Raises ``InputError`` if the folder is not as it was exported, or if the
    packages for finding keypoints are missing.
    """

    def __init__(self, folder: Path, resources: Resources, pose: bool | None = None) -> None:
        self.recogniser: Recogniser = open_recogniser(folder)
        wanted = self.recogniser.pose is not None if pose is None else pose
        self._pose = Pose(self.recogniser.pose or "mediapipe", self.recogniser.pose_weights) if wanted else None
        if self._pose and self._reads_keypoints:
            require(self._pose)
        self._resources = resources
        self._device = resources.prepare()
        self._networks: list[nn.Module] = [
            open_network(folder, self.recogniser, member).to(self._device) for member in self.recogniser.members
        ]
        streams = [member.step.stream for member in self.recogniser.members]
        # The temperature of the fused probabilities is fitted on cut clips. Windows with a part of a gesture would be
        # too confident: on val of the demo, F1 of the timelines falls from 0.93 to 0.90.
        self._fusion = replace(Fusion.from_json(self.recogniser.fusion, streams), temperature=1.0)

    def score(self, recording: Recording) -> Windows:
        """Compute the fused probabilities of all windows of a recording, in pieces of limited size.

        A stream without an input for a window is left out there, and its weight is divided among the others.
        """
        clips = window_table(recording, self.recogniser.lengths, self.recogniser.classes, self.recogniser.fps)
        table, said, reasons = clips.table, [], {}
        wanted = self._pose if self._reads_keypoints else None
        with temporary_folder() as scratch:
            keypoints = read_keypoints(clips, recording, wanted, scratch, self.recogniser.person)
            how = self.recogniser.keypoints
            steadied = keypoints
            if how.is_steadied and isinstance(keypoints, np.ndarray):
                steadied = steady(keypoints, how.fill_gaps, how.smoothing)
            pieces, total = each_piece(clips, self._opens_videos, scratch), table.shard.nunique()
            for piece in progress(pieces, f"windows of {recording.name}", total, "piece"):
                with tempfile.TemporaryDirectory(dir=scratch) as folder:
                    shards = self._make(piece, keypoints, steadied, Path(folder))
                    logits_SNK = self._listen(piece.clips.table, shards, reasons)
                said.append(fuse(logits_SNK, self._fusion))
        sentences = [f"{recording.name}: stream {stream} was left out: {why}" for stream, why in reasons.items()]
        if wanted and recording.skeleton is None and recording.video and self.recogniser.pose is None:
            sentences.append(
                f"{recording.name}: its keypoints were found in the video, but those of the training data came from "
                "files, so predictions may be worse"
            )
        spans, probabilities_NK = (table.start.to_numpy(), table.end.to_numpy()), np.concatenate(said)
        return Windows(recording, *spans, probabilities_NK, motion_of(recording, *spans), tuple(sentences))

    @property
    def _kinds(self) -> set[str]:
        return {store(modality) for modality in self.recogniser.inputs}

    @property
    def _made(self) -> list[str]:
        """The modalities of the streams and their sources, each after its sources."""
        made = with_sources(self._kinds, lambda name: getattr(self.recogniser, name).made_from)
        return [name for name in made if name != "keypoints"]

    @property
    def _opens_videos(self) -> bool:
        return any(MODALITIES[name].opens_videos for name in self._made)

    @property
    def _reads_keypoints(self) -> bool:
        return any("keypoints" in getattr(self.recogniser, name).needs for name in self._kinds)

    def _make(self, piece: Piece, keypoints: Keypoints, steadied: Keypoints, folder: Path) -> dict[str, list[Path]]:
        """Write the shards of all inputs of a piece and return them by kind; unusable windows have a reason there.

        ``keypoints`` are those of the recording, and ``steadied`` the same after filling and smoothing.
        """
        files = {kind: folder / f"{kind}.arrow" for kind in ("keypoints", "skeletons", *self._made)}
        clips, rows = piece.clips, piece.clips.table
        store_keypoints(rows, steadied, self.recogniser.keypoints.selection, files["keypoints"])
        with_skeletons = clips
        if any("skeletons" in getattr(self.recogniser, name).made_from for name in self._made):
            with_skeletons = Clips(store_part(rows, keypoints, files["skeletons"]), clips.classes, clips.targets)
        for name in self._made:
            modality, own = MODALITIES[name], getattr(self.recogniser, name)
            if modality.opens_videos and piece.damage:
                store_reason(rows, piece.damage, files[name])
                continue
            sources = (*own.made_from, *own.made_from_if_there)
            work = Work(
                settings={used: getattr(self.recogniser, used) for used in (name, *modality.uses)},
                output=files[name],
                scratch=folder / "scratch",
                shards={kind: files[kind] for kind in sources},
                clips=with_skeletons if "skeletons" in sources else clips,
                root=ROOT,
                device=self._resources.device,
                threads=self._resources.threads,
            )
            make_modality(modality, work)
        return {kind: [files[kind]] for kind in self._kinds}

    def _listen(self, table: pd.DataFrame, shards: dict[str, list[Path]], reasons: dict[str, str]) -> np.ndarray:
        """Compute the log-probabilities of every stream for some windows, (S, N, K), NaN where it has none.

        The first reason of each stream for a missing window is added to ``reasons``.
        """
        logits_SNK = np.full((len(self._networks), len(table), len(self.recogniser.classes)), np.nan)
        row_of = {clip_id: row for row, clip_id in enumerate(table.clip_id)}
        members = zip(self.recogniser.members, self._networks, logits_SNK, strict=True)
        for member, network, logits_NK in members:
            step = member.step
            options = {
                "num_clips": step.recipe.num_clips,
                "num_crops": step.recipe.num_crops,
                "memory": self._resources.memory,
            }
            dataset = open_dataset(table, shards, step, training=False, workers=self._resources.workers, **options)
            both_sides = step.recipe.in_testing().flip
            found_NK = log_probabilities(network, dataset, step, self._device, both_sides=both_sides)
            rows = [row_of[clip_id] for clip_id in dataset.clip_ids]
            if rows:
                logits_NK[rows] = found_NK
            for why in list(dataset.left_out.values())[:1]:
                reasons.setdefault(step.stream, why)
        return logits_SNK
