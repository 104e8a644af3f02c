from collections import Counter

import pytest

from microgesture.config.recipes import Recipe
from microgesture.streams.order import epoch_batches
from microgesture.streams.train import micro_batches_each, own_micro_batches


def test_an_epoch_shows_every_clip_as_often_as_it_should_in_changing_order():
    recipe = Recipe(batch_size=4, repeats=3)
    epochs = [[key for batch in epoch_batches([0] * 10, recipe, 0, epoch) for key in batch] for epoch in (0, 1)]
    assert sorted(epochs[0]) == [(row, draw) for row in range(10) for draw in range(3)]
    assert sorted(epochs[1]) == [(row, draw) for row in range(10) for draw in range(3, 6)]
    orders = [[row for row, draw in epoch if draw == first] for epoch, first in zip(epochs, (0, 3), strict=True)]
    assert orders[0] != orders[1]


@pytest.mark.parametrize("counts", [[9, 3, 1], [1, 1, 1, 20], [5, 5], [1]])
def test_balanced_rounds_show_as_many_clips_of_each_class(counts):
    labels = [label for label, count in enumerate(counts) for _ in range(count)]
    recipe = Recipe(batch_size=4, repeats=2, epochs=2, sampling="balanced", warmup_epochs=0)
    keys = [key for epoch in (0, 1) for batch in epoch_batches(labels, recipe, 0, epoch) for key in batch]
    assert len(set(keys)) == len(keys) == 4 * len(labels)  # no two showings of a clip are the same
    for start in range(0, len(keys), len(labels)):
        shown = Counter(row for row, _ in keys[start : start + len(labels)])
        by_class = Counter(labels[row] for row in shown.elements())
        assert max(by_class.values()) - min(by_class[label] for label in range(len(counts))) <= 1
        for label in range(len(counts)):
            times = [shown[row] for row in range(len(labels)) if labels[row] == label]
            assert max(times) - min(times) <= 1


@pytest.mark.parametrize("devices", [1, 2, 3, 8])
@pytest.mark.parametrize("micro_batch_size", [None, 1, 2, 5, 64])
@pytest.mark.parametrize("clips", [8, 9, 17, 64])
def test_a_step_is_divided_among_the_devices_in_equal_micro_batches(clips, micro_batch_size, devices):
    keys = [(row, 0) for row in range(clips)]
    by_device = [own_micro_batches(keys, micro_batch_size, rank, devices) for rank in range(devices)]
    micro_batches = [micro_batch for own in by_device for micro_batch in own]
    assert [key for micro_batch in micro_batches for key in micro_batch.keys] == keys
    assert all(own for own in by_device)
    lengths = [len(micro_batch.keys) for micro_batch in micro_batches]
    assert max(lengths) - min(lengths) <= 1
    assert max(lengths) <= (micro_batch_size or clips)
    numbers = [micro_batch.number for micro_batch in micro_batches]
    assert len(set(numbers)) == len(numbers)
    assert max(len(own) for own in by_device) <= micro_batches_each(clips, micro_batch_size, devices)


def test_fewer_devices_process_the_same_micro_batches_one_after_the_other():
    keys = [(row, 0) for row in range(24)]
    alone = own_micro_batches(keys, 3, 0, 1)
    assert [len(micro_batch.keys) for micro_batch in alone] == [3] * 8
    for devices in (2, 4, 8):
        by_device = [own_micro_batches(keys, 3, rank, devices) for rank in range(devices)]
        assert [micro_batch for own in by_device for micro_batch in own] == alone
