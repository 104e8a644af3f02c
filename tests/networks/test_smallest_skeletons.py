"""Skeleton networks at small widths, which once corrupted memory: a child process trains them and must survive."""

import subprocess
import sys

TRAIN = """
import itertools
import torch
from torch import nn
from microgesture.networks.stcnn import Shortcut

torch.manual_seed(0)
for channels, stride in itertools.product((1, 3, 8, 12, 15, 16), (2, 3)):
    network = Shortcut(channels, 8, stride).to(memory_format=torch.channels_last)
    plain = nn.Sequential(nn.Conv2d(channels, 8, 1, (stride, 1), bias=False), nn.BatchNorm2d(8)).double()
    plain.load_state_dict(network.state_dict())
    for _ in range(4):
        x = torch.randn(4, channels, 24, 22).to(memory_format=torch.channels_last).requires_grad_()
        y = x.detach().double().contiguous().requires_grad_()
        ours, theirs = network(x), plain(y)
        weights = torch.randn_like(ours)
        (ours * weights).sum().backward()
        (theirs * weights.double()).sum().backward()
        torch.testing.assert_close(ours.double(), theirs, atol=1e-4, rtol=1e-4)
        torch.testing.assert_close(x.grad.double(), y.grad, atol=1e-4, rtol=1e-4)
"""


def test_a_strided_shortcut_is_right_at_every_width():
    ran = subprocess.run([sys.executable, "-c", TRAIN], capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr[-2000:]
