from collections import Counter

import pytest

from microgesture.config.recipes import Recipe
from microgesture.errors import InputError
from microgesture.machine.resources import Resources
from microgesture.streams.batches import epoch_batches, pieces_of, turns


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


def test_more_devices_than_gpus_are_refused(monkeypatch):
    monkeypatch.setattr("torch.cuda.is_available", lambda: True)
    monkeypatch.setattr("torch.cuda.device_count", lambda: 2)
    assert [str(Resources(devices=2).prepare(rank)) for rank in (0, 1)] == ["cuda:0", "cuda:1"]
    with pytest.raises(InputError, match="devices is 3, but only 2 GPUs are here"):
        Resources(devices=3).prepare()
    assert str(Resources("cpu", devices=3).prepare(2)) == "cpu"


@pytest.mark.parametrize("devices", [1, 2, 3, 8])
@pytest.mark.parametrize("micro_batch_size", [None, 1, 2, 5, 64])
@pytest.mark.parametrize("clips", [8, 9, 17, 64])
def test_a_step_is_dealt_to_the_devices_in_equal_pieces(clips, micro_batch_size, devices):
    keys = [(row, 0) for row in range(clips)]
    dealt = [pieces_of(keys, micro_batch_size, rank, devices) for rank in range(devices)]
    pieces = [piece for own in dealt for piece in own]
    assert [key for piece in pieces for key in piece.keys] == keys
    assert all(own for own in dealt)
    lengths = [len(piece.keys) for piece in pieces]
    assert max(lengths) - min(lengths) <= 1
    assert max(lengths) <= (micro_batch_size or clips)
    numbers = [piece.number for piece in pieces]
    assert len(set(numbers)) == len(numbers)
    assert max(len(own) for own in dealt) <= turns(clips, micro_batch_size, devices)


def test_as_many_devices_in_turns_make_the_same_pieces():
    keys = [(row, 0) for row in range(24)]
    alone = pieces_of(keys, 3, 0, 1)
    assert [len(piece.keys) for piece in alone] == [3] * 8
    for devices in (2, 4, 8):
        assert [piece for rank in range(devices) for piece in pieces_of(keys, 3, rank, devices)] == alone
