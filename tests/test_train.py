import json
import math

import numpy as np
import pytest
import torch
from torch import nn

import microgesture.train as training
from microgesture.batches import Machine
from microgesture.errors import InputError, UnusableClip
from microgesture.networks import build
from microgesture.recipe import Recipe
from microgesture.shards import Shard, write_shard
from microgesture.train import best_epoch, class_weights, epoch_batches, make_optimizer, rate_factor, train
from microgesture.weights import load_weights
from training_clips import make_clips, make_step, write_clips_shard

LABELS = [0, 1] * 8
SPLITS = ["train"] * 8 + ["val"] * 8


def run(folder, step, clips=None, init=None, shard=None):
    """Train, and return the card."""
    shard = shard or write_clips_shard(folder / "shard.arrow", step.input, LABELS)
    clips = clips or make_clips(SPLITS, LABELS)
    files = folder / "model.safetensors", folder / "card.json", folder / "scratch"
    train(clips, [shard], step, build, *files, Machine("cpu"), init)
    return json.loads((folder / "card.json").read_text())


@pytest.mark.parametrize(
    ("input", "recipe"),
    [
        ("joint", {"crop_area": (1, 1), "flip": False}),
        ("rgb", {"crop_area": (1, 1), "epochs": 25, "warmup_epochs": 3, "learning_rate": 0.003, "batch": 4}),
    ],
)
def test_eight_clips_are_learnt_by_heart(tmp_path, input, recipe):
    # the validation clips are the training clips under other names
    clips = make_clips(SPLITS, LABELS)
    whole = Shard(write_clips_shard(tmp_path / "first.arrow", input, LABELS))
    twice = [(f"c{row}", whole.read(f"c{row % 8}")) for row in range(16)]
    write_shard(tmp_path / "shard.arrow", twice, "zstd")
    card = run(tmp_path, make_step(input, **recipe), clips, shard=tmp_path / "shard.arrow")
    assert card["best"]["val_accuracy"] == 1
    assert card["history"][-1]["train_loss"] < card["history"][0]["train_loss"]
    assert not (tmp_path / "scratch").exists()


class Killed(Exception):
    pass


@pytest.mark.parametrize(
    ("input", "network", "recipe"),
    [
        ("joint", {"dropout": 0.5}, {"optimizer": "sgd", "epochs": 4, "repeats": 2}),
        ("rgb", {"dropout": 0.5, "drop_path": 0.3}, {"epochs": 4, "jitter": 0.2, "flip": True}),
    ],
)
def test_training_that_was_killed_ends_in_the_same_bytes(tmp_path, monkeypatch, input, network, recipe):
    step = make_step(input, network, **recipe)
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    expected = run(whole, step)["history"]

    validate = training.validate
    finished = []

    def killed_in_the_third_epoch(*arguments):
        if len(finished) == 2:
            raise Killed
        finished.append(validate(*arguments))
        return finished[-1]

    monkeypatch.setattr(training, "validate", killed_in_the_third_epoch)
    with pytest.raises(Killed):
        run(killed, step)
    assert not (killed / "model.safetensors").exists()
    monkeypatch.setattr(training, "validate", lambda *arguments: finished.append(1) or validate(*arguments))
    assert run(killed, step)["history"] == expected
    assert len(finished) == 4  # two epochs were not run again
    assert (killed / "model.safetensors").read_bytes() == (whole / "model.safetensors").read_bytes()


def test_another_seed_gives_other_weights(tmp_path):
    step = make_step("joint", epochs=1)
    for name, seed in (("one", 3), ("other", 4)):
        run(tmp_path / name, step.model_copy(update={"seed": seed}))
    one, other = (load_weights(tmp_path / name / "model.safetensors")[0] for name in ("one", "other"))
    assert not torch.equal(one["stem.conv.weight"], other["stem.conv.weight"])


def test_a_loss_that_is_not_finite_stops_and_names_the_clips(tmp_path):
    step = make_step("joint", learning_rate=1e30, batch=4)
    with pytest.raises(
        InputError, match=r"stream 'small_joint': the loss is (nan|inf) in epoch \d, step \d; .* c\d, c\d"
    ):
        run(tmp_path, step)


def test_the_card_tells_what_went_in_and_out(tmp_path):
    clips = make_clips([*SPLITS, "test"], [*LABELS, None])
    shard = write_clips_shard(tmp_path / "shard.arrow", "joint", [*LABELS, 0])
    card = run(tmp_path, make_step("joint", epochs=2), clips, shard=shard)
    assert card["stream"] == "small_joint"
    assert card["corpus"] == "drawn"
    assert card["classes"] == ["wave", "nod"]
    assert card["train_clips"] == card["val_clips"] == [4, 4]
    assert card["recipe"]["epochs"] == len(card["history"]) == 2
    assert card["init"] is None
    state, about = load_weights(tmp_path / "model.safetensors")
    learnt = [tensor for name, tensor in state.items() if "running" not in name and "num_batches" not in name]
    assert card["parameters"] == sum(tensor.numel() for tensor in learnt)
    assert (about.stream, about.input, about.classes) == ("small_joint", "joint", ("wave", "nod"))


def test_without_validation_labels_the_last_epoch_is_taken(tmp_path):
    card = run(tmp_path, make_step("joint", epochs=2), make_clips(SPLITS, LABELS[:8] + [None] * 8))
    assert card["best_epoch"] == 1
    assert card["best"]["val_loss"] is None


