import logging
import math
from fractions import Fraction

import numpy as np
import pytest
import torch

from fixtures.training_clips import film, make_clips, make_step, write_shards
from microgesture.errors import InputError, UnusableClip
from microgesture.machine.resources import Resources
from microgesture.networks import build
from microgesture.skeletons.selections import selection_named
from microgesture.storage.clips import Clips
from microgesture.storage.scores import read_scores
from microgesture.storage.shards import Shard, write_shard
from microgesture.streams.augment import input_channels, network_input
from microgesture.streams.batches import load_batches
from microgesture.streams.folds import assign_folds
from microgesture.streams.predict import exact_mean, log_probabilities, predict, predict_fold
from microgesture.streams.samples import ClipDataset
from microgesture.streams.weights import About, save_weights

LABELS = [0, 1] * 5
SPLITS = ["val"] * 4 + ["test"] * 6


def untrained(step):
    """A network that tells clips apart."""
    torch.manual_seed(0)
    network = build(step.network, input_channels(step.inputs, selection_named("36")), 2)
    for name, module in network.named_modules():
        if "head" in name and isinstance(module, torch.nn.Linear):
            torch.nn.init.normal_(module.weight, std=3)
    return network.eval()


@pytest.fixture
def stream(tmp_path):
    """Clips, shards and weights of an untrained network."""
    step = make_step("joint", num_clips=3)
    about = About("s", step.inputs, ("wave", "nod"))
    save_weights(tmp_path / "model.safetensors", untrained(step).state_dict(), about)
    shards = write_shards(tmp_path, step.inputs, LABELS)
    return make_clips(SPLITS, [*LABELS[:4], *[None] * 6]), shards, tmp_path / "model.safetensors", step


def scores_of(clips, shards, model, step, folder):
    outputs = {split: folder / f"{split}.parquet" for split in ("val", "test")}
    predict(clips, shards, model, step, build, outputs, Resources("cpu"))
    return {split: read_scores(path) for split, path in outputs.items()}


def test_every_usable_clip_of_a_split_is_scored_in_the_order_of_the_table(stream, tmp_path):
    clips, *rest = stream
    clips.table.loc[5, "status"] = "quarantined"
    scores = scores_of(clips, *rest, tmp_path)
    assert list(scores["val"].log_probabilities) == ["c0", "c1", "c2", "c3"]
    assert list(scores["test"].log_probabilities) == ["c4", "c6", "c7", "c8", "c9"]
    for logits in scores["val"].log_probabilities.values():
        assert np.exp(logits).sum() == pytest.approx(1, abs=1e-5)


def each_output(network, data, step, row):
    """What the network says of a clip in each of three views, and of each view mirrored."""
    for view in range(3):
        (batch,) = load_batches(data, [[(row, view)]], torch.device("cpu"))
        for mirror in (False, True):
            shown = batch._replace(mirror=torch.tensor([mirror]))
            with torch.no_grad():
                x = network_input(shown, step.inputs, step.recipe, selection_named("36"), training=False)
                yield network(*x)


@pytest.mark.parametrize("inputs", [("joint",), ("rgb", "joint")])
def test_scores_are_the_log_of_the_mean_probability_over_views_sides_and_paths(tmp_path, inputs):
    step = make_step(*inputs, num_clips=3)
    network, shards = untrained(step), write_shards(tmp_path, inputs, LABELS)
    table = make_clips(["val"] * 4, LABELS[:4]).table
    data = ClipDataset(table, shards, step, training=False, num_clips=3)
    scores_NK = log_probabilities(network, data, step, torch.device("cpu"), both_sides=True)
    for row in range(4):
        seen = []
        for logits in each_output(network, data, step, row):
            for logits_BK in logits if len(inputs) > 1 else [logits]:
                seen.append(logits_BK.softmax(1).numpy()[0])
        assert len({tuple(probability.round(6)) for probability in seen}) > 1
        np.testing.assert_allclose(scores_NK[row], np.log(np.mean(seen, 0)), rtol=1e-4, atol=1e-5)


def test_scores_are_those_of_the_mean_logits_over_views_and_sides(tmp_path):
    step = make_step("joint", num_clips=3, view_average="logits")
    network, shards = untrained(step), write_shards(tmp_path, step.inputs, LABELS)
    data = ClipDataset(make_clips(["val"] * 2, LABELS[:2]).table, shards, step, training=False, num_clips=3)
    scores_NK = log_probabilities(network, data, step, torch.device("cpu"), both_sides=True)
    for row in range(2):
        seen = [logits_BK[0] for logits_BK in each_output(network, data, step, row)]
        mean_K = torch.stack(seen).double().mean(0)
        assert (torch.stack(seen).softmax(1).mean(0) - mean_K.softmax(0)).abs().max() > 1e-3  # another average
        np.testing.assert_allclose(scores_NK[row], mean_K.log_softmax(0), rtol=1e-4, atol=1e-5)


