"""Training with the weights of a pretrained encoder: all of them (full), or adapters beside them (lora)."""

import json

import numpy as np
import pytest
import torch

from fixtures.training_clips import make_clips
from fixtures.video_encoders import FRAMES, noise, save_encoder
from microgesture.checkpoints.encoders import read_encoder
from microgesture.config.encoders import EncoderStep
from microgesture.config.pretrained_video import PretrainedVideoSettings
from microgesture.config.recipes import Recipe
from microgesture.config.streams import TrainStep
from microgesture.errors import InputError
from microgesture.machine.resources import Resources
from microgesture.networks import build
from microgesture.storage.scores import read_scores
from microgesture.storage.shards import write_shard
from microgesture.streams.predict import predict
from microgesture.streams.preemption import Stopped, StopRequest
from microgesture.streams.train import train
from microgesture.streams.weights import ENCODER, load_weights
from microgesture.streams.weights import save_encoder as save_encoder_file

CPU = Resources("cpu")
RECIPE = Recipe(num_clips=1, epochs=3, batch_size=4, optimizer="adamw", learning_rate=0.01, layer_decay=0.75)
LORA = {"tune": "lora", "lora": {"rank": 2, "alpha": 4}}


@pytest.fixture(scope="module", params=["videomae", "vjepa2"])
def tuning(request, tmp_path_factory):
    """Clips, their frames, an encoder and its weights, and a function that makes a step."""
    folder = tmp_path_factory.mktemp(request.param)
    save_encoder(folder / "encoder", request.param)
    encoder, state = read_encoder(EncoderStep(model=str(folder / "encoder")))
    weights = folder / "encoder.safetensors"
    encoder = save_encoder_file(weights, encoder, state)
    clips = make_clips(["train"] * 8 + ["val"] * 2, [0, 1] * 5, n_frames=FRAMES)
    videos = [
        (f"c{row}", np.clip(noise(seed=row) // 3 + 120 * (row % 2), 0, 255).astype(np.uint8)) for row in range(10)
    ]
    (folder / "rgb").mkdir()
    write_shard(folder / "rgb" / "0000.arrow", videos, "raw")

    def step(**network) -> TrainStep:
        own = PretrainedVideoSettings(name="pretrained_video", model=str(folder / "encoder"), **network)
        made = TrainStep(stream="tuned", inputs=("rgb",), selection=None, network=own, recipe=RECIPE, seed=0)
        return made.with_encoder(encoder)

    return clips, {"rgb": [folder / "rgb" / "0000.arrow"]}, weights, step


def trained(tuning, folder, step, **options):
    clips, shards, weights, _ = tuning
    folder.mkdir(exist_ok=True)
    model, card = folder / "model.safetensors", folder / "card.json"
    start = {} if "parents" in options else {"weights": weights}
    train(clips, shards, step, build, model, card, folder / "scratch", CPU, **start, **options)
    return model


def test_full_starts_from_the_encoder_and_changes_all_of_it(tuning, tmp_path):
    model = trained(tuning, tmp_path, tuning[3](tune="full"))
    before, after = load_weights(tuning[2])[0], load_weights(model)[0]
    assert set(before) == {name for name in after if name.startswith(ENCODER)}
    assert not any(torch.equal(before[name], after[name]) for name in before)
    card = json.loads((tmp_path / "card.json").read_text())
    assert sorted(card["init"]["loaded"]) == sorted(before)
    assert all("head" in name.split(".") for name in card["init"]["new"])


def test_adapters_learn_and_the_weights_under_them_stay(tuning, tmp_path):
    pytest.importorskip("peft")
    model = trained(tuning, tmp_path, tuning[3](**LORA))
    before, after = load_weights(tuning[2])[0], load_weights(model)[0]
    kept = {name.replace(".base_layer.", "."): tensor for name, tensor in after.items() if "lora_" not in name}
    assert all(torch.equal(before[name], kept[name]) for name in before)
    adapters = {name: tensor for name, tensor in after.items() if "lora_" in name}
    assert len(adapters) == 2 * 2 * 3  # two matrices, for two layers with queries, keys and values
    assert all(tensor.abs().max() > 0 for tensor in adapters.values())
    assert {min(tensor.shape) for tensor in adapters.values()} == {2}


def test_adapters_change_nothing_at_first(tuning):
    pytest.importorskip("peft")
    state, networks = load_weights(tuning[2])[0], []
    for step in (tuning[3](tune="full"), tuning[3](**LORA)):
        torch.manual_seed(0)
        made = build(step.network, (3,), 2, encoder=step.encoder)
        missing, unexpected = made.load_state_dict(made.renamed(state), strict=False)
        assert not unexpected
        assert all("head" in name or "lora_" in name for name in missing)
        networks.append(made.eval())
    x_BCTHW = torch.randn(1, 3, FRAMES, 32, 32)
    with torch.no_grad():
        torch.testing.assert_close(networks[0].encoder(x_BCTHW), networks[1].encoder(x_BCTHW))
    trainable = {name for name, p in networks[1].named_parameters() if p.requires_grad}
    assert all(name.startswith("head.") or "lora_" in name for name in trainable)


@pytest.mark.parametrize("network", [{"tune": "full"}, LORA])
def test_a_stopped_training_goes_on_to_the_same_bytes(tuning, tmp_path, network):
    if network is LORA:
        pytest.importorskip("peft")
    step = tuning[3](**network)
    expected = trained(tuning, tmp_path / "whole", step).read_bytes()

    class AfterSteps(StopRequest):
        left = 3

        @property
        def is_made(self):
            self.left -= 1
            return self.left < 0

    with pytest.raises(Stopped):
        trained(tuning, tmp_path / "stopped", step, stop=AfterSteps())
    assert trained(tuning, tmp_path / "stopped", step).read_bytes() == expected


def test_a_tuned_stream_predicts_and_another_may_start_from_it(tuning, tmp_path):
    clips, shards, _, step_of = tuning
    step = step_of(tune="full")
    model = trained(tuning, tmp_path / "first", step)
    predict(clips, shards, model, step, build, {"val": tmp_path / "scores"}, CPU)
    assert set(read_scores(tmp_path / "scores").log_probabilities) == {"c8", "c9"}
    trained(tuning, tmp_path / "second", step, parents=[model])
    assert json.loads((tmp_path / "second/card.json").read_text())["init"]["new"] == []


def test_an_encoder_with_random_weights_is_refused(tuning, tmp_path):
    clips, shards, _, step_of = tuning
    files = tmp_path / "model", tmp_path / "card", tmp_path / "scratch"
    with pytest.raises(InputError, match="--weights"):
        train(clips, shards, step_of(tune="full"), build, *files, CPU)


def test_layers_that_the_encoder_does_not_have_are_refused(tuning):
    pytest.importorskip("peft")
    step = tuning[3](tune="lora", lora={"targets": ["query", "wrong"]})
    with pytest.raises(InputError, match=r"no linear layer wrong; choose of .*query"):
        build(step.network, (3,), 2, encoder=step.encoder)
