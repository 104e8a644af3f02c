"""The features and log-probabilities of a trained stream for each clip.

For clips of the training split, these come from the network that was trained on them. There its predictions are more
confident and more often correct than for new people; nothing here corrects this.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import torch

from ..config.streams import TrainStep
from ..errors import InputError
from ..machine.precision import autocast
from ..machine.resources import Resources
from ..progress import progress
from ..storage.clips import Clips
from ..storage.parquet import read_parquet, write_parquet
from ..streams.augment import step_input
from ..streams.batches import load_batches
from ..streams.fused_samples import open_dataset
from ..streams.predict import Build, as_log_probability, exact_mean, test_batches, trained, view_score

SCHEMA = pa.schema(
    [
        ("clip_id", pa.string()),
        ("features", pa.list_(pa.float32())),  # input of the classifier; null if the stream could not use the clip
        ("logits", pa.list_(pa.float32())),  # log-probabilities; null likewise
        ("reason", pa.string()),  # why the clip was not used; null if it was
    ]
)


@dataclass(frozen=True)
class Embedding:
    """The output of a stream for a clip: float32 features_D, and logits_K, the log-probabilities."""

    features_D: np.ndarray
    logits_K: np.ndarray


@torch.no_grad()
def embed(
    clips: Clips,
    shards: Mapping[str, Sequence[Path]],
    model: Path,
    step: TrainStep,
    build: Build,
    output: Path,
    resources: Resources,
) -> None:
    """Write the features and log-probabilities of every usable clip of all splits as Parquet, or why there are none.

    Both are means over the views of testing, and over the mirrored views if the stream is tested with them; the
    log-probabilities are those of ``predict``. Raises ``InputError`` if the weights belong to other classes or inputs,
    or if the network has no features.
    """
    device, recipe = resources.prepare(), step.recipe.in_testing()
    network = trained(model, step, build, clips.classes).to(device).eval()
    if not hasattr(network, "forward_features"):
        raise InputError(
            f"stream '{step.stream}': its network has no forward_features; name another stream under emotion"
        )
    dataset = open_dataset(
        clips.usable,
        shards,
        step,
        training=False,
        num_clips=recipe.num_clips,
        num_crops=recipe.num_crops,
        workers=resources.workers,
        memory=resources.memory,
    )
    keys = dataset.test_keys()
    batches = test_batches(dataset, step, keys)
    seen: dict[int, list[tuple[np.ndarray, np.ndarray, int]]] = {}
    loaded = load_batches(dataset, batches, device)
    for number, batch in enumerate(progress(loaded, f"embed {step.stream}", len(batches), unit="step")):
        sides = []
        for mirror in (False, True) if recipe.flip else (False,):
            shown = batch._replace(mirror=torch.full_like(batch.mirror, mirror))
            x = step_input(shown, step, training=False)
            with autocast(recipe.precision, device):
                _, features_BD, logits_BK = network.forward_features(*x)
            sides.append((features_BD.float(), view_score(logits_BK, recipe.view_average)))
        features_BSD, score_BSK = (torch.stack(parts, 1).cpu().numpy() for parts in zip(*sides, strict=True))
        own = len(keys[number * len(batch.row) : (number + 1) * len(batch.row)])  # the last batch is padded
        for place, (row, times) in enumerate(zip(batch.row.tolist()[:own], batch.times.tolist(), strict=False)):
            seen.setdefault(row, []).append((features_BSD[place], score_BSK[place], times))
    rows = []
    for row, views in seen.items():
        features_D, logits_K = _means(views, recipe.view_average)
        rows.append({"clip_id": dataset.clip_ids[row], "features": features_D, "logits": logits_K})
    rows += [{"clip_id": clip_id, "reason": reason} for clip_id, reason in dataset.left_out.items()]
    write_parquet(output, pa.Table.from_pylist(rows, SCHEMA))


def _means(views: list[tuple[np.ndarray, np.ndarray, int]], view_average: str) -> tuple[np.ndarray, np.ndarray]:
    features_VSD, score_VSK, times_V = (np.array(parts) for parts in zip(*views, strict=True))
    features_D, mean_K = (exact_mean(values, times_V) for values in (features_VSD, score_VSK))
    return features_D.astype(np.float32), as_log_probability(mean_K, view_average)


def read_embeddings(path: Path) -> dict[str, Embedding]:
    """Read the embeddings of the clips that have them; raises ``InputError`` if the file has other contents."""
    table = read_parquet(path)
    if not table.schema.remove_metadata().equals(SCHEMA):
        raise InputError(f"{path} has no embeddings; delete it and run again")
    return {
        row["clip_id"]: Embedding(np.array(row["features"], np.float32), np.array(row["logits"], np.float32))
        for row in table.to_pylist()
        if row["reason"] is None
    }
