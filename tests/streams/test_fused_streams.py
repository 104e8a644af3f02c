"""Streams that fuse two others: what each branch is shown of a clip, where they start, and what they say of a clip."""

import itertools
import json

import numpy as np
import pytest
import torch

from fixtures.fused_clips import fused_of, step_of, write_stores
from fixtures.training_clips import CLASSES, make_clips
from microgesture.errors import InputError
from microgesture.machine.resources import Resources
from microgesture.networks import build
from microgesture.skeletons.selections import selection_named
from microgesture.storage.scores import read_scores
from microgesture.storage.shards import write_shard
from microgesture.streams.augment import network_input, step_input
from microgesture.streams.batches import load_batches
from microgesture.streams.fused_samples import FusedDataset, open_dataset
from microgesture.streams.predict import log_probabilities, network_of, predict
from microgesture.streams.samples import ClipDataset
from microgesture.streams.train import train
from microgesture.streams.weights import About, load_weights, save_weights, start_from

LABELS = [0, 1] * 4
CPU, MACHINE = torch.device("cpu"), Resources("cpu")
PAIRS = [("skeleton", "rgb"), ("flow", "joint"), ("rgb", "depth")]


def run(folder, step, clips, shards, **options):
    """Train; the weights and the card."""
    folder.mkdir()
    files = folder / "model.safetensors", folder / "card.json"
    train(clips, shards, step, build, *files, folder / "scratch", MACHINE, **options)
    return files[0], json.loads(files[1].read_text())


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """The shards of eight clips, and streams of one input that have been trained on them, by their input."""
    folder = tmp_path_factory.mktemp("trained")
    shards, clips = write_stores(folder / "shards", LABELS), make_clips(["train"] * 6 + ["val"] * 2, LABELS)
    steps = {modality: step_of(modality) for modality in ("rgb", "joint", "skeleton")}
    models = {modality: run(folder / modality, step, clips, shards)[0] for modality, step in steps.items()}
    return shards, steps, models


def scores_of(folder, model, step, clips, shards):
    """What a stream says of the clips of val, as probabilities, and of which clips nothing."""
    predict(clips, shards, model, step, build, {"val": folder / f"{step.stream}.parquet"}, MACHINE)
    scores = read_scores(folder / f"{step.stream}.parquet")
    return {clip_id: np.exp(logits_K.astype(float)) for clip_id, logits_K in scores.log_probabilities.items()}, scores


def begun(folder, step, parents):
    """The weights of a fused stream before its first step."""
    torch.manual_seed(step.seed)
    network = network_of(step, build, len(CLASSES))
    start = start_from(network, parents, CLASSES)
    save_weights(folder / "begun.safetensors", network.state_dict(), About(step.stream, step.inputs, CLASSES))
    return folder / "begun.safetensors", network, start


@pytest.mark.parametrize(("one", "other"), [("rgb", "joint"), ("skeleton", "rgb"), ("joint", "skeleton")])
def test_a_fused_stream_begins_as_the_mean_of_what_its_parents_say(tmp_path, trained, one, other):
    shards, steps, models = trained
    clips = make_clips(["val"] * 8, LABELS)
    step = fused_of(steps[one], steps[other])
    model, _, start = begun(tmp_path, step, [models[one], models[other]])
    assert {name.split(".")[0] for name in start.new} == {"head"}
    assert start.left_out == []
    said, _ = scores_of(tmp_path, model, step, clips, shards)
    by_parent = [scores_of(tmp_path, models[name], steps[name], clips, shards)[0] for name in (one, other)]
    assert np.ptp([by_parent[0][clip_id] - by_parent[1][clip_id] for clip_id in said]) > 0.01
    for clip_id, probability_K in said.items():
        np.testing.assert_allclose(probability_K, (by_parent[0][clip_id] + by_parent[1][clip_id]) / 2, rtol=2e-5)
    assert len(said) == 8


