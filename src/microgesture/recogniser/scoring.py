"""What the streams of a recogniser say of every window of a recording, made by the stages themselves."""

import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from torch import nn

from ..batches import Machine
from ..clips import Clips
from ..fused_samples import open_dataset
from ..fusion import Fusion, fuse
from ..keypoints import select_keypoints
from ..modalities.depth import make_depth
from ..modalities.face import make_face
from ..modalities.flow import make_flow
from ..modalities.rgb import make_rgb
from ..modalities.taylor import make_taylor
from ..predict import log_probabilities
from ..progress import progress
from ..skeletons import read_skeletons
from ..stream import store
from .loading import open_network, open_recogniser
from .settings import Recogniser
from .windows import Recording, window_table

ROOT = Path("/")  # windows name their files from there


@dataclass(frozen=True)
class Windows:
    """The windows of a recording and what was said of each.

    ``starts_N`` and ``ends_N`` are frames, from 0 and included; ``probabilities_NK`` are NaN where no stream could use
    the window. ``sentences`` tell which streams said nothing, and why.
    """

    recording: Recording
    starts_N: np.ndarray
    ends_N: np.ndarray
    probabilities_NK: np.ndarray
    sentences: tuple[str, ...]

    @property
    def silent(self) -> bool:
        """Whether no stream could use any window."""
        return bool(np.isnan(self.probabilities_NK).all())


class Scorer:
    """A recogniser whose networks are ready; raises ``InputError`` if its folder is not what was exported."""

    def __init__(self, folder: Path, machine: Machine) -> None:
        self.recogniser: Recogniser = open_recogniser(folder)
        self._machine = machine
        self._device = machine.prepare()
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
        with tempfile.TemporaryDirectory(prefix="microgesture") as scratch:
            skeletons = Path(scratch) / "skeletons.arrow"
            whole = Clips(table.assign(shard=0), clips.classes, clips.targets)
            read_skeletons(whole, 0, ROOT, skeletons, Path(scratch) / "reading")
            pieces = sorted(set(table.shard))
            for piece in progress(pieces, f"windows of {recording.name}", len(pieces), "piece"):
                with tempfile.TemporaryDirectory(dir=scratch) as folder:
                    shards = self._make(clips, piece, skeletons, Path(folder))
                    logits_SNK = self._listen(table[table.shard == piece], shards, reasons)
                said.append(fuse(logits_SNK, self._fusion))
        sentences = tuple(f"{recording.name}: left out is {stream}: {why}" for stream, why in reasons.items())
        return Windows(recording, table.start.to_numpy(), table.end.to_numpy(), np.concatenate(said), sentences)

    def _make(self, clips: Clips, piece: int, skeletons: Path, folder: Path) -> dict[str, list[Path]]:
        """The shards of all inputs of a piece, by kind; what cannot be made of a window says why in its shard."""
        wanted = {store(modality) for member in self.recogniser.members for modality in member.step.inputs}
        settings, files = self.recogniser, {kind: folder / f"{kind}.arrow" for kind in (*wanted, "keypoints", "rgb")}
        scratch, piece = folder / "scratch", int(piece)
        rgb, selection = settings.rgb.model_dump(), settings.keypoints.selection
        select_keypoints(clips, piece, skeletons, files["keypoints"], scratch, selection)
        if wanted & {"rgb", "taylor", "flow"}:
            make_rgb(clips, piece, ROOT, files["keypoints"], files["rgb"], scratch, **rgb)
        if "taylor" in wanted:
            make_taylor(files["rgb"], files["taylor"], scratch, **settings.taylor.model_dump())
        if "flow" in wanted:
            machine = {"device": self._machine.device, "threads": self._machine.threads}
            make_flow(files["rgb"], files["flow"], scratch, **settings.flow.model_dump(), **machine)
        if "depth" in wanted:
            make_depth(
                *(clips, piece, files["keypoints"], files["depth"], scratch),
                backend=settings.depth.backend,
                selection=selection,
                **rgb,
            )
        if "face" in wanted:
            make_face(clips, piece, ROOT, skeletons, files["face"], scratch, **settings.face.model_dump())
        return {kind: [files[kind]] for kind in wanted}

    def _listen(self, table: pd.DataFrame, shards: dict[str, list[Path]], reasons: dict[str, str]) -> np.ndarray:
        """The logits of every stream for some windows, (S, N, K), NaN where it has none; ``reasons`` gets its first."""
        logits_SNK = np.full((len(self._networks), len(table), len(self.recogniser.classes)), np.nan)
        row_of = {clip_id: row for row, clip_id in enumerate(table.clip_id)}
        members = zip(self.recogniser.members, self._networks, logits_SNK, strict=True)
        for member, network, logits_NK in members:
            step = member.step
            options = {"views": step.recipe.views, "crops": step.recipe.crops, "memory": self._machine.memory}
            dataset = open_dataset(table, shards, step, training=False, workers=self._machine.workers, **options)
            both_sides = step.recipe.in_testing().flip
            found_NK = log_probabilities(network, dataset, step, self._device, both_sides=both_sides)
            rows = [row_of[clip_id] for clip_id in dataset.clip_ids]
            if rows:
                logits_NK[rows] = found_NK
            for why in list(dataset.left_out.values())[:1]:
                reasons.setdefault(step.stream, why)
        return logits_SNK
