import json
import os
import re

import numpy as np
import pandas as pd
import pytest
import torch
from safetensors.torch import save_file
from scipy.special import log_softmax
from sklearn.metrics import accuracy_score, balanced_accuracy_score, log_loss
from torch import nn

import microgesture.streams.train as training
from fixtures.training_clips import make_clips, make_step, write_shards
from microgesture.errors import InputError, UnusableClip
from microgesture.machine.resources import Resources
from microgesture.networks import build
from microgesture.storage.shards import Shard, write_shard
from microgesture.streams.augment import step_input
from microgesture.streams.distributed import Process
from microgesture.streams.folds import assign_folds
from microgesture.streams.preemption import StopRequest
from microgesture.streams.samples import Examples
from microgesture.streams.train import best_epoch, learn, outcome, train
from microgesture.streams.weights import load_weights

LABELS = [0, 1] * 8
SPLITS = ["train"] * 8 + ["val"] * 8


def run(folder, step, clips=None, shards=None, machine=None, **options):
    """Train, and return the card."""
    folder.mkdir(exist_ok=True)
    shards = shards or write_shards(folder, step.inputs, LABELS)
    clips = clips or make_clips(SPLITS, LABELS)
    files = folder / "model.safetensors", folder / "card.json", folder / "scratch"
    train(clips, shards, step, build, *files, machine or Resources("cpu"), **options)
    return json.loads((folder / "card.json").read_text())


def weights_in(folder):
    return load_weights(folder / "model.safetensors")[0]


def test_eight_clips_are_learnt_by_heart(tmp_path):
    # the validation clips are the training clips under other names
    twice = {}
    for kind, (path,) in write_shards(tmp_path, ("rgb", "joint"), LABELS).items():
        whole = Shard(path)
        twice[kind] = [tmp_path / f"twice_{kind}.arrow"]
        write_shard(twice[kind][0], [(f"c{row}", whole.read(f"c{row % 8}")) for row in range(16)], "zstd")
    step = make_step("rgb", "joint", crop_area=(1, 1), flip=False, epochs=6)
    card = run(tmp_path, step, shards=twice)
    assert card["best"]["val_accuracy"] == 1
    assert card["history"][-1]["train_loss"] < card["history"][0]["train_loss"]
    assert not (tmp_path / "scratch").exists()


class Killed(Exception):
    pass


def test_training_that_was_killed_ends_in_the_same_bytes(tmp_path, monkeypatch):
    random = {"dropout": 0.5, "drop_path": 0.3}
    step = make_step("rgb", network=random, epochs=4, repeats=2, color_jitter=0.2, flip=True)
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


# in either micro-batch of an epoch's second step
@pytest.mark.parametrize("killed_at", [6, 7])
def test_training_that_was_killed_within_an_epoch_ends_in_the_same_bytes(tmp_path, monkeypatch, killed_at):
    # 2 steps an epoch, of 2 micro-batches each
    recipe = {"optimizer": "sgd", "epochs": 3, "batch_size": 4, "micro_batch_size": 2}
    step = make_step("rgb", network={"dropout": 0.5}, **recipe)
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    micro_batches = []

    def counting(*arguments, **options):
        micro_batches.append(arguments)
        return step_input(*arguments, **options)

    def killing(*arguments, **options):
        if len(micro_batches) == killed_at:
            raise Killed
        return counting(*arguments, **options)

    monkeypatch.setattr(training, "step_input", killing)
    with pytest.raises(Killed):
        run(killed, step, save_seconds=0)
    monkeypatch.setattr(training, "step_input", counting)
    history = run(killed, step, save_seconds=0)["history"]
    assert len(micro_batches) == 12 + killed_at % 2  # only the step that was under way was begun again
    assert history == run(whole, step)["history"]
    assert (killed / "model.safetensors").read_bytes() == (whole / "model.safetensors").read_bytes()


def test_another_seed_gives_other_weights(tmp_path):
    step = make_step("joint", epochs=1)
    for name, seed in (("one", 3), ("other", 4)):
        run(tmp_path / name, step.model_copy(update={"seed": seed}))
    assert not torch.equal(*(weights_in(tmp_path / name)["stem.conv.weight"] for name in ("one", "other")))


