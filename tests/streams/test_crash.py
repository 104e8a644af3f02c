"""A training that a signal ends is named with its network; one that ends by itself is not."""

import os
import signal
import subprocess
import sys

import pytest

from fixtures.training_clips import make_step
from fixtures.training_command import TrainingCommand, wait_for
from microgesture.config.streams import TrainStep
from microgesture.streams.crash import crash_of

BLOCK = """
import ctypes, os, signal, sys
from microgesture.config.streams import TrainStep
from microgesture.streams.crash import crash_reported

with crash_reported(TrainStep.model_validate_json(sys.argv[1])):
    {}
"""


def run(statement, step):
    command = [sys.executable, "-c", BLOCK.format(statement), step.model_dump_json()]
    return subprocess.run(command, capture_output=True, text=True, timeout=60)


def stcnn():
    network = {"name": "stcnn", "widths": [8], "strides": [2]}
    given = {"stream": "walk", "inputs": ["skeleton"], "selection": "22", "margin": None, "network": network}
    return TrainStep.model_validate(given | {"recipe": {}, "seed": 0})


@pytest.mark.parametrize(
    ("statement", "number"),
    [("ctypes.string_at(0)", signal.SIGSEGV), ("os.kill(os.getpid(), signal.SIGKILL)", signal.SIGKILL)],
)
def test_a_training_that_a_signal_ends_names_network_and_sizes(statement, number):
    ended = run(statement, stcnn())
    assert ended.returncode == -number
    assert ended.stderr.count("stream 'walk': its training was killed, or crashed") == 1
    assert "stcnn (widths: [8], strides: [2]" in ended.stderr
    assert ("Fatal Python error: Segmentation fault" in ended.stderr) == (number == signal.SIGSEGV)


def test_a_training_that_ends_by_itself_is_not_said_to_have_crashed():
    ended = run("sys.exit(75)", stcnn())
    assert ended.returncode == 75
    assert "crashed" not in ended.stderr


def test_both_branches_of_a_fused_stream_are_named():
    step = make_step("joint")
    part = {"network": step.network, "recipe": step.recipe}
    fused = step.model_dump() | {
        "inputs": ("joint", "limb"),
        "network": {"name": "token_fusion"},
        "branches": (part,) * 2,
    }
    assert crash_of(TrainStep.model_validate(fused)).count(step.network.name) == 2


@pytest.mark.slow
def test_the_command_says_so_in_its_log_too(tmp_path):
    command = TrainingCommand(tmp_path / "run", epochs=1000)
    process = command.start()
    wait_for(process, lambda _: list(command.folder.glob(".scratch/*/*/state.pt")))
    os.kill(process.pid, signal.SIGSEGV)
    said = process.communicate()[1]
    assert process.returncode == -signal.SIGSEGV
    for text in (said, command.log):
        assert "stream 'small_joint': its training was killed, or crashed" in text
        assert command.step.network.name in text
