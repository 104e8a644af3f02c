import numpy as np
import pytest
import torch
from scipy.special import log_softmax

from microgesture.losses import class_weights, total_cross_entropy


def test_class_weights_have_mean_one_and_favour_the_rare():
    weights = class_weights([3, 0, 24], "sqrt")
    np.testing.assert_allclose(np.array(weights) / weights[1], [0.5, 1, 0.2])
    assert np.mean(weights) == pytest.approx(1)
    assert class_weights([3, 0, 24], "none") == [1, 1, 1]


def test_each_path_has_its_own_loss_and_clips_count_by_their_class():
    logits_PBK = np.random.default_rng(0).normal(size=(2, 4, 3)).astype(np.float32)
    labels, weights, smoothing = [2, 0, 0, 1], [0.5, 1.0, 1.5], 0.2
    expected = 0.0
    for logits_BK in logits_PBK:
        for logits_K, label in zip(logits_BK, labels, strict=True):
            target_K = np.eye(3)[label] * (1 - smoothing) + smoothing / 3
            expected -= (np.array(weights) * target_K * log_softmax(logits_K.astype(float))).sum()
    arguments = torch.tensor(labels), torch.tensor(weights), smoothing
    total = total_cross_entropy(torch.from_numpy(logits_PBK), *arguments)
    assert total.item() == pytest.approx(expected, rel=1e-5)
    first, second = (total_cross_entropy(torch.from_numpy(logits_BK), *arguments) for logits_BK in logits_PBK)
    assert total.item() == pytest.approx(first.item() + second.item(), rel=1e-6)
