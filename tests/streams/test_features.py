import json

import numpy as np
import pytest

from fixtures.training_clips import make_clips
from fixtures.video_encoders import FRAMES, WIDTH, noise, save_encoder, tokens_of
from microgesture.checkpoints.encoders import read_encoder
from microgesture.config.encoders import EncoderStep
from microgesture.config.recipes import Recipe
from microgesture.config.streams import Stream, TrainStep, features_step
from microgesture.errors import InputError, UnusableClip
from microgesture.machine.resources import Resources
from microgesture.modalities.sources import sources_of_features
from microgesture.networks import build
from microgesture.storage.scores import read_scores
from microgesture.storage.shards import Shard, write_shard
from microgesture.streams.encode import FeatureFiles, make_features
from microgesture.streams.fused_samples import open_dataset
from microgesture.streams.predict import predict
from microgesture.streams.train import train
from microgesture.streams.weights import load_weights, save_weights
from microgesture.streams.weights import save_encoder as save_encoder_file

CPU = Resources("cpu")


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    """A tiny encoder: its folder, its network, its description and the file of its weights."""
    folder = tmp_path_factory.mktemp("encoder")
    network = save_encoder(folder)
    encoder, state = read_encoder(EncoderStep(model=str(folder)))
    weights = folder / "encoder.safetensors"
    return folder, network, save_encoder_file(weights, encoder, state), weights


def stream_of(saved, **network) -> Stream:
    return Stream(
        corpus="drawn", input="rgb", network={"name": "pretrained_video", "model": str(saved[0]), **network}, recipe="r"
    )


def step_of(saved, recipe: Recipe, **network) -> TrainStep:
    stream = stream_of(saved, **network)
    step = TrainStep(stream="probe", inputs=("rgb",), selection=None, network=stream.network, recipe=recipe, seed=0)
    return step.with_encoder(saved[2])


def made(saved, folder, clips, recipe=None, **network) -> Shard:
    """The features of clips, with the recipe's views."""
    folder.mkdir(exist_ok=True)
    write_shard(folder / "frames", clips.items(), "raw")
    step = features_step(stream_of(saved, **network), recipe or Recipe(num_clips=1, flip=False)).with_encoder(saved[2])
    output = folder / "features" / "drawn" / "0000.arrow"
    make_features(step, FeatureFiles(folder / "frames", saved[3], output, folder / "scratch"), "cpu")
    return Shard(output)