@pytest.mark.parametrize("save_seconds", [0, 600])
def test_a_loss_that_is_not_finite_stops_and_names_the_clips(tmp_path, save_seconds):
    step = make_step("joint", learning_rate=1e30, batch_size=4)
    with pytest.raises(
        InputError, match=r"stream 'small_joint': the loss is (nan|inf) in epoch \d, step \d; .* c\d, c\d"
    ):
        run(tmp_path, step, save_seconds=save_seconds)
    for path in tmp_path.glob("scratch/*"):
        state = torch.load(path, weights_only=True)
        assert np.isfinite(state["losses"] + [epoch["train_loss"] for epoch in state["history"]]).all()


def test_the_clips_of_the_first_loss_that_is_not_finite_are_named(tmp_path, monkeypatch):
    seen = []

    def blinded(batch, step, *, training):
        seen.append(sorted(f"c{row}" for row in batch.row.tolist()))
        (x,) = step_input(batch, step, training=training)
        return (x * float("nan") if len(seen) >= 3 else x,)

    monkeypatch.setattr(training, "step_input", blinded)
    with pytest.raises(InputError, match="in epoch 0, step 2; the clips of that step are c") as raised:
        run(tmp_path, make_step("joint", batch_size=2))
    assert len(seen) == 4  # the epoch ends before it is noticed
    assert sorted(re.findall(r"\bc\d+", str(raised.value))) == seen[2]


READERS = ("item", "tolist", "cpu", "numpy", "__bool__", "__float__", "__int__")


def test_the_device_is_asked_for_numbers_once_an_epoch_however_many_steps_that_has(tmp_path, monkeypatch):
    asked = []
    for name in READERS:
        read = getattr(torch.Tensor, name)
        monkeypatch.setattr(torch.Tensor, name, lambda *a, _read=read, _name=name: asked.append(_name) or _read(*a))
    counts = []
    for batch_size in (8, 2):
        run(tmp_path / str(batch_size), make_step("rgb", epochs=1, batch_size=batch_size, optimizer="sgd"))
        counts.append(len(asked))
        asked.clear()
    assert counts[0] == counts[1] > 0


def test_the_same_processes_load_the_clips_of_the_whole_training(tmp_path, monkeypatch):
    loaded_by = []
    read = training.TwoSplits.__getitem__

    def reading(splits, key):
        sample = read(splits, key)
        return sample._replace(times=os.getpid())

    def showing(batch, step, *, training):
        loaded_by.extend(batch.times.tolist())
        return step_input(batch, step, training=training)

    monkeypatch.setattr(training.TwoSplits, "__getitem__", reading)
    monkeypatch.setattr(training, "step_input", showing)
    run(tmp_path, make_step("joint", epochs=3, batch_size=4), machine=Resources("cpu", workers=2))
    assert len(loaded_by) == 3 * 8
    assert len(set(loaded_by) - {os.getpid()}) == len(set(loaded_by)) == 2


def test_validation_measures_as_scikit_learn_does(monkeypatch):
    generator = np.random.default_rng(0)
    labels_N = np.repeat([0, 1, 3], [12, 5, 2])
    scores_NK = generator.normal(size=(19, 4)).astype(np.float32)
    scores_NK[np.arange(10), labels_N[:10]] += 3
    scores_NK = log_softmax(scores_NK, 1)
    monkeypatch.setattr(training, "log_probabilities", lambda *arguments, only, **options: scores_NK[list(only)])
    clips = Examples(pd.DataFrame({"clip_id": [f"c{n}" for n in range(19)], "label": labels_N}), {})
    process = Process(0, 1, torch.device("cpu"))
    measured = training.validate(nn.Identity(), clips, iter([]), make_step("rgb"), 4, process)
    predicted_N = scores_NK.argmax(1)
    assert measured["val_accuracy"] == pytest.approx(accuracy_score(labels_N, predicted_N))
    assert measured["val_balanced_accuracy"] == pytest.approx(balanced_accuracy_score(labels_N, predicted_N))
    assert measured["val_balanced_accuracy"] != pytest.approx(measured["val_accuracy"], abs=0.05)
    assert measured["val_loss"] == pytest.approx(log_loss(labels_N, np.exp(scores_NK), labels=range(4)), rel=1e-5)


def results(accuracy, balanced, loss, train_loss=1.0):
    return {
        "train_loss": train_loss,
        "val_accuracy": accuracy,
        "val_balanced_accuracy": balanced,
        "val_loss": loss,
    }


