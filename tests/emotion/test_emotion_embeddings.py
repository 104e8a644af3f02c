import numpy as np
import pytest
import torch

from fixtures.fused_clips import fused_of, step_of, write_stores
from fixtures.training_clips import draw_video, make_clips, make_step, write_shards
from microgesture.emotion.embeddings import embed, read_embeddings
from microgesture.errors import InputError, UnusableClip
from microgesture.machine.resources import Resources
from microgesture.networks import build
from microgesture.skeletons.selections import selection_named
from microgesture.storage.scores import read_scores
from microgesture.storage.shards import write_shard
from microgesture.streams.augment import input_channels, step_input
from microgesture.streams.batches import load_batches
from microgesture.streams.predict import network_of, predict
from microgesture.streams.samples import ClipDataset
from microgesture.streams.weights import About, save_weights

SPLITS, LABELS = ["train"] * 4 + ["val"] * 3 + ["test"] * 3, [0, 1] * 5


def a_stream(folder, *inputs, **recipe):
    """Clips of all splits, their shards and the weights of an untrained network."""
    step = make_step(*inputs, num_clips=3, **recipe)
    torch.manual_seed(0)
    network = build(step.network, input_channels(step.inputs, selection_named("36")), 2).eval()
    save_weights(folder / "model.safetensors", network.state_dict(), About("s", step.inputs, ("wave", "nod")))
    clips = make_clips(SPLITS, [*LABELS[:7], None, None, None])
    return network, clips, write_shards(folder, inputs, LABELS), folder / "model.safetensors", step


@pytest.mark.parametrize("view_average", ["probabilities", "logits"])
def test_every_usable_clip_is_seen_and_the_logits_are_those_of_prediction(tmp_path, view_average):
    _, clips, shards, model, step = a_stream(tmp_path, "rgb", view_average=view_average)
    clips.table.loc[2, "status"] = "quarantined"
    embed(clips, shards, model, step, build, tmp_path / "seen.parquet", Resources("cpu"))
    seen = read_embeddings(tmp_path / "seen.parquet")
    assert list(seen) == [f"c{row}" for row in range(10) if row != 2]
    outputs = {split: tmp_path / f"{split}.parquet" for split in ("val", "test")}
    predict(clips, shards, model, step, build, outputs, Resources("cpu"))
    for path in outputs.values():
        for clip_id, logits_K in read_scores(path).log_probabilities.items():
            np.testing.assert_allclose(seen[clip_id].logits_K, logits_K, atol=1e-5)


def test_features_are_the_mean_over_all_views(tmp_path):
    network, clips, shards, model, step = a_stream(tmp_path, "rgb")
    embed(clips, shards, model, step, build, tmp_path / "seen.parquet", Resources("cpu"))
    data = ClipDataset(clips.usable, shards, step, training=False, num_clips=3)
    views = []
    for view in range(3):
        (batch,) = load_batches(data, [[(0, view)]], torch.device("cpu"))
        with torch.no_grad():
            views.append(network.forward_features(*step_input(batch, step, training=False)).features_BD[0].numpy())
    assert not np.allclose(views[0], views[2])
    seen = read_embeddings(tmp_path / "seen.parquet")["c0"]
    np.testing.assert_allclose(seen.features_D, np.mean(views, 0), rtol=1e-4, atol=1e-5)


def test_a_clip_without_the_input_has_no_embedding_and_other_files_are_none(tmp_path):
    _, clips, shards, model, step = a_stream(tmp_path, "rgb")
    made = [(f"c{row}", draw_video(label, row)) for row, label in enumerate(LABELS)]
    write_shard(shards["rgb"][0], [*made[:9], ("c9", UnusableClip("the video is truncated"))], "jpeg")
    embed(clips, shards, model, step, build, tmp_path / "seen.parquet", Resources("cpu"))
    assert "c9" not in read_embeddings(tmp_path / "seen.parquet")
    predict(clips, shards, model, step, build, {"val": tmp_path / "val.parquet"}, Resources("cpu"))
    with pytest.raises(InputError, match="has no embeddings"):
        read_embeddings(tmp_path / "val.parquet")


def test_a_network_that_shows_no_features_is_refused(tmp_path):
    _, clips, shards, model, step = a_stream(tmp_path, "rgb", "joint")
    with pytest.raises(InputError, match=r"small_rgb_joint.*forward_features"):
        embed(clips, shards, model, step, build, tmp_path / "seen.parquet", Resources("cpu"))


def test_a_fused_stream_gives_features_even_of_clips_that_lack_an_input(tmp_path):
    step = fused_of(step_of("rgb"), step_of("joint"))
    shards, clips = write_stores(tmp_path, LABELS, {"keypoints": [4]}), make_clips(SPLITS, LABELS)
    torch.manual_seed(0)
    network = network_of(step, build, 2)
    save_weights(tmp_path / "model.safetensors", network.state_dict(), About("s", step.inputs, ("wave", "nod")))
    embed(clips, shards, tmp_path / "model.safetensors", step, build, tmp_path / "seen.parquet", Resources("cpu"))
    predict(
        clips, shards, tmp_path / "model.safetensors", step, build, {"val": tmp_path / "val.parquet"}, Resources("cpu")
    )
    seen, scores = read_embeddings(tmp_path / "seen.parquet"), read_scores(tmp_path / "val.parquet")
    assert len(seen) == 10
    assert list(scores.log_probabilities) == ["c4", "c5", "c6"]
    for clip_id, logits_K in scores.log_probabilities.items():
        np.testing.assert_allclose(seen[clip_id].logits_K, logits_K, atol=1e-5)