@pytest.mark.parametrize(("one", "other"), [("rgb", "joint"), ("joint", "rgb")])
def test_a_clip_that_lacks_an_input_is_scored_by_the_other_alone(tmp_path, trained, one, other):
    _, steps, models = trained
    shards = write_stores(tmp_path / "shards", LABELS, {"keypoints": {1, 5}, "rgb": {2, 5}})
    clips = make_clips(["val"] * 8, LABELS)
    step = fused_of(steps[one], steps[other])
    model, network, _ = begun(tmp_path, step, [models[one], models[other]])
    said, scores = scores_of(tmp_path, model, step, clips, shards)
    of_joint, of_rgb = (scores_of(tmp_path, models[name], steps[name], clips, shards)[0] for name in ("joint", "rgb"))
    np.testing.assert_allclose(said["c1"], of_rgb["c1"], rtol=2e-5)
    np.testing.assert_allclose(said["c2"], of_joint["c2"], rtol=2e-5)
    np.testing.assert_allclose(said["c3"], (of_joint["c3"] + of_rgb["c3"]) / 2, rtol=2e-5)
    reasons = ["c5 has no rgb", "c5 has no keypoints"]
    assert scores.reasons == {"c5": "; ".join(reasons if one == "rgb" else reasons[::-1])}

    # once it has learnt, what stands for the input that is lacking is still of no matter
    for parameter in network.head.parameters():
        torch.nn.init.normal_(parameter, std=0.3)
    dataset = open_dataset(clips.usable, shards, step, training=False)
    (batch,) = load_batches(dataset, [dataset.test_keys()], CPU)
    for mode in (True, False):
        network.train(mode)
        expected_BK = network(*step_input(batch, step, training=False))
        x, other_x, *moments = step_input(batch, step, training=False)
        for own, m_BT in ((x, moments[0]), (other_x, moments[1])):
            own[(m_BT < 0).all(1)] = 3.0
        torch.testing.assert_close(network(x, other_x, *moments), expected_BK)


@pytest.mark.parametrize(("one", "other"), PAIRS)
def test_any_two_streams_are_fused_trained_and_speak(tmp_path, one, other):
    parents = [step_of(one, flip=False), step_of(other)]
    shards, clips = write_stores(tmp_path / "shards", LABELS), make_clips(["train"] * 5 + ["val"] * 3, LABELS)
    models = []
    for parent in parents:
        torch.manual_seed(1)
        network = network_of(parent, build, len(CLASSES))
        models.append(tmp_path / f"{parent.stream}.safetensors")
        save_weights(models[-1], network.state_dict(), About(parent.stream, parent.inputs, CLASSES))
    step = fused_of(*parents, epochs=1, micro_batch_size=3, keep_checkpoint="last")
    model, card = run(tmp_path / "fused", step, clips, shards, parents=models)
    assert card["inputs"] == [one, other]
    assert card["init"]["parents"] == [parent.stream for parent in parents]
    assert [branch["network"]["name"] for branch in card["branches"]] == [parent.network.name for parent in parents]
    assert [card["history"][0]["train_loss"], card["best_epoch"]] == [None, 1]
    assert np.isfinite(card["history"][1]["train_loss"])
    said, _ = scores_of(tmp_path, model, step, clips, shards)
    assert sorted(said) == ["c5", "c6", "c7"]
    assert all(probability_K.sum() == pytest.approx(1) for probability_K in said.values())
    begun_state, state = load_weights(models[0])[0], load_weights(model)[0]
    assert any(not torch.equal(state[f"branches.0.{name}"], begun_state[name]) for name in begun_state)


@pytest.mark.slow
def test_training_that_only_does_harm_leaves_a_fused_stream_as_it_began(tmp_path, trained, monkeypatch):
    shards, steps, models = trained
    clips = make_clips(["train"] * 2 + ["val"] * 6, LABELS)
    step = fused_of(steps["skeleton"], steps["joint"], learning_rate=3.0, epochs=3)
    parents = [models["skeleton"], models["joint"]]
    model, card = run(tmp_path / "fused", step, clips, shards, parents=parents)
    assert len(card["history"]) == 4
    assert card["best_epoch"] == 0
    began = load_weights(begun(tmp_path, step, parents)[0])[0]
    assert all(torch.equal(tensor, began[name]) for name, tensor in load_weights(model)[0].items())

    def killing(batch, step, *, training):
        if training and step.branches and next(steps_done) == 2:
            raise KeyboardInterrupt
        return step_input(batch, step, training=training)

    steps_done = itertools.count()
    monkeypatch.setattr("microgesture.streams.train.step_input", killing)
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path / "killed", step, clips, shards, parents=parents)
    files = [tmp_path / "killed" / name for name in ("model.safetensors", "card.json", "scratch")]
    train(clips, shards, step, build, *files, MACHINE, parents=parents)
    assert json.loads(files[1].read_text())["history"] == card["history"]
    assert files[0].read_bytes() == model.read_bytes()


