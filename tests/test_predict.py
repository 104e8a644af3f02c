import numpy as np
import pytest
import torch

from microgesture.augment import network_input
from microgesture.batches import Machine, load_batches
from microgesture.clips import Clips
from microgesture.errors import InputError, UnusableClip
from microgesture.keypoints import SELECTIONS
from microgesture.networks import build
from microgesture.predict import predict
from microgesture.samples import ClipDataset
from microgesture.scores import read_scores
from microgesture.shards import Shard, write_shard
from microgesture.weights import About, load_weights, save_weights
from training_clips import make_clips, make_step, write_clips_shard

LABELS = [0, 1] * 5
SPLITS = ["val"] * 4 + ["test"] * 6


@pytest.fixture
def stream(tmp_path):
    """Clips, shard and weights of an untrained network that tells clips apart."""
    step = make_step("joint", views=3)
    torch.manual_seed(0)
    network = build(step.network, 36, 2)
    torch.nn.init.normal_(network.head[-1].weight, std=3)
    save_weights(tmp_path / "model.safetensors", network.state_dict(), About("s", "joint", ("wave", "nod")))
    shard = write_clips_shard(tmp_path / "shard.arrow", "joint", LABELS)
    return make_clips(SPLITS, [*LABELS[:4], *[None] * 6]), shard, tmp_path / "model.safetensors", step


def scores_of(clips, shard, model, step, folder):
    outputs = {split: folder / f"{split}.parquet" for split in ("val", "test")}
    predict(clips, [shard], model, step, build, outputs, Machine("cpu"))
    return {split: read_scores(path) for split, path in outputs.items()}


def test_every_usable_clip_of_a_split_is_scored_in_the_order_of_the_table(stream, tmp_path):
    clips, *rest = stream
    clips.table.loc[5, "status"] = "quarantined"
    scores = scores_of(clips, *rest, tmp_path)
    assert list(scores["val"].logits) == ["c0", "c1", "c2", "c3"]
    assert list(scores["test"].logits) == ["c4", "c6", "c7", "c8", "c9"]
    for logits in scores["val"].logits.values():
        assert np.exp(logits).sum() == pytest.approx(1, abs=1e-5)


def test_scores_are_the_log_of_the_mean_probability_over_views_and_sides(stream, tmp_path):
    clips, shard, model, step = stream
    scores = scores_of(*stream, tmp_path)["val"].logits
    network = build(step.network, 36, 2)
    network.load_state_dict(load_weights(model)[0])
    network.eval()
    data = ClipDataset(clips.table, [shard], "joint", step.recipe, training=False, views=3)
    for row in range(4):
        seen = []
        for view in range(3):
            (batch,) = load_batches(data, [[(row, view)]], torch.device("cpu"))
            for mirror in (False, True):
                shown = batch._replace(mirror=torch.tensor([mirror]))
                with torch.no_grad():
                    logits_BK = network(network_input(shown, "joint", step.recipe, SELECTIONS["36"]))
                seen.append(logits_BK.softmax(1).numpy()[0])
        assert len({tuple(probability.round(6)) for probability in seen}) > 1
        np.testing.assert_allclose(scores[f"c{row}"], np.log(np.mean(seen, 0)), rtol=1e-4, atol=1e-5)


def test_scores_do_not_depend_on_batch_size_or_order(stream, tmp_path):
    clips, shard, model, step = stream
    scores = scores_of(*stream, tmp_path)
    backwards = Clips(clips.table.iloc[::-1], clips.classes, clips.targets)
    small = step.model_copy(update={"recipe": step.recipe.model_copy(update={"batch": 3})})
    others = scores_of(backwards, shard, model, small, tmp_path / "backwards")
    for split in scores:
        assert set(scores[split].logits) == set(others[split].logits)
        for clip_id, logits in scores[split].logits.items():
            np.testing.assert_allclose(logits, others[split].logits[clip_id], rtol=1e-4, atol=1e-5)


def test_a_clip_without_frames_gets_its_reason(stream, tmp_path):
    clips, shard, model, step = stream
    stored = Shard(shard)
    entries = [(f"c{row}", UnusableClip("row 7 is empty") if row == 2 else stored.read(f"c{row}")) for row in range(10)]
    write_shard(tmp_path / "other.arrow", entries, "zstd")
    scores = scores_of(clips, tmp_path / "other.arrow", model, step, tmp_path)
    assert scores["val"].reasons == {"c2": "row 7 is empty"}
    assert list(scores["val"].logits) == ["c0", "c1", "c3"]


def test_a_split_without_clips_has_no_scores(stream, tmp_path):
    clips, *rest = stream
    only_test = Clips(clips.table[clips.table.split == "test"], clips.classes, clips.targets)
    assert scores_of(only_test, *rest, tmp_path)["val"].logits == {}


def test_weights_for_other_classes_are_refused(stream, tmp_path):
    clips, *rest = stream
    with pytest.raises(InputError, match=r"model\.safetensors was not trained on joint for the classes"):
        scores_of(Clips(clips.table, ("nod", "wave"), clips.targets), *rest, tmp_path)


def test_a_file_that_holds_no_weights_is_refused(stream, tmp_path):
    clips, shard, _, step = stream
    (tmp_path / "odd.safetensors").write_bytes(b"<html>not found</html>")
    with pytest.raises(InputError, match="is no safetensors file"):
        scores_of(clips, shard, tmp_path / "odd.safetensors", step, tmp_path)