def test_the_sizes_and_sides_of_testing_may_be_others_than_those_of_training(tmp_path):
    inputs = ("rgb", "joint")
    step = make_step(*inputs)
    recipe = step.recipe
    larger = make_step(*inputs, test_size=2 * recipe.size, test_flip=True)
    shards, table = write_shards(tmp_path, inputs, LABELS), make_clips(["val"] * 2, LABELS[:2]).table
    (batch,) = load_batches(ClipDataset(table, shards, larger, training=False), [[(0, 0), (1, 0)]], torch.device("cpu"))
    video, heat = network_input(batch, inputs, larger.recipe.in_testing(), selection_named("36"))
    assert video.shape[-2:] == (2 * recipe.size,) * 2
    assert heat.shape[-2:] == (2 * recipe.heatmap_size,) * 2
    learns = ClipDataset(table, shards, larger, training=True)[0, 0].data[0]
    assert learns.shape[1] == recipe.size
    assert larger.recipe.in_testing().flip
    assert make_step(*inputs, flip=True).recipe.in_testing().flip
    assert not make_step(*inputs, flip=True, test_flip=False).recipe.in_testing().flip


class Noticing(torch.nn.Module):
    """A network that keeps the shapes of what it is given."""

    def __init__(self):
        super().__init__()
        self.seen = set()

    def forward(self, *x):
        self.seen.add(tuple(tuple(one.shape[1:]) for one in x))
        return torch.zeros(len(x[0]), 2)


@pytest.mark.parametrize(
    ("inputs", "shapes"),
    [
        (("joint",), {((36, 4, 24, 24),)}),
        (("rgb",), {((3, 4, 24, 24),)}),
        (("rgb", "joint"), {((3, 4, 24, 24), (36, 8, 12, 12))}),
    ],
)
def test_prediction_and_validation_show_the_size_of_testing(tmp_path, inputs, shapes):
    own = {"size": 16, "test_size": 24, "heatmap_size": 8 if len(inputs) > 1 else None, "frames": 4, "num_clips": 1}
    step, shards = make_step(*inputs, **own), write_shards(tmp_path, inputs, LABELS)
    data = ClipDataset(make_clips(["val"] * 4, LABELS[:4]).table, shards, step, training=False)
    for both_sides in (False, True):
        network = Noticing()
        log_probabilities(network, data, step, torch.device("cpu"), both_sides=both_sides)
        assert network.seen == shapes


class EveryView:
    """A data set that shows every view of testing, the equal ones too, each for itself."""

    def __init__(self, dataset):
        self.dataset, self.views, self.workers = dataset, dataset.views, 0

    def __len__(self):
        return len(self.dataset)

    def test_keys(self, only=None):
        return [key for key in self.dataset.test_keys(only) for _ in range(self.dataset[key].times)]

    def __getitem__(self, key):
        return self.dataset[key]._replace(times=1)


@pytest.mark.parametrize(
    ("inputs", "recipe"),
    [
        (("joint",), {"num_clips": 10}),
        (("rgb",), {"num_clips": 4, "num_crops": 3, "interval": 2, "batch_size": 13}),
        (("rgb", "joint"), {"num_clips": 5, "batch_size": 5}),
    ],
)
def test_equal_views_are_seen_once_and_the_scores_are_the_same(tmp_path, inputs, recipe):
    lengths = [1, 2, 3, 4, 5, 30, 80]
    generator = np.random.default_rng(0)
    keypoints = [generator.uniform(60, 200, (length, 36, 3)).astype(np.float32) for length in lengths]
    videos = [generator.integers(0, 256, (length, 40, 48, 3), np.uint8) for length in lengths]
    if len(inputs) > 1:
        videos = [film(keypoints_TVC) for keypoints_TVC in keypoints]
    shards = {"keypoints": [tmp_path / "keypoints.arrow"], "rgb": [tmp_path / "rgb.arrow"]}
    for (path,), clips in zip(shards.values(), (keypoints, videos), strict=True):
        write_shard(path, [(f"c{row}", frames) for row, frames in enumerate(clips)], "zstd")
    step = make_step(*inputs, **recipe)
    network, table = untrained(step), make_clips(["val"] * 7, [0] * 7).table
    once = ClipDataset(
        table, shards, step, training=False, num_clips=step.recipe.num_clips, num_crops=step.recipe.num_crops
    )
    every = EveryView(once)
    device = torch.device("cpu")
    assert 7 < len(once.test_keys()) < len(every.test_keys()) == 7 * once.views
    scores_NK = log_probabilities(network, once, step, device, both_sides=True)
    # The last bit may depend on the place of a clip in its batch.
    same = {"rtol": 1e-6, "atol": 1e-7}
    np.testing.assert_allclose(log_probabilities(network, every, step, device, both_sides=True), scores_NK, **same)
    some_NK = log_probabilities(network, once, step, device, both_sides=True, only=range(1, 7, 2))
    np.testing.assert_allclose(some_NK, scores_NK[1::2], **same)


