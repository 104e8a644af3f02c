"""Predict every window of a recording with the streams of a recogniser; the inputs come from the usual stages."""

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
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
from ..skeletons.layouts import Skeleton
from ..skeletons.person import noted
from ..skeletons.plausibility import Rules
from ..skeletons.trajectories import steady
from ..storage.clips import Clips
from ..storage.scratch import temporary_folder
from ..storage.shards import Shard, copy_clip, write_shard
from ..streams.fused_samples import open_dataset
from ..streams.predict import log_probabilities
from .loading import open_network, open_recogniser
from .motion import motion_of
from .scores import Windows, empty_windows
from .stretches import ROOT, Stretch, clips_of, divided, read_keypoints
from .views import Geometry, View, WindowShard, array_of
from .windows import Recording, window_spans


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
        self._fusion = Fusion.from_json(self.recogniser.fusion, streams)

    def windows_of(self, recording: Recording) -> Windows:
        """List the windows of a recording with their motion, before any is scored."""
        spans = window_spans(recording.times, self.recogniser.lengths)
        own = self.recogniser.finding
        return empty_windows(
            recording, self.recogniser.classes, own.threshold, own.overlap, *spans, motion_of(recording, *spans)
        )

    def score(self, recording: Recording, windows: Windows, rows_M: np.ndarray) -> Windows:
        """Add the fused probabilities of some windows of a recording, given by their numbers, in order.

        A stream without an input for a window is left out there, and its weight is divided among the others.
        """
        wanted = self._pose if self._reads_keypoints else None
        spans_M2 = np.stack((windows.starts_N[rows_M], windows.ends_N[rows_M]), 1)
        damaged_M = np.full(len(rows_M), recording.video is not None) & np.isnan(windows.motion_N[rows_M])
        fused_MK, reasons = np.empty((len(rows_M), len(self.recogniser.classes))), {}
        with temporary_folder() as scratch:
            keypoints = read_keypoints(recording, wanted, scratch, self.recogniser.person, self._rules)
            how, steadied = self.recogniser.keypoints, keypoints
            if how.is_steadied and isinstance(keypoints, Skeleton):
                steadied = keypoints.converted(partial(steady, longest=how.fill_gaps, window=how.smoothing))
            stretches = divided(recording, *spans_M2.T, damaged_M, steadied, how.selection, self.recogniser.fps)
            size = (recording.width, recording.height)
            geometries = {
                name: Geometry(stretches, spans_M2, size, getattr(self.recogniser, name))
                for name in dict.fromkeys(MODALITIES[kind].framed_as or "rgb" for kind in ("rgb", *self._made))
            }
            clips = clips_of(recording, stretches, self.recogniser.fps, self.recogniser.classes)
            sources = self._decode(clips, stretches, keypoints, geometries, scratch)
            title = f"windows of {recording.name}"
            for stretch in progress(stretches, title, len(stretches), "piece"):
                with tempfile.TemporaryDirectory(dir=scratch) as folder:
                    made = self._make(stretch, clips, sources, geometries, Path(folder))
                windows_M = [str(row) for row in stretch.rows_M]
                views = {
                    name: dict(zip(windows_M, geometry.views(stretch, spans_M2), strict=True))
                    for name, geometry in geometries.items()
                }
                fused_MK[stretch.rows_M] = fuse(self._listen(recording, views, made, reasons), self._fusion)
        sentences = [f"{recording.name}: stream {stream} was left out: {why}" for stream, why in reasons.items()]
        if wanted and recording.skeleton is None and recording.video and self.recogniser.pose is None:
            sentences.append(
                f"{recording.name}: its keypoints were found in the video, but those of the training data came from "
                "files, so predictions may be worse"
            )
        return windows.with_scores(rows_M, fused_MK, tuple(sentences))

    @property
    def _rules(self) -> Rules:
        return Rules.of(self.recogniser, self.recogniser.keypoint_files)

    @property
    def _kinds(self) -> set[str]:
        return {store(modality) for modality in self.recogniser.inputs}

    @property
    def _made(self) -> list[str]:
        """The modalities of the streams and their sources, each after its sources."""
        made = with_sources(self._kinds, lambda name: getattr(self.recogniser, name).made_from)
        return [name for name in made if name != "keypoints"]

    @property
    def _reads_keypoints(self) -> bool:
        return any("keypoints" in getattr(self.recogniser, name).needs for name in self._kinds)

    def _decode(
        self,
        clips: Clips,
        stretches: Sequence[Stretch],
        keypoints: Skeleton | UnusableClip,
        geometries: Mapping[str, Geometry],
        folder: Path,
    ) -> dict[str, Path]:
        """Write shards of all stretches: their keypoints, and the modalities that open the video, which is read once.

        The frames of a video are stored as they are in a run, so that they need little space.
        """
        files = {"keypoints": folder / "keypoints.arrow"}
        write_shard(files["keypoints"], [(stretch.name, stretch.keypoints) for stretch in stretches], "zstd")
        if any("skeletons" in getattr(self.recogniser, name).made_from for name in self._made):
            files["skeletons"] = folder / "recording.arrow"
            name = clips.table.recording.iloc[0]
            write_shard(
                files["skeletons"], [(name, noted(keypoints) if isinstance(keypoints, Skeleton) else keypoints)], "zstd"
            )
            clips = replace(clips, table=clips.table.assign(skeleton=name))
        for name in self._made:
            if MODALITIES[name].opens_videos:
                files[name] = folder / f"{name}.arrow"
                make_modality(MODALITIES[name], self._work(name, clips, files, geometries, folder / "decoding"))
        return files

    def _make(
        self, stretch: Stretch, clips: Clips, sources: dict[str, Path], geometries: Mapping[str, Geometry], folder: Path
    ) -> dict[str, np.ndarray | UnusableClip]:
        """Make the inputs of a stretch from its part of the ``sources``; return its array of each kind of input."""
        files = {kind: folder / f"{kind}.arrow" for kind in sources if kind != "skeletons"}
        for kind, file in files.items():
            copy_clip(Shard(sources[kind]), stretch.name, file)
        own = replace(clips, table=clips.table[clips.table.clip_id == stretch.name])
        for name in self._made:
            if name not in files:
                files[name] = folder / f"{name}.arrow"
                make_modality(MODALITIES[name], self._work(name, own, files, geometries, folder / "scratch"))
        made = {kind: array_of(Shard(files[kind]), stretch.name) for kind in self._kinds - {"keypoints"}}
        return made | {"keypoints": stretch.keypoints}

    def _work(
        self, name: str, clips: Clips, files: dict[str, Path], geometries: Mapping[str, Geometry], scratch: Path
    ) -> Work:
        own = getattr(self.recogniser, name)
        settings = {used: getattr(self.recogniser, used) for used in (name, *MODALITIES[name].uses)}
        return Work(
            settings={used: geometries[used].settings if used in geometries else settings[used] for used in settings},
            output=files[name],
            scratch=scratch,
            shards={kind: files[kind] for kind in (*own.made_from, *own.made_from_if_there)},
            clips=clips,
            root=ROOT,
            device=self._resources.device,
            threads=self._resources.threads,
        )

    def _listen(
        self,
        recording: Recording,
        views: Mapping[str, dict[str, View]],
        made: dict[str, np.ndarray | UnusableClip],
        reasons: dict[str, str],
    ) -> np.ndarray:
        """Compute the log-probabilities of every stream for some windows, (S, N, K), NaN where it has none.

        ``views`` are those of the windows by the modality that says which part of the frame is shown. The first reason
        of each stream for a missing window is added to ``reasons``.
        """
        windows = list(views["rgb"])
        table = pd.DataFrame({"clip_id": windows, "label": None})
        table = table.assign(width=recording.width, height=recording.height)
        shards = {
            kind: [WindowShard(array, views[framed or "rgb"], kind == "keypoints" or framed is None)]
            for kind, array in made.items()
            for framed in (MODALITIES[kind].framed_as,)
        }
        logits_SNK = np.full((len(self._networks), len(windows), len(self.recogniser.classes)), np.nan)
        row_of = {clip_id: row for row, clip_id in enumerate(windows)}
        members = zip(self.recogniser.members, self._networks, logits_SNK, strict=True)
        for member, network, logits_NK in members:
            step = member.step
            # One view is enough: windows overlap, so each moment is seen several times.
            options = {"workers": self._resources.workers, "memory": self._resources.memory}
            dataset = open_dataset(table, shards, step, training=False, **options)
            found_NK = log_probabilities(network, dataset, step, self._device, both_sides=False)
            rows = [row_of[clip_id] for clip_id in dataset.clip_ids]
            if rows:
                logits_NK[rows] = found_NK
            for why in list(dataset.left_out.values())[:1]:
                reasons.setdefault(step.stream, why)
        return logits_SNK
