import json
import os

import numpy as np
import pytest
import torch
from torch import nn
from torch.multiprocessing import ProcessExitedException, ProcessRaisedException

from fixtures.training_clips import make_clips, make_step, write_shards
from microgesture.errors import InputError
from microgesture.machine.resources import Resources
from microgesture.networks import build
from microgesture.streams.distributed import on_each_device
from microgesture.streams.train import train
from microgesture.streams.weights import load_weights

LABELS = [0, 1, 1] * 7
SPLITS = ["train"] * 16 + ["val"] * 5
TWO = Resources("cpu", devices=2)


@pytest.mark.slow
@pytest.mark.parametrize("inputs", [("rgb",), ("rgb", "joint")], ids=["without batch norm", "with batch norm"])
def test_two_devices_learn_what_one_learns_in_as_many_micro_batches(tmp_path, inputs):
    # 16 clips in two steps, each in two micro-batches for each of two devices
    recipe = {"epochs": 2, "batch_size": 8, "micro_batch_size": 2, "optimizer": "sgd", "class_weights": "sqrt"}
    step = make_step(*inputs, network={"dropout": 0.5}, learning_rate=0.05, **recipe)
    shards = write_shards(tmp_path, inputs, LABELS)
    states, cards = [], []
    for machine in (Resources("cpu"), Resources("cpu", devices=2, workers=1)):
        folder = tmp_path / str(machine.devices)
        files = folder / "model.safetensors", folder / "card.json", folder / "scratch"
        train(make_clips(SPLITS, LABELS), shards, step, build, *files, machine)
        states.append(load_weights(files[0])[0])
        cards.append(json.loads(files[1].read_text()))
    one, two = states
    for name, tensor in one.items():
        if "running" not in name and "num_batches" not in name:
            torch.testing.assert_close(two[name], tensor, rtol=1e-5, atol=1e-6)
    assert [(card["devices"], card["micro_batches_per_step"]) for card in cards] == [(1, 4), (2, 4)]
    for epoch, other in zip(*(card["history"] for card in cards), strict=True):
        assert other["train_loss"] == pytest.approx(epoch["train_loss"], rel=1e-5)
        if inputs == ("rgb",):
            assert other == pytest.approx(epoch, rel=1e-4)


def shared(process, factor):
    """What each of two processes finds in a total, in averaged buffers and in flags, of which none sets the third."""
    network = nn.BatchNorm1d(1)
    network.running_mean.fill_(factor * process.rank)
    process.average_buffers(network)
    total_N = process.total(np.array([1.0, process.rank]))
    flags = process.agree(lambda: [process.rank == 0, process.rank == 1, False])()
    return network.running_mean.item(), network.num_batches_tracked.item(), total_N.tolist(), flags


@pytest.mark.slow
def test_processes_share_totals_running_statistics_and_flags():
    assert on_each_device(TWO, shared, 3.0) == (1.5, 0, [2, 1], [True, True, False])
    assert on_each_device(Resources("cpu"), shared, 3.0) == (0, 0, [1, 0], [True, False, False])


def fail(process, failing):
    if process.rank == failing:
        raise InputError("no such clip") if failing == 0 else ValueError("out of memory")
    process.total(np.zeros(1))


@pytest.mark.slow
def test_a_process_that_fails_ends_the_others_and_its_error_is_told():
    with pytest.raises(ProcessRaisedException, match="ValueError: out of memory"):
        on_each_device(TWO, fail, 1)
    with pytest.raises(InputError, match="no such clip"):
        on_each_device(TWO, fail, 0)


class EndsWhoeverReadsIt:
    """An argument that another process ends at, before any code of ours runs there."""

    def __reduce__(self):
        return os._exit, (3,)


@pytest.mark.slow
def test_a_process_that_ends_before_it_begins_to_work_ends_the_others():
    with pytest.raises(ProcessExitedException, match="exit code 3"):
        on_each_device(TWO, shared, EndsWhoeverReadsIt())