def test_training_twice_gives_the_same_bytes(tmp_path, trained):
    shards, steps, models = trained
    step, clips = fused_of(steps["skeleton"], steps["joint"], epochs=1), make_clips(["train"] * 4, LABELS[:4])
    parents = [models["skeleton"], models["joint"]]
    one, two = (run(tmp_path / name, step, clips, shards, parents=parents)[0] for name in ("one", "two"))
    assert one.read_bytes() == two.read_bytes()


def test_a_fused_stream_says_the_same_whoever_reads_its_clips_and_whatever_else_is_asked(tmp_path, trained):
    _, steps, models = trained
    shards = write_stores(tmp_path / "shards", LABELS, {"keypoints": {1}})
    step = fused_of(steps["rgb"], steps["joint"])
    _, network, _ = begun(tmp_path, step, [models["rgb"], models["joint"]])
    table, options = make_clips(["val"] * 8, LABELS).usable, {"training": False, "num_clips": 2}
    scores_NK = log_probabilities(network, FusedDataset(table, shards, step, **options), step, CPU, both_sides=True)
    for other in (
        FusedDataset(table, shards, step, workers=2, **options),
        FusedDataset(table, shards, step, memory=0, **options),
    ):
        assert np.array_equal(log_probabilities(network, other, step, CPU, both_sides=True), scores_NK)
    some_NK = log_probabilities(
        network, FusedDataset(table, shards, step, **options), step, CPU, both_sides=True, only=[6, 1]
    )
    assert np.array_equal(some_NK, scores_NK[[6, 1]])


def test_each_branch_is_shown_what_its_own_recipe_says_mirrored_as_the_stream_says(tmp_path):
    parents = [step_of("rgb", flip=False), step_of("bone", flip=False, interval=2)]
    shards, clips = write_stores(tmp_path / "shards", LABELS), make_clips(["train"] * 8, LABELS)
    step = fused_of(*parents, flip=True)
    dataset = FusedDataset(clips.usable, shards, step, training=True)
    (batch,) = load_batches(dataset, [[(row, draw) for row in range(8) for draw in range(8)]], CPU)
    assert 10 < batch.mirror.sum() < 54
    assert torch.equal(batch.label, torch.tensor(LABELS).repeat_interleave(8))
    x, bones, moments_BT, other_moments_BT = step_input(batch, step, training=True)
    assert x.shape == (64, 3, 4, 32, 32)
    assert bones.shape == (64, 3, 16, 36)
    assert (moments_BT.shape, other_moments_BT.shape) == ((64, 4), (64, 16))
    for parent, of_parent, shown in zip(parents, (0, 1), (x, bones), strict=True):
        sample = batch.samples[of_parent]._replace(mirror=batch.mirror)
        (expected,) = network_input(sample, parent.inputs, parent.recipe, selection_named("36"))
        assert torch.equal(shown, expected)
    # a clip's data before mirroring is what the parent itself would be shown
    alone = ClipDataset(clips.usable, shards, parents[1].model_copy(update={"seed": step.seed}), training=True)
    assert np.array_equal(dataset[3, 5].samples[1].data[0], alone[3, 5].data[0])


def test_the_stream_decides_that_nothing_is_mirrored(tmp_path):
    parents = [step_of("rgb", flip=True), step_of("skeleton", flip=True)]
    shards, clips = write_stores(tmp_path / "shards", LABELS), make_clips(["train"] * 8, LABELS)
    dataset = FusedDataset(clips.usable, shards, fused_of(*parents, flip=False), training=True)
    assert not any(dataset[row, draw].mirror for row in range(8) for draw in range(4))


