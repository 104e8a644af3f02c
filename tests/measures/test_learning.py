"""Whether a training has learned anything, against guesses that are drawn."""

import numpy as np
import pytest
from scipy.special import softmax

from microgesture.measures.learning import doubts_of_learning

# 24 clips of each of 44 classes; the entropy of the training labels is log 44.
GUESSING = float(np.log(44))


def card(train_loss, balanced=None, bounds=(0.0, GUESSING), clips=24):
    history = [{"train_loss": loss, "val_balanced_accuracy": balanced} for loss in (GUESSING, train_loss)]
    made = {"stream": "joint", "history": history, "best_epoch": 1, "val_clips": [clips] * 44}
    return made | ({"loss_bounds": bounds} if bounds else {})


@pytest.mark.parametrize(
    ("train_loss", "balanced", "told"),
    [(2.7, None, 1), (2.7, 0.3, 1), (2.7, 0.6, 0), (2.4, None, 0), (0.1, 0.5, 0), (0.1, 0.03, 1), (3.8, 0.02, 1)],
)
def test_a_training_near_guessing_is_told(train_loss, balanced, told):
    assert len(doubts_of_learning(card(train_loss, balanced))) == told


def test_the_least_loss_is_taken_into_account():
    assert not doubts_of_learning(card(2.3))
    assert not doubts_of_learning(card(2.7, bounds=(1.0, GUESSING)))
    assert not doubts_of_learning(card(2.7, bounds=None))


def test_guesses_are_mostly_found_and_skill_never():
    generator, labels_N = np.random.default_rng(0), np.repeat(np.arange(44), 24)
    found = {skill: 0 for skill in (0, 2)}
    for skill in found:
        for _ in range(40):
            logits_NK = generator.normal(size=(len(labels_N), 44)) + skill * np.eye(44)[labels_N]
            right_N = softmax(logits_NK, axis=1).argmax(1) == labels_N
            found[skill] += len(doubts_of_learning(card(0.0, right_N.mean())))
    assert found[0] >= 36
    assert found[2] == 0


def test_a_single_class_on_val_shows_nothing():
    one = card(0.1, 1.0) | {"val_clips": [24] + [0] * 43}
    assert not doubts_of_learning(one)
