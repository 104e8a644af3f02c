"""Networks of the smallest sizes, which once corrupted memory, are trained in a process that must survive it."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from torch import nn

from fixtures.smallest_networks import made, sizes, smallest
from microgesture.config.networks import NETWORKS

TESTS = Path(__file__).parents[1]


# One size only, that of the publication, whose 33 million weights take as long as all other networks.
FULL = "r2plus1d"


@pytest.mark.parametrize(
    "names", [[name for name in NETWORKS if name != FULL], pytest.param([FULL], marks=pytest.mark.slow)], ids=len
)
def test_every_network_is_right_at_its_smallest_sizes_in_every_layout(names):
    paths = os.pathsep.join([str(TESTS), *filter(None, [os.environ.get("PYTHONPATH")])])
    ran = subprocess.run(
        [sys.executable, "-m", "fixtures.smallest_networks", *names],
        env=os.environ | {"PYTHONPATH": paths},
        capture_output=True,
        text=True,
    )
    lines = ran.stdout.splitlines()
    assert ran.returncode == 0, f"exit status {ran.returncode} at {lines[-1:]}: {ran.stderr[-2000:]}"
    assert lines[-1] == "all"
    assert all(any(f'"{name}"' in line for line in lines) for name in names)


def test_a_network_is_tried_at_the_least_value_of_every_size():
    assert smallest("agcn").width == 4
    assert smallest("slowonly").width == 1


@pytest.mark.parametrize("name", NETWORKS)
def test_no_network_has_the_convolution_that_corrupts_memory(name):
    # oneDNN 3.12 does so on some processors only: backward, channels last, strided, 1 x 1, fewer than 16 channels.
    for settings in sizes(name):
        network, _ = made(settings)
        convolutions = [module for module in network.modules() if isinstance(module, nn.Conv2d)]
        assert not [
            one for one in convolutions if set(one.kernel_size) == {1} != set(one.stride) and one.in_channels < 16
        ]