def test_the_kept_epoch_is_the_best_then_the_one_of_lowest_loss():
    history = [results(0.9, 0.5, 1.0), results(0.4, 0.7, 2.0), results(0.9, 0.7, 1.5), results(0.9, 0.7, 1.5)]
    history += [results(0.95, 0.6, 3.0), results(0.95, 0.6, 2.5)]
    assert best_epoch(history, "best_balanced_accuracy") == 2
    assert best_epoch(history, "best_accuracy") == 5
    assert best_epoch(history[:5], "last") == 4
    assert best_epoch([results(None, None, None)] * 2, "best_accuracy") == 1


def test_the_last_and_the_kept_epoch_are_told():
    history = [results(0.5, 0.5, 1.0), results(0.8, 0.8, 1.0), results(0.6, 0.6, 1.0, train_loss=0.25)]
    text = outcome(history, "best_balanced_accuracy")
    assert text == "loss 0.25, val accuracy 60.0%; epoch 1 is kept: loss 1.00, val accuracy 80.0%"
    assert outcome(history, "last") == "loss 0.25, val accuracy 60.0%"


@pytest.mark.parametrize(
    ("keep", "measure"), [("best_accuracy", "val_accuracy"), ("best_balanced_accuracy", "val_balanced_accuracy")]
)
def test_the_weights_of_the_epoch_that_the_recipe_names_are_kept(tmp_path, monkeypatch, keep, measure):
    measured = iter([results(0.2, 0.9, 1.0), results(0.9, 0.2, 1.0), results(0.1, 0.1, 1.0)])
    monkeypatch.setattr(training, "validate", lambda *arguments: next(measured))
    card = run(tmp_path, make_step("joint", epochs=3, keep_checkpoint=keep))
    assert card["best"][measure] == 0.9


def test_the_card_tells_what_went_in_and_out(tmp_path):
    clips = make_clips([*SPLITS, "test"], [*LABELS, None])
    shards = write_shards(tmp_path, ("joint",), [*LABELS, 0])
    card = run(tmp_path, make_step("joint", epochs=2, micro_batch_size=3), clips, shards, Resources("cpu", devices=1))
    assert card["stream"] == "small_joint"
    assert card["corpus"] == "drawn"
    assert card["classes"] == ["wave", "nod"]
    assert card["train_clips"] == card["val_clips"] == [4, 4]
    assert card["recipe"]["epochs"] == len(card["history"]) == 2
    assert card["init"] is card["fold"] is None
    assert (card["device"], card["devices"], card["micro_batches_per_step"]) == ("cpu", 1, 3)
    state, about = load_weights(tmp_path / "model.safetensors")
    learnt = [tensor for name, tensor in state.items() if "running" not in name and "num_batches" not in name]
    assert card["parameters"] == sum(tensor.numel() for tensor in learnt)
    assert (about.stream, about.classes) == ("small_joint", ("wave", "nod"))


def test_without_validation_labels_the_last_epoch_is_taken(tmp_path):
    card = run(tmp_path, make_step("joint", epochs=2), make_clips(SPLITS, LABELS[:8] + [None] * 8))
    assert card["best_epoch"] == 1
    assert card["best"]["val_loss"] is None


def test_the_people_of_a_fold_are_neither_learnt_from_nor_validated_on(tmp_path):
    splits = ["train"] * 12 + ["val"] * 4
    clips = make_clips(splits, LABELS)
    fold_of = assign_folds(clips, 3)
    # their clips are not even there
    entries = [(f"c{row}", np.ones((12, 36, 3), np.float32)) for row in range(16) if fold_of[f"c{row}"] != 1]
    write_shard(tmp_path / "shard.arrow", entries, "zstd")
    step = make_step("joint", epochs=1).model_copy(update={"folds": 3})
    card = run(tmp_path, step, clips, {"keypoints": [tmp_path / "shard.arrow"]}, fold=1)
    assert card["fold"] == 1
    for split, counts in (("train", card["train_clips"]), ("val", card["val_clips"])):
        left = [label for row, label in enumerate(LABELS) if splits[row] == split and fold_of[f"c{row}"] != 1]
        assert counts == [left.count(0), left.count(1)]


# What a step changes by then is too little to be seen in any weight: what was loaded can be told from the result.
UNMOVED = {"epochs": 1, "learning_rate": 1e-30, "weight_decay": 0}


