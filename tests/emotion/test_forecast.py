"""The probability of a win by hand: means over networks, the temperature, and the share of wins without a token."""

import numpy as np
import pytest
import torch
from scipy.special import expit, logit
from torch import nn

from microgesture.emotion.forecast import Forecast
from microgesture.emotion.tokens import Video


class Saying(nn.Module):
    """A network that has the same logit for every video."""

    sources = ("context",)

    def __init__(self, odds):
        super().__init__()
        self.odds = odds

    def forward(self, tokens):
        assert not self.training
        return torch.full((len(tokens.place_BN),), self.odds)


SEEN = Video("v", np.array([0.5], np.float32), context_ND=np.zeros((1, 2), np.float32))
UNSEEN = Video("v", np.array([0.5], np.float32), context_ND=np.full((1, 2), np.nan, np.float32))


def forecast(*folds, temperature=1.0):
    networks = [[Saying(odds) for odds in members] for members in folds]
    return Forecast(networks, torch.tensor([0.25, 0.75])[: len(folds)], temperature)


def test_a_single_network_is_tempered():
    for temperature in (0.5, 1.0, 2.0):
        said = forecast([1.2], temperature=temperature).says(SEEN)
        assert said == pytest.approx(expit(1.2 / temperature), rel=1e-6)


def test_several_networks_say_their_mean_and_a_fold_only_that_of_its_own():
    row = forecast([1.0, -2.0], [3.0, 0.5], temperature=2.0)
    for fold, odds in ((0, [1.0, -2.0]), (1, [3.0, 0.5]), (None, [1.0, -2.0, 3.0, 0.5])):
        assert row.says(SEEN, fold) == pytest.approx(expit(logit(expit(odds).mean()) / 2), rel=1e-6)


def test_without_a_token_it_is_the_share_of_wins_at_any_temperature():
    row = forecast([1.0], [2.0], temperature=3.0)
    assert [row.says(UNSEEN, fold) for fold in (0, 1, None)] == pytest.approx([0.25, 0.75, 0.5])


def test_certainty_has_a_limit():
    for odds, limit in ((200.0, 1 - 1e-6), (-200.0, 1e-6)):
        assert forecast([odds]).says(SEEN) == pytest.approx(limit, rel=1e-9, abs=1e-12)
