"""The stage that computes the features of a pretrained video encoder, once for each test view of a clip."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from torch.utils.data import default_collate

from ..config.streams import TrainStep
from ..errors import UnusableClip
from ..machine.precision import autocast
from ..modalities.inference import Batches, device_named
from ..networks.video_encoders import VideoEncoder
from ..progress import progress
from ..storage.shards import Made, Noted, Shard, build_shard, each_clip
from .augment import step_input
from .features import KIND, sides
from .samples import ClipDataset, Sample
from .weights import ENCODER, load_weights, refuse_other_encoder

VIEWS = 8  # of a clip at a time


@dataclass(frozen=True)
class FeatureFiles:
    """A shard of frames, the encoder's weights, the shard of features to write, and a folder for unfinished work."""

    frames: Path
    weights: Path
    output: Path
    scratch: Path


def make_features(step: TrainStep, files: FeatureFiles, device: str = "auto", threads: int = 1) -> None:
    """Write the features of each clip of a shard, float16 (V, S, T, N, D), for its V distinct test views.

    S is 2 if the views are also mirrored, otherwise 1; see ``VideoEncoder`` for T, N and D. The note of a clip has how
    often each of its views occurs (``times``). ``step`` has the encoder. A clip without frames keeps its reason; so
    does one whose features are not finite.
    """
    step = step.model_copy(update={"encoder": step.encoder.model_copy(update={"stored": False})})
    network = VideoEncoder(step.encoder, step.network.grid)
    refuse_other_encoder(files.weights, step.encoder)
    state, _ = load_weights(files.weights)
    network.load_state_dict({name.removeprefix(ENCODER): tensor for name, tensor in state.items()})
    network.eval().to(on := device_named(device, threads))
    frames, batches = Shard(files.frames), Batches(VIEWS, "view")

    def features_of(clip_id: str) -> Noted:
        table = pd.DataFrame({"clip_id": [clip_id], "label": [None]})
        options = {"num_clips": step.recipe.num_clips, "num_crops": step.recipe.num_crops}
        dataset = ClipDataset(table, {step.inputs[0]: [frames]}, step, training=False, **options)
        if dataset.left_out:
            raise UnusableClip(dataset.left_out[clip_id])
        samples = [dataset[key] for key in dataset.test_keys()]

        def encoded(start: int, stop: int) -> np.ndarray:
            seen = [_encoded(network, samples[start:stop], step, on, mirror) for mirror in sides(step)]
            return torch.stack(seen, 1).cpu().numpy()

        features_VSTND = np.concatenate([part for _, part in batches.over(len(samples), encoded)])
        if not np.isfinite(features_VSTND).all():
            raise UnusableClip("the features of the encoder are not finite as float16; precision: fp32 may help")
        return Noted(features_VSTND, {"times": [int(sample.times) for sample in samples]})

    def produce(clip_ids: list[str]) -> Iterator[tuple[str, Made]]:
        title = f"{KIND} {files.output.parent.name}/{files.output.stem}"
        return each_clip(progress(clip_ids, title, total=len(clip_ids)), features_of)

    build_shard(files.output, files.scratch, frames.clip_ids, produce, "raw")


@torch.no_grad()
def _encoded(
    network: VideoEncoder, samples: Sequence[Sample], step: TrainStep, device: torch.device, mirror: bool
) -> torch.Tensor:
    """Features (V, T, N, D), float16, of the views of a clip."""
    batch = default_collate(list(samples))
    data = tuple(part.to(device) for part in batch.data)
    turned = torch.full((len(samples),), mirror, device=device)
    lit = {key: getattr(batch, key).to(device) for key in ("brightness", "contrast")}
    (x_BCTHW,) = step_input(batch._replace(data=data, mirror=turned, **lit), step, training=False)
    with autocast(step.recipe.precision, device):
        return network(x_BCTHW).half()