def test_fine_tuning_keeps_the_backbone_and_replaces_the_head_of_other_classes(tmp_path):
    run(tmp_path / "first", make_step("joint", epochs=1))
    other = make_clips(SPLITS, LABELS)
    other = type(other)(other.table, ("touch", "fold", "shake"), ("1", "2", "3"))
    parent = tmp_path / "first" / "model.safetensors"
    card = run(tmp_path / "second", make_step("joint", **UNMOVED), other, parents=[parent])
    assert card["init"]["parents"] == ["small_joint"]
    assert set(card["init"]["new"]) == set(card["init"]["left_out"]) == {"head.3.weight", "head.3.bias"}
    first, second = weights_in(tmp_path / "first"), weights_in(tmp_path / "second")
    assert second["head.3.weight"].shape == (3, first["head.3.weight"].shape[1])
    assert torch.equal(
        first["stages.1.res_blocks.0.branch2.conv_a.weight"], second["stages.1.res_blocks.0.branch2.conv_a.weight"]
    )


def test_fine_tuning_on_the_same_classes_keeps_the_head(tmp_path):
    run(tmp_path / "first", make_step("joint", epochs=1))
    card = run(tmp_path / "second", make_step("joint", epochs=1), parents=[tmp_path / "first" / "model.safetensors"])
    assert card["init"]["new"] == card["init"]["left_out"] == []


def test_training_starts_from_published_weights(tmp_path):
    step = make_step("rgb", **UNMOVED)
    torch.manual_seed(8)
    published = build(step.network, (3,), 2).state_dict()
    save_file(published, tmp_path / "published.safetensors")
    card = run(tmp_path / "run", step, weights=tmp_path / "published.safetensors")
    assert card["init"]["parents"] == ["published.safetensors"]
    for name, tensor in weights_in(tmp_path / "run").items():
        torch.testing.assert_close(tensor, published[name])


def test_weights_of_another_network_are_refused(tmp_path):
    run(tmp_path / "first", make_step("rgb", epochs=1))
    with pytest.raises(InputError, match=r"none of the tensors of .* fits"):
        run(tmp_path / "second", make_step("joint", epochs=1), parents=[tmp_path / "first" / "model.safetensors"])


def test_a_stream_without_labelled_clips_is_refused(tmp_path):
    with pytest.raises(InputError, match="stream 'small_joint': 0 usable clips of split train"):
        run(tmp_path, make_step("joint"), make_clips(SPLITS, [None] * 8 + LABELS[:8]))


def test_too_many_clips_without_the_input_are_refused(tmp_path):
    entries = [(f"c{row}", UnusableClip("the video is empty")) for row in range(1)]
    entries += [(f"c{row}", np.ones((12, 36, 3), np.float32)) for row in range(1, 16)]
    write_shard(tmp_path / "shard.arrow", entries, "zstd")
    with pytest.raises(InputError, match=r"1 clips have no joint(.|\n)*c0: the video is empty"):
        run(tmp_path, make_step("joint"), shards={"keypoints": [tmp_path / "shard.arrow"]})


def test_steps_of_fewer_clips_than_devices_are_refused(tmp_path):
    shards = write_shards(tmp_path, ("joint",), LABELS)
    one_of_five = Process(0, 5, torch.device("cpu"))
    # 8 clips in two steps of 4
    inputs = make_clips(SPLITS, LABELS), shards, make_step("joint", batch_size=5), build, tmp_path / "scratch"
    with pytest.raises(InputError, match="a step has 4 clips, too few for 5 devices"):
        learn(one_of_five, *inputs, Resources("cpu", devices=5), (), None, None, 600, StopRequest())


@pytest.mark.slow
def test_compiled_networks_learn_the_same(tmp_path):
    step, clips = make_step("rgb", epochs=2, batch_size=4, optimizer="sgd"), make_clips(SPLITS, LABELS[:8] + [None] * 8)
    run(tmp_path / "as_it_is", step, clips)
    run(tmp_path / "compiled", step, clips, machine=Resources("cpu", compile=True))
    expected = weights_in(tmp_path / "as_it_is")
    learnt = weights_in(tmp_path / "compiled")
    assert learnt.keys() == expected.keys()
    for name, tensor in expected.items():
        torch.testing.assert_close(learnt[name], tensor, rtol=1e-4, atol=1e-5)