def test_fine_tuning_keeps_the_backbone_and_replaces_the_head_of_other_classes(tmp_path):
    run(tmp_path / "first", make_step("joint", epochs=1))
    other = make_clips(SPLITS, LABELS)
    other = type(other)(other.table, ("touch", "fold", "shake"), ("1", "2", "3"))
    # no learning at all: what is loaded can be seen in the result
    step = make_step("joint", epochs=1, learning_rate=1e-30, weight_decay=0)
    card = run(tmp_path / "second", step, other, init=tmp_path / "first" / "model.safetensors")
    assert card["init"]["stream"] == "small_joint"
    assert set(card["init"]["new"]) == set(card["init"]["left_out"]) == {"head.3.weight", "head.3.bias"}
    first, second = (load_weights(tmp_path / name / "model.safetensors")[0] for name in ("first", "second"))
    assert second["head.3.weight"].shape == (3, first["head.3.weight"].shape[1])
    assert torch.equal(
        first["stages.1.res_blocks.0.branch2.conv_a.weight"], second["stages.1.res_blocks.0.branch2.conv_a.weight"]
    )


def test_fine_tuning_on_the_same_classes_keeps_the_head(tmp_path):
    run(tmp_path / "first", make_step("joint", epochs=1))
    card = run(tmp_path / "second", make_step("joint", epochs=1), init=tmp_path / "first" / "model.safetensors")
    assert card["init"]["new"] == card["init"]["left_out"] == []


def test_weights_of_another_network_are_refused(tmp_path):
    run(tmp_path / "first", make_step("rgb", epochs=1))
    with pytest.raises(InputError, match=r"none of the tensors of .* fits"):
        run(tmp_path / "second", make_step("joint", epochs=1), init=tmp_path / "first" / "model.safetensors")


def test_a_stream_without_labelled_clips_is_refused(tmp_path):
    with pytest.raises(InputError, match="stream 'small_joint': 0 usable clips of split train"):
        run(tmp_path, make_step("joint"), make_clips(SPLITS, [None] * 8 + LABELS[:8]))


def test_too_many_clips_without_the_input_are_refused(tmp_path):
    entries = [(f"c{row}", UnusableClip("the video is empty")) for row in range(1)]
    entries += [(f"c{row}", np.ones((12, 36, 3), np.float32)) for row in range(1, 16)]
    write_shard(tmp_path / "shard.arrow", entries, "zstd")
    with pytest.raises(InputError, match=r"1 clips have no joint(.|\n)*c0: the video is empty"):
        run(tmp_path, make_step("joint"), shard=tmp_path / "shard.arrow")


def test_an_epoch_shows_every_clip_as_often_as_it_should_in_changing_order():
    recipe = Recipe(batch=4, repeats=3)
    epochs = [[key for batch in epoch_batches(10, recipe, 0, epoch) for key in batch] for epoch in (0, 1)]
    assert sorted(epochs[0]) == [(row, draw) for row in range(10) for draw in range(3)]
    assert sorted(epochs[1]) == [(row, draw) for row in range(10) for draw in range(3, 6)]
    orders = [[row for row, draw in epoch if draw == first] for epoch, first in zip(epochs, (0, 3), strict=True)]
    assert orders[0] != orders[1]


def test_the_rate_rises_straight_and_falls_as_a_cosine():
    recipe = Recipe(epochs=12, warmup_epochs=2)
    assert [rate_factor(epoch, recipe) for epoch in (0, 1, 2)] == pytest.approx([0.1, 0.55, 1])
    assert [rate_factor(epoch, recipe) for epoch in (4.5, 7, 12)] == pytest.approx([0.5 + math.sqrt(2) / 4, 0.5, 0])


def test_class_weights_have_mean_one_and_favour_the_rare():
    weights = class_weights([3, 0, 24], "sqrt")
    np.testing.assert_allclose(np.array(weights) / weights[1], [0.5, 1, 0.2])
    assert np.mean(weights) == pytest.approx(1)
    assert class_weights([3, 0, 24], "none") == [1, 1, 1]


def test_the_best_epoch_is_the_most_balanced_then_the_one_of_least_loss():
    def history(*values):
        return [{"val_balanced_accuracy": accuracy, "val_loss": loss} for accuracy, loss in values]

    assert best_epoch(history((0.5, 1.0), (0.7, 2.0), (0.7, 1.5), (0.7, 1.5), (0.6, 0.1))) == 2
    assert best_epoch(history((None, None), (None, None))) == 1


def test_groups_of_the_optimizer():
    class Small(nn.Module):
        def __init__(self):
            super().__init__()
            self.layer = nn.Linear(2, 2)
            self.norm = nn.LayerNorm(2)
            self.relative_position_bias_table = nn.Parameter(torch.zeros(3, 2))
            self.head = nn.Linear(2, 2)

    network = Small()
    optimizer = make_optimizer(network, Recipe(backbone_scale=0.1, weight_decay=0.05, optimizer="adamw"))
    names = {parameter: name for name, parameter in network.named_parameters()}
    found = {
        (group["scale"], group["weight_decay"]): {names[parameter] for parameter in group["params"]}
        for group in optimizer.param_groups
    }
    assert found == {
        (0.1, 0.05): {"layer.weight"},
        (0.1, 0.0): {"layer.bias", "norm.weight", "norm.bias", "relative_position_bias_table"},
        (1.0, 0.05): {"head.weight"},
        (1.0, 0.0): {"head.bias"},
    }
