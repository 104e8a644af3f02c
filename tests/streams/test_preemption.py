import os
import random
import re
import signal
import subprocess
import threading
import time
from multiprocessing import get_context
from pathlib import Path

import pytest
import torch

import microgesture.streams.train as training
from fixtures.training_clips import make_clips, make_step, write_shards
from fixtures.training_command import LABELS, SPLITS, TrainingCommand
from microgesture.machine.resources import Resources
from microgesture.networks import build
from microgesture.storage.files import read_json
from microgesture.streams.augment import step_input
from microgesture.streams.preemption import (
    EXIT_STATUS,
    SIGNALS,
    Stopped,
    obey_parent_alone,
    signals_withheld,
    stop_on_signals,
)
from microgesture.streams.train import train
from microgesture.streams.weights import load_weights

BOTH = pytest.mark.parametrize("number", SIGNALS, ids=lambda number: number.name)


def files_in(folder: Path) -> tuple[Path, Path, Path]:
    return folder / "model.safetensors", folder / "card.json", folder / "scratch"


@BOTH
def test_training_that_is_told_to_stop_ends_in_the_same_bytes(tmp_path, monkeypatch, number):
    # 2 epochs of 4 steps, of 2 micro-batches each; stopped in the first micro-batch of the third step
    step = make_step("joint", network={"dropout": 0.5}, epochs=2, batch_size=4, micro_batch_size=2, repeats=2)
    shards, clips = write_shards(tmp_path, ("joint",), LABELS), make_clips(SPLITS, LABELS)
    micro_batches = []

    def telling(*arguments, **options):
        micro_batches.append(arguments)
        if len(micro_batches) == 5:
            os.kill(os.getpid(), number)
        return step_input(*arguments, **options)

    monkeypatch.setattr(training, "step_input", telling)
    before = [signal.getsignal(known) for known in SIGNALS]
    told = files_in(tmp_path / "told")
    sentence = rf"'small_joint' was stopped by {number.name} in epoch 0 after 3 of 4 steps; run again"
    with pytest.raises(Stopped, match=sentence), stop_on_signals() as stop:
        train(clips, shards, step, build, *told, Resources("cpu"), stop=stop)
    assert len(micro_batches) == 6
    assert [signal.getsignal(known) for known in SIGNALS] == before
    train(clips, shards, step, build, *told, Resources("cpu"))
    assert len(micro_batches) == 16  # no step was taken twice
    whole = files_in(tmp_path / "whole")
    train(clips, shards, step, build, *whole, Resources("cpu"))
    assert told[0].read_bytes() == whole[0].read_bytes()
    assert read_json(told[1])["history"] == read_json(whole[1])["history"]


def test_a_request_between_epochs_or_before_the_first_step_stops_there(tmp_path, monkeypatch):
    step = make_step("joint", epochs=3)
    shards, clips = write_shards(tmp_path, ("joint",), LABELS), make_clips(SPLITS, LABELS)
    files = files_in(tmp_path / "told")
    validate = training.validate

    def telling(*arguments, **options):
        os.kill(os.getpid(), signal.SIGTERM)
        return validate(*arguments)

    monkeypatch.setattr(training, "validate", telling)
    with stop_on_signals() as stop:
        for _ in range(2):  # the second time the request is there from the beginning
            with pytest.raises(Stopped, match="in epoch 1 after 0 of 1 steps"):
                train(clips, shards, step, build, *files, Resources("cpu"), stop=stop)
    monkeypatch.setattr(training, "validate", validate)
    train(clips, shards, step, build, *files, Resources("cpu"))
    assert [epoch["epoch"] for epoch in read_json(files[1])["history"]] == [0, 1, 2]


def test_only_the_main_thread_takes_signals():
    before = [signal.getsignal(number) for number in SIGNALS]
    seen = []

    def elsewhere():
        with stop_on_signals() as stop:
            seen.extend([stop.is_made, *(signal.getsignal(number) for number in SIGNALS)])

    thread = threading.Thread(target=elsewhere)
    thread.start()
    thread.join()
    assert seen == [False, *before]


def wait_under_parent(ready):
    obey_parent_alone()
    ready.set()
    while True:
        time.sleep(1)


def test_a_helping_process_ends_by_its_parents_signal_alone():
    context = get_context("fork")
    ready = context.Event()
    process = context.Process(target=wait_under_parent, args=(ready,))
    with signals_withheld():
        process.start()
    assert signal.pthread_sigmask(signal.SIG_BLOCK, ()) == set()
    ready.wait()
    for number in SIGNALS:
        subprocess.run(["kill", f"-{number.name.removeprefix('SIG')}", str(process.pid)], check=True)
    process.join(0.5)
    assert process.is_alive()
    process.terminate()
    process.join()
    assert process.exitcode == 0


@pytest.mark.slow
def test_the_command_stops_with_a_status_of_its_own_and_goes_on(tmp_path):
    recipe = {"epochs": 2, "repeats": 20}  # of 40 steps each
    told = TrainingCommand(tmp_path / "told", ["--workers", "1"], **recipe)
    assert told.run(signal.SIGTERM, 0.3) == EXIT_STATUS == 75
    assert not told.model.exists()
    sentence = told.said.strip()
    assert sentence.startswith("microgesture: stream 'small_joint' was stopped by SIGTERM in epoch ")
    assert sentence in told.log
    assert told.run() == 0, told.said
    assert not list(tmp_path.glob("told/.scratch/*"))
    whole = tmp_path / "whole.safetensors"
    files = whole, tmp_path / "whole.json", tmp_path / "scratch"
    train(make_clips(SPLITS, LABELS), told.shards, told.step, build, *files, Resources("cpu"))
    assert told.model.read_bytes() == whole.read_bytes()


@pytest.mark.slow
@pytest.mark.parametrize("options", [(), ("--devices", "2", "--workers", "1")], ids=["one", "two with readers"])
def test_signals_at_random_moments_change_nothing(tmp_path, options):
    recipe = {"epochs": 3, "repeats": 40, "optimizer": "sgd"}
    whole, told = (TrainingCommand(tmp_path / name, options, **recipe) for name in ("whole", "told"))
    assert whole.run() == 0, whole.said
    moments = random.Random(4)
    stops = []
    for _ in range(3):
        status = told.run(moments.choice(SIGNALS), moments.uniform(0, 1), learnt=True)
        stops += re.findall(r"was stopped by SIG\w+ in epoch (\d+) after (\d+) of 80 steps", told.said)
        assert status == (0 if told.model.exists() else EXIT_STATUS), told.said
    assert stops
    assert stops == sorted(stops, key=lambda stop: [int(number) for number in stop])
    assert told.run() == 0, told.said
    if not options:
        assert told.model.read_bytes() == whole.model.read_bytes()
    for name, tensor in load_weights(whole.model)[0].items():
        torch.testing.assert_close(load_weights(told.model)[0][name], tensor, rtol=1e-3, atol=1e-4)