@pytest.mark.parametrize("n_frames", [1, 3, 12, 40])
@pytest.mark.parametrize("training", [True, False])
def test_moments_tell_new_frames_from_those_that_an_earlier_one_showed(tmp_path, training, n_frames):
    """Each frame of these clips is of one brightness, which is its number."""
    labels = [0, 1]
    shards, clips = write_stores(tmp_path / "shards", labels, n_frames=n_frames), make_clips(["train"] * 2, labels)
    numbered = np.broadcast_to(np.arange(n_frames, dtype=np.uint8)[:, None, None, None], (n_frames, 40, 40, 1))
    write_shard(shards["depth"][0], [(f"c{row}", np.ascontiguousarray(numbered)) for row in range(2)], "zstd")
    step = fused_of(step_of("depth", frames=7), step_of("skeleton"))
    dataset = FusedDataset(clips.usable, shards, step, training=training, num_clips=3)
    for key in [(1, draw) for draw in range(3)] if training else dataset.test_keys():
        sample = dataset[key]
        shown_T, moments_T = sample.samples[0].data[0][:, 0, 0, 0], sample.moments[0]
        seen = set()
        for frame, moment in zip(shown_T.tolist(), moments_T.tolist(), strict=True):
            assert moment == pytest.approx(-1 if frame in seen else frame / max(n_frames - 1, 1))
            seen.add(frame)
        points_T = sample.moments[1]
        assert (points_T >= 0).sum() == (1 if n_frames == 1 else 8)


def test_views_of_testing_are_those_of_both_side_by_side_and_equal_ones_are_seen_once(tmp_path):
    wide = [np.repeat(np.arange(60, dtype=np.uint8).reshape(1, 1, 60, 1), 40, 1).repeat(n, 0) for n in (12, 3)]
    labels = [0, 1]
    shards, clips = write_stores(tmp_path / "shards", labels), make_clips(["val"] * 2, labels)
    figures = [("c0", np.ones((12, 36, 3), np.float32)), ("c1", np.ones((3, 36, 3), np.float32))]
    write_shard(shards["keypoints"][0], figures, "zstd")
    write_shard(shards["depth"][0], [("c0", wide[0]), ("c1", wide[1])], "zstd")
    step = fused_of(step_of("depth", interval=None, frames=4), step_of("skeleton"))
    options = {"training": False, "num_clips": 5, "num_crops": 3}
    dataset = FusedDataset(clips.usable, shards, step, **options)
    video = ClipDataset(clips.usable, shards, step.parts[0], **options)
    assert dataset.views == video.views == 15
    assert dataset.test_keys() == video.test_keys()  # the skeleton's views are all equal
    assert [dataset[key].times for key in dataset.test_keys()] == [video[key].times for key in video.test_keys()]
    for key in dataset.test_keys():
        assert np.array_equal(dataset[key].samples[0].data[0], video[key].data[0])
    pair = FusedDataset(clips.usable, shards, fused_of(step_of("depth", interval=None), step_of("joint")), **options)
    assert sum(pair[key].times for key in pair.test_keys([0])) == 15


def test_parents_of_other_classes_are_refused(tmp_path, trained):
    shards, steps, models = trained
    state, about = load_weights(models["joint"])
    save_weights(tmp_path / "other.safetensors", state, About(about.stream, about.inputs, ("nod", "wave")))
    step, clips = fused_of(steps["rgb"], steps["joint"]), make_clips(["train"] * 8, LABELS)
    with pytest.raises(InputError, match=r"'fused' fuses small_rgb and small_joint, whose weights do not fit: branch"):
        run(tmp_path / "fused", step, clips, shards, parents=[models["rgb"], tmp_path / "other.safetensors"])


def test_too_few_clips_of_either_input_are_refused(tmp_path):
    everything = set(range(8))
    shards = write_stores(tmp_path / "shards", LABELS, {"rgb": everything, "keypoints": everything - {0}})
    step, clips = fused_of(step_of("rgb"), step_of("joint")), make_clips(["train"] * 8, LABELS)
    with pytest.raises(InputError, match="1 usable clips of split train have a label and rgb or joint"):
        run(tmp_path / "fused", step, clips, shards)
