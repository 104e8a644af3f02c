"""What the streams of a recogniser say of every window of a recording, made by the stages themselves."""

import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from torch import nn

from ..config.modalities import store
from ..config.recogniser import Recogniser
from ..ensembles.fusion import Fusion, fuse
from ..errors import UnusableClip
from ..machine.resources import Resources
from ..modalities.depth import make_depth
from ..modalities.face import make_face
from ..modalities.flow import make_flow
from ..modalities.rgb import make_rgb
from ..modalities.taylor import make_taylor
from ..pose.holistic import require_mediapipe
from ..progress import progress
from ..storage.clips import Clips
from ..streams.fused_samples import open_dataset
from ..streams.predict import log_probabilities
from .loading import open_network, open_recogniser
from .motion import motion_of
from .pieces import ROOT, Piece, each_piece, read_keypoints, store_keypoints, store_part, store_reason
from .windows import Recording, window_table

SEEN = {"rgb", "taylor", "flow", "face"}  # kinds of shard for which the video is decoded


@dataclass(frozen=True)
class Windows:
    """The windows of a recording and what was said of each.

    ``starts_N`` and ``ends_N`` are frames, from 0 and included; ``probabilities_NK`` are NaN where no stream could use
    the window. ``motion_N`` is how much moves in each, in grey levels a pixel from frame to frame, NaN without video.
    ``sentences`` tell which streams said nothing, and why.
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
    """A recogniser whose networks are ready.

    ``pose`` says whether keypoints are found in videos that have no file of them; None: if the recogniser has learnt
    from such keypoints. Raises ``InputError`` if its folder is not what was exported, or without the packages for that.
    """

    def __init__(self, folder: Path, resources: Resources, pose: bool | None = None) -> None:
        self.recogniser: Recogniser = open_recogniser(folder)
        self._pose = self.recogniser.pose is not None if pose is None else pose
        if self._pose and self._reads_keypoints:
            require_mediapipe()
        self._resources = resources
        self._device = resources.prepare()
        self._networks: list[nn.Module] = [
            open_network(folder, self.recogniser, member).to(self._device) for member in self.recogniser.members
        ]
        members = self.recogniser.members
        temperatures, weights = zip(*((member.temperature, member.weight) for member in members), strict=True)
        self._fusion = Fusion(np.array(temperatures), np.array(weights))

    def score(self, recording: Recording) -> Windows:
        """The fused probabilities of all windows of a recording, in pieces of a bounded size.

        A stream whose inputs cannot be made is left out, and its weight goes to the others, window by window.
        """
        clips = window_table(recording, self.recogniser.lengths, self.recogniser.classes)
        table, said, reasons = clips.table, [], {}
        wanted = self._pose and self._reads_keypoints
        with tempfile.TemporaryDirectory(prefix="microgesture") as scratch:
            keypoints = read_keypoints(clips, recording, wanted, Path(scratch))
            pieces, total = each_piece(clips, bool(self._kinds & SEEN), Path(scratch)), table.shard.nunique()
            for piece in progress(pieces, f"windows of {recording.name}", total, "piece"):
                with tempfile.TemporaryDirectory(dir=scratch) as folder:
                    shards = self._make(piece, keypoints, Path(folder))
                    logits_SNK = self._listen(piece.clips.table, shards, reasons)
                said.append(fuse(logits_SNK, self._fusion))
        sentences = [f"{recording.name}: left out is {stream}: {why}" for stream, why in reasons.items()]
        if wanted and recording.skeleton is None and recording.video and self.recogniser.pose is None:
            sentences.append(
                f"{recording.name}: its keypoints were found in the video, and the recogniser has learnt from others: "
                "expect less of it"
            )
        spans, probabilities_NK = (table.start.to_numpy(), table.end.to_numpy()), np.concatenate(said)
        return Windows(recording, *spans, probabilities_NK, motion_of(recording, *spans), tuple(sentences))

    @property
    def _kinds(self) -> set[str]:
        return {store(modality) for modality in self.recogniser.inputs}

    @property
    def _reads_keypoints(self) -> bool:
        return bool(self._kinds & {"keypoints", "depth", "face"})

    def _make(self, piece: Piece, keypoints: np.ndarray | UnusableClip, folder: Path) -> dict[str, list[Path]]:
        """The shards of all inputs of a piece, by kind; what cannot be made of a window says why in its shard."""
        wanted, settings, scratch = self._kinds, self.recogniser, folder / "scratch"
        files = {kind: folder / f"{kind}.arrow" for kind in (*wanted, "keypoints", "rgb", "skeletons")}
        clips, rows = piece.clips, piece.clips.table
        rgb, selection = settings.rgb.model_dump(), settings.keypoints.selection
        store_keypoints(rows, keypoints, selection, files["keypoints"])
        if wanted & {"rgb", "taylor", "flow"}:
            if piece.damage:
                store_reason(rows, piece.damage, files["rgb"])
            else:
                make_rgb(clips, 0, ROOT, files["keypoints"], files["rgb"], scratch, **rgb)
        if "taylor" in wanted:
            make_taylor(files["rgb"], files["taylor"], scratch, **settings.taylor.model_dump())
        if "flow" in wanted:
            device = {"device": self._resources.device, "threads": self._resources.threads}
            make_flow(files["rgb"], files["flow"], scratch, **settings.flow.model_dump(), **device)
        if "depth" in wanted:
            make_depth(
                *(clips, 0, files["keypoints"], files["depth"], scratch),
                backend=settings.depth.backend,
                selection=selection,
                **rgb,
            )
        if "face" in wanted:
            if piece.damage:
                store_reason(rows, piece.damage, files["face"])
            else:
                there = Clips(store_part(rows, keypoints, files["skeletons"]), clips.classes, clips.targets)
                face = settings.face.model_dump()
                make_face(there, 0, ROOT, files["skeletons"], files["face"], scratch, **face)
        return {kind: [files[kind]] for kind in wanted}

    def _listen(self, table: pd.DataFrame, shards: dict[str, list[Path]], reasons: dict[str, str]) -> np.ndarray:
        """The logits of every stream for some windows, (S, N, K), NaN where it has none; ``reasons`` gets its first."""
        logits_SNK = np.full((len(self._networks), len(table), len(self.recogniser.classes)), np.nan)
        row_of = {clip_id: row for row, clip_id in enumerate(table.clip_id)}
        members = zip(self.recogniser.members, self._networks, logits_SNK, strict=True)
        for member, network, logits_NK in members:
            step = member.step
            options = {"views": step.recipe.views, "crops": step.recipe.crops, "memory": self._resources.memory}
            dataset = open_dataset(table, shards, step, training=False, workers=self._resources.workers, **options)
            both_sides = step.recipe.in_testing().flip
            found_NK = log_probabilities(network, dataset, step, self._device, both_sides=both_sides)
            rows = [row_of[clip_id] for clip_id in dataset.clip_ids]
            if rows:
                logits_NK[rows] = found_NK
            for why in list(dataset.left_out.values())[:1]:
                reasons.setdefault(step.stream, why)
        return logits_SNK