@pytest.mark.parametrize("seed", range(5))
def test_the_exact_mean_is_the_mean_of_fractions(seed):
    generator = np.random.default_rng(seed)
    values_VSK = np.exp(generator.uniform(-60, 0, (6, 2, 3))).astype(np.float32)
    times_V = generator.integers(1, 11, 6)
    found_K = exact_mean(values_VSK, times_V)
    for k, found in enumerate(found_K):
        total = sum(Fraction(float(values_VSK[v, s, k])) * int(times_V[v]) for v in range(6) for s in range(2))
        assert math.isclose(found, total / (2 * int(times_V.sum())), rel_tol=1e-15)
    every_VSK = values_VSK.repeat(times_V, 0)[generator.permutation(times_V.sum())]
    assert exact_mean(every_VSK, np.ones(len(every_VSK), int)).tobytes() == found_K.tobytes()


def test_the_log_says_how_many_views_were_saved(stream, tmp_path, caplog):
    clips, shards, model, step = stream
    same = step.model_copy(update={"recipe": step.recipe.model_copy(update={"frames": 12, "num_clips": 7})})
    with caplog.at_level(logging.INFO):
        scores_of(clips, shards, model, same, tmp_path)
    assert "predict small_joint val: 4 of 4 x 7 views are distinct; 24 saved" in caplog.text


def test_a_fold_scores_the_labelled_clips_of_its_own_people(stream, tmp_path):
    _, shards, model, step = stream
    clips = make_clips(["train"] * 4 + ["val"] * 4 + ["test"] * 2, [0, 1, 0, 1, 0, 1, None, 1, None, None])
    folds = assign_folds(clips, 2)
    for fold in (0, 1):
        output = tmp_path / f"fold{fold}.parquet"
        part = step.model_copy(update={"folds": 2})
        predict_fold(clips, shards, model, part, build, fold, output, Resources("cpu"))
        mine = [clip_id for clip_id in clips.table.clip_id if folds.get(clip_id) == fold]
        assert list(read_scores(output).log_probabilities) == mine
        assert 0 < len(mine) < 7


def test_scores_do_not_depend_on_batch_size_or_order(stream, tmp_path):
    clips, shards, model, step = stream
    scores = scores_of(*stream, tmp_path)
    backwards = Clips(clips.table.iloc[::-1], clips.classes, clips.targets)
    small = step.model_copy(update={"recipe": step.recipe.model_copy(update={"batch_size": 3})})
    others = scores_of(backwards, shards, model, small, tmp_path / "backwards")
    for split in scores:
        assert set(scores[split].log_probabilities) == set(others[split].log_probabilities)
        for clip_id, logits in scores[split].log_probabilities.items():
            np.testing.assert_allclose(logits, others[split].log_probabilities[clip_id], rtol=1e-4, atol=1e-5)


def test_a_clip_without_frames_gets_its_reason(stream, tmp_path):
    clips, shards, model, step = stream
    stored = Shard(shards["keypoints"][0])
    entries = [(f"c{row}", UnusableClip("row 7 is empty") if row == 2 else stored.read(f"c{row}")) for row in range(10)]
    write_shard(tmp_path / "other.arrow", entries, "zstd")
    scores = scores_of(clips, {"keypoints": [tmp_path / "other.arrow"]}, model, step, tmp_path)
    assert scores["val"].reasons == {"c2": "row 7 is empty"}
    assert list(scores["val"].log_probabilities) == ["c0", "c1", "c3"]


def test_a_split_without_clips_has_no_scores(stream, tmp_path):
    clips, *rest = stream
    only_test = Clips(clips.table[clips.table.split == "test"], clips.classes, clips.targets)
    assert scores_of(only_test, *rest, tmp_path)["val"].log_probabilities == {}


def test_weights_for_other_classes_are_refused(stream, tmp_path):
    clips, *rest = stream
    with pytest.raises(InputError, match=r"model\.safetensors was not trained on joint for the classes"):
        scores_of(Clips(clips.table, ("nod", "wave"), clips.targets), *rest, tmp_path)


def test_weights_for_other_inputs_are_refused(stream, tmp_path):
    clips, shards, model, step = stream
    limbs = step.model_copy(update={"inputs": ("limb",)})
    with pytest.raises(InputError, match=r"model\.safetensors was not trained on limb for the classes"):
        scores_of(clips, shards, model, limbs, tmp_path)


def test_a_file_that_holds_no_weights_is_refused(stream, tmp_path):
    clips, shards, _, step = stream
    (tmp_path / "odd.safetensors").write_bytes(b"<html>not found</html>")
    with pytest.raises(InputError, match=r"odd\.safetensors is not a safetensors file"):
        scores_of(clips, shards, tmp_path / "odd.safetensors", step, tmp_path)
