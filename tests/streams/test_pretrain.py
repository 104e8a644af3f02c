"""Pretraining without labels, and training that starts from it."""

from unittest.mock import patch

import numpy as np
import pandas as pd
import pytest
import torch

from fixtures.training_clips import make_clips, write_shards
from microgesture.config.pretraining import MaskedMotionSettings, PretrainStep
from microgesture.config.recipes import Recipe
from microgesture.config.streams import TrainStep
from microgesture.errors import InputError
from microgesture.machine.resources import Resources
from microgesture.networks import build
from microgesture.storage.clips import Clips
from microgesture.storage.files import read_json
from microgesture.streams.optimizers import parameter_groups
from microgesture.streams.predict import network_of
from microgesture.streams.pretrain import pretrain
from microgesture.streams.train import train
from microgesture.streams.weights import freeze_backbone, load_weights, train_mode

NETWORK = {"name": "skeleton_transformer", "width": 8, "depth": 2, "heads": 2, "drop_path": 0.1, "dropout": 0.5}
RECIPE = {"frames": 8, "epochs": 2, "batch_size": 8, "optimizer": "adamw", "learning_rate": 0.01, "num_clips": 1}
LABELS = [row % 2 for row in range(12)]


def pretraining(**recipe) -> PretrainStep:
    return PretrainStep(
        stream="masked",
        inputs=("skeleton",),
        selection="36",
        network=NETWORK,
        recipe=RECIPE | recipe,
        seed=3,
        masking=MaskedMotionSettings(ratio=0.5, decoder_depth=1),
        max_quarantined=0.02,
    )


def finetuning(**recipe) -> TrainStep:
    step = pretraining().model_dump(exclude={"masking"}) | {"stream": "tuned", "recipe": RECIPE | recipe}
    return TrainStep.model_validate(step | {"network": NETWORK})


def unlabelled(labels=LABELS) -> Clips:
    """Measured clips, which have neither split nor label; ``labels`` are planted where none belong."""
    table = make_clips(["train"] * len(labels), labels).table
    return Clips(table.assign(split=""), (), ())


def pretrained(folder, shards, clips=None, step=None, name="masked"):
    output = folder / f"{name}.safetensors"
    files = output, folder / f"{name}.json", folder / f"{name}_scratch"
    pretrain([clips or unlabelled()], shards, step or pretraining(), *files, Resources("cpu"))
    return output


@pytest.fixture
def shards(tmp_path):
    return write_shards(tmp_path, ("joint",), LABELS)


def test_labels_change_nothing(tmp_path, shards):
    weights = [
        pretrained(tmp_path, shards, unlabelled(labels), name=f"of_{number}").read_bytes()
        for number, labels in enumerate((LABELS, [None] * 12, [1 - label for label in LABELS]))
    ]
    assert weights[0] == weights[1] == weights[2]
    card = read_json(tmp_path / "of_1.json")
    assert card["train_clips"] == [12]
    assert card["masking"] == {"ratio": 0.5, "temperature": 0.8, "decoder_depth": 1}
    assert [epoch["val_loss"] for epoch in card["history"]] == [None, None]


def test_an_interrupted_pretraining_ends_in_the_same_weights(tmp_path, shards):
    constant = {"schedule": "steps", "decay_epochs": (50,)}  # then the first epoch is that of a shorter training
    whole = pretrained(tmp_path, shards, step=pretraining(**constant)).read_bytes()
    files = tmp_path / "resumed.safetensors", tmp_path / "resumed.json", tmp_path / "resumed_scratch"
    full_disk = patch("microgesture.streams.train.save_weights", side_effect=InterruptedError)
    with full_disk, pytest.raises(InterruptedError):
        pretrain([unlabelled()], shards, pretraining(epochs=1, **constant), *files, Resources("cpu"))
    assert (files[2] / "state.pt").exists()
    pretrain([unlabelled()], shards, pretraining(**constant), *files, Resources("cpu"))
    assert files[0].read_bytes() == whole


def test_clips_with_the_same_id_in_two_corpora_are_refused(tmp_path, shards):
    other = unlabelled()
    other = Clips(other.table.assign(corpus="other"), (), ())
    files = tmp_path / "w", tmp_path / "c", tmp_path / "s"
    with pytest.raises(InputError, match=r"c0 is a clip of drawn and other \(12 such clips\)"):
        pretrain([unlabelled(), other], shards, pretraining(), *files, Resources("cpu"))


def test_a_stream_starts_from_all_of_the_encoder_and_a_frozen_one_keeps_it(tmp_path, shards):
    start = pretrained(tmp_path, shards)
    clips = make_clips(["train"] * 12, LABELS)
    before, _ = load_weights(start)
    for freeze in ("nothing", "backbone"):
        output, card = tmp_path / f"{freeze}.safetensors", tmp_path / f"{freeze}.json"
        step = finetuning(freeze=freeze, sampling="balanced", layer_decay=0.8)
        train(clips, shards, step, build, output, card, tmp_path / "s", Resources("cpu"), [start])
        after, _ = load_weights(output)
        kept = [name for name, tensor in after.items() if name in before and torch.equal(tensor, before[name])]
        body = [name for name in after if not name.startswith("head.")]
        assert kept == (body if freeze == "backbone" else [])
        init = read_json(card)["init"]
        assert init["new"] == ["head.1.weight", "head.1.bias"]
        assert set(init["left_out"]) == {name for name in before if name not in after}


def test_a_frozen_backbone_without_its_weights_is_refused(tmp_path, shards):
    clips, files = make_clips(["train"] * 12, LABELS), (tmp_path / "m", tmp_path / "c", tmp_path / "s")
    with pytest.raises(InputError, match="freeze: backbone needs all weights"):
        train(clips, shards, finetuning(freeze="backbone"), build, *files, Resources("cpu"))


def network():
    torch.manual_seed(0)
    return network_of(finetuning(), build, 2)


def test_each_layer_learns_more_slowly_than_the_one_after_it():
    groups = parameter_groups(network(), Recipe(layer_decay=0.8, optimizer="adamw"))
    scale = {name: group.scale for group in groups for name in group.names}
    assert len(scale) == len(list(network().named_parameters()))
    expected = {"embed": 0.8**3, "joint": 0.8**3, "blocks.0": 0.8**2, "blocks.1": 0.8, "norm": 1, "head": 1}
    for name, of_name in scale.items():
        (start,) = [start for start in expected if name == start or name.startswith(f"{start}.")]
        assert of_name == pytest.approx(expected[start]), name


def test_nothing_is_dropped_in_a_frozen_backbone_but_in_its_classifier():
    module = network()
    freeze_backbone(module)
    module.eval()
    train_mode(module)
    assert [name for name, part in module.named_modules() if part.training] == ["head", "head.0", "head.1"]
    x_BCTV = torch.randn(2, 3, 8, 36)
    torch.testing.assert_close(module.features(x_BCTV), module.features(x_BCTV), atol=0, rtol=0)
    whole = network()
    train_mode(whole)
    assert all(part.training for part in whole.modules())


def test_unlabelled_clips_are_all_used_whatever_their_split(tmp_path, shards):
    splits = ["train", "val", "test"] * 4
    clips = Clips(unlabelled().table.assign(split=splits, label=pd.array([None] * 12, "Int32")), (), ())
    assert pretrained(tmp_path, shards, clips).read_bytes() == pretrained(tmp_path, shards, name="again").read_bytes()
    assert np.isfinite(read_json(tmp_path / "masked.json")["best"]["train_loss"])