def test_features_are_those_of_transformers_averaged_over_the_picture(saved, tmp_path):
    clips = {f"c{seed}": noise(seed=seed) for seed in range(3)}
    shard = made(saved, tmp_path, clips)
    assert shard.clip_ids == list(clips)
    for clip_id, frames_THWC in clips.items():
        expected_TD = tokens_of(saved[1], saved[0], frames_THWC).mean((1, 2))
        found_VSTND = shard.read(clip_id)
        assert found_VSTND.shape == (1, 1, FRAMES // 2, 1, WIDTH)
        np.testing.assert_allclose(found_VSTND[0, 0, :, 0], expected_TD, rtol=2e-3, atol=2e-3)  # as float16


def test_mirrored_views_are_stored_beside_the_others(saved, tmp_path):
    frames_THWC = noise()
    both = made(saved, tmp_path / "both", {"c": frames_THWC}, Recipe(num_clips=1, flip=True)).read("c")
    mirrored = made(saved, tmp_path / "mirrored", {"c": frames_THWC[:, :, ::-1]}).read("c")
    np.testing.assert_array_equal(both[:, 1], mirrored[:, 0])


def test_views_of_a_clip_are_its_samplings_and_equal_ones_are_stored_once(saved, tmp_path):
    shard = made(saved, tmp_path, {"long": noise(40), "short": noise(4)}, Recipe(num_clips=10, flip=False))
    views = {clip_id: shard.shape(clip_id)[0] for clip_id in shard.clip_ids}
    assert views == {"long": len(shard.note("long")["times"]), "short": 1}
    assert views["long"] > 1
    assert {sum(shard.note(clip_id)["times"]) for clip_id in shard.clip_ids} == {10}


def test_the_grid_keeps_quarters_of_the_picture_apart(saved, tmp_path):
    expected_TD = tokens_of(saved[1], saved[0], noise())[:, 2:, :2].mean((1, 2))
    found_VSTND = made(saved, tmp_path, {"c": noise()}, grid=2).read("c")
    np.testing.assert_allclose(found_VSTND[0, 0, :, 2], expected_TD, rtol=2e-3, atol=2e-3)


def test_a_clip_without_frames_keeps_its_reason(saved, tmp_path):
    shard = made(saved, tmp_path, {"a": UnusableClip("no video"), "b": noise()})
    assert (shard.reason("a"), shard.reason("b")) == ("no video", None)


def test_features_do_not_depend_on_the_head_or_on_training_but_on_the_views(saved):
    recipe, linear = Recipe(), stream_of(saved)
    assert features_step(linear, recipe) == features_step(stream_of(saved, head="attentive", dropout=0.5), recipe)
    assert features_step(linear, recipe) == features_step(linear, Recipe(epochs=3, learning_rate=1e-4))
    assert features_step(linear, recipe) != features_step(linear, Recipe(flip=False))
    assert features_step(linear, recipe) != features_step(stream_of(saved, grid=2), recipe)


def test_clips_are_taken_over_while_encoder_and_frames_are_the_same(saved, tmp_path):
    frames = tmp_path / "frames"
    write_shard(frames, [("a", noise()), ("b", noise(seed=1))], "raw")
    before = sources_of_features(frames, saved[3], "stamp")
    write_shard(frames, [("a", noise(seed=2)), ("b", noise(seed=1))], "raw")
    after = sources_of_features(frames, saved[3], "stamp")
    assert after["b"] == before["b"] != sources_of_features(frames, saved[3], "other")["b"]
    assert after["a"] != before["a"]


def test_training_draws_all_stored_views_and_both_sides(saved, tmp_path):
    recipe = Recipe(num_clips=10, flip=True)
    shard = made(saved, tmp_path, {"c0": noise(40)}, recipe)
    clips = make_clips(["train"], [0])
    dataset = open_dataset(clips.table, {"features": [shard.path]}, step_of(saved, recipe), training=True)
    seen = [dataset[0, draw] for draw in range(200)]
    stored = {shard.read("c0", [view])[0].tobytes() for view in range(shard.shape("c0")[0])}
    assert {sample.data[0].tobytes() for sample in seen} == stored
    assert {sample.mirror for sample in seen} == {False, True}
    testing = open_dataset(clips.table, {"features": [shard.path]}, step_of(saved, recipe), training=False)
    assert [draw for _, draw in testing.test_keys()] == list(range(len(stored)))
    assert sum(testing[key].times for key in testing.test_keys()) == testing.views == 10


def test_clips_without_features_are_refused(saved, tmp_path):
    shard = made(saved, tmp_path, {"c0": noise()})
    table = make_clips(["train", "train"], [0, 1]).table
    with pytest.raises(InputError, match=r"clip c1 \(1 such clips\)"):
        open_dataset(table, {"features": [shard.path]}, step_of(saved, Recipe()), training=True)
    with pytest.raises(InputError, match="features"):
        open_dataset(table, {"rgb": [shard.path]}, step_of(saved, Recipe()), training=True)


def bright(label: int, seed: int) -> np.ndarray:
    return np.clip(noise(seed=seed) // 3 + 120 * label, 0, 255).astype(np.uint8)


@pytest.mark.parametrize("head", ["linear", "attentive"])
def test_a_probe_learns_and_predicts_as_the_whole_network_does(saved, tmp_path, head):
    labels = [0, 1] * 8
    clips = make_clips(["train"] * 12 + ["val"] * 4, labels, n_frames=FRAMES)
    videos = {f"c{row}": bright(label, row) for row, label in enumerate(labels)}
    recipe = Recipe(num_clips=1, epochs=15, batch_size=4, optimizer="adamw", learning_rate=0.03, flip=True)
    shard = made(saved, tmp_path, videos, recipe)
    step = step_of(saved, recipe, head=head)
    model, card = tmp_path / "model.safetensors", tmp_path / "card.json"
    train(clips, {"features": [shard.path]}, step, build, model, card, tmp_path / "training", CPU)
    assert json.loads(card.read_text())["best"]["val_accuracy"] == 1
    predict(clips, {"features": [shard.path]}, model, step, build, {"val": tmp_path / "scores"}, CPU)
    found = read_scores(tmp_path / "scores").log_probabilities
    assert [int(np.argmax(found[f"c{row}"])) for row in range(12, 16)] == labels[12:]

    # The network that an exported recogniser has: encoder and head, on frames.
    whole = step.model_copy(update={"encoder": step.encoder.model_copy(update={"stored": False})})
    encoder, _ = load_weights(saved[3])
    head_only, about = load_weights(model)
    save_weights(tmp_path / "whole.safetensors", encoder | head_only, about)
    frames = {"rgb": [tmp_path / "frames"]}
    predict(clips, frames, tmp_path / "whole.safetensors", whole, build, {"val": tmp_path / "on_frames"}, CPU)
    for clip_id, logits_K in read_scores(tmp_path / "on_frames").log_probabilities.items():
        np.testing.assert_allclose(logits_K, found[clip_id], atol=0.02)  # features are stored as float16
