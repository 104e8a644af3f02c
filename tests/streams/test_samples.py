from collections import Counter

import numpy as np
import pytest
import torch

from fixtures.training_clips import make_clips, make_step, write_shards
from microgesture.errors import InputError, UnusableClip
from microgesture.storage.shards import Shard, write_shard
from microgesture.streams.batches import load_batches
from microgesture.streams.frames import interval_views, uniform_views
from microgesture.streams.order import in_batches
from microgesture.streams.samples import ClipDataset


def dataset(tmp_path, *inputs, training=True, seed=0, order=range(6), machine=None, **recipe):
    table = make_clips(["train"] * 6, [0, 1] * 3).table.iloc[list(order)]
    step = make_step(*inputs, **recipe).model_copy(update={"seed": seed})
    return ClipDataset(table, write_shards(tmp_path, inputs, [0, 1] * 3), step, training=training, **(machine or {}))


def assert_same(one, other):
    for array, expected in zip(one.data, other.data, strict=True):
        np.testing.assert_array_equal(array, expected)
    assert one[1:5] == other[1:5]


INPUTS = [("joint",), ("rgb",), ("rgb", "joint")]


@pytest.mark.parametrize("inputs", INPUTS)
def test_a_showing_depends_on_seed_draw_and_clip_alone(tmp_path, inputs):
    forward = dataset(tmp_path, *inputs, color_jitter=0.3, flip=True)
    backward = dataset(tmp_path, *inputs, color_jitter=0.3, flip=True, order=range(5, -1, -1))
    for row in range(6):
        assert_same(forward[row, 7], backward[5 - row, 7])
    other = dataset(tmp_path, *inputs, seed=1)
    for index in range(len(inputs)):
        assert not np.array_equal(forward[0, 7].data[index], forward[0, 8].data[index])
        assert not np.array_equal(forward[0, 7].data[index], other[0, 7].data[index])
    assert {forward[row, draw].mirror for row in range(6) for draw in range(4)} == {True, False}


@pytest.mark.parametrize("inputs", INPUTS)
def test_nothing_is_random_in_testing(tmp_path, inputs):
    one, other = (dataset(tmp_path, *inputs, training=False, seed=seed, color_jitter=0.3) for seed in (0, 1))
    assert one.test_keys() == [(row, 0) for row in range(6)]
    for key in one.test_keys():
        assert_same(one[key], other[key])
        assert not one[key].mirror


@pytest.mark.parametrize(
    ("shape", "crops"), [((20, 20), 1), ((20, 20), 3), ((20, 30), 1), ((20, 30), 3), ((30, 20), 3)]
)
@pytest.mark.parametrize(("n_frames", "interval"), [(3, None), (7, None), (30, None), (5, 2), (8, 2), (30, 2)])
def test_equal_views_are_one_that_counts_for_all(tmp_path, shape, crops, n_frames, interval):
    frames_THWC = np.random.default_rng(0).integers(0, 256, (n_frames, *shape, 3), np.uint8)
    write_shard(tmp_path / "rgb.arrow", [("c0", frames_THWC)], "raw")
    step = make_step("rgb", size=20, frames=4, interval=interval)
    clips = make_clips(["val"], [0], n_frames).table
    dataset = ClipDataset(clips, {"rgb": [tmp_path / "rgb.arrow"]}, step, training=False, num_clips=5, num_crops=crops)
    found = Counter()
    for key in dataset.test_keys():
        sample = dataset[key]
        assert found[sample.data[0].tobytes()] == 0
        found[sample.data[0].tobytes()] = sample.times
    times = uniform_views(n_frames, 4, 5) if interval is None else interval_views(n_frames, 4, interval, 5)
    places = [5] if crops == 1 else [0, 5, 10]
    expected = Counter()
    for frames in times:
        for place in places if shape[0] != shape[1] else [0] * crops:
            y, x = (place, 0) if shape[0] > shape[1] else (0, place)
            expected[np.ascontiguousarray(frames_THWC[frames, y : y + 20, x : x + 20]).tobytes()] += 1
    assert found == expected
    assert found.total() == dataset.views == 5 * crops


def test_heatmaps_alone_have_no_crops(tmp_path):
    shards = write_shards(tmp_path, ("joint",), [0, 1])
    clips = make_clips(["val"] * 2, [0, 1]).table
    dataset = ClipDataset(clips, shards, make_step("joint"), training=False, num_clips=2, num_crops=3)
    assert dataset.views == 2
    assert dataset.test_keys([1]) == [(1, 0), (1, 1)]


def test_samples_do_not_depend_on_workers_or_memory(tmp_path):
    keys = [[(0, 1), (3, 1)], [(5, 2)]]
    device = torch.device("cpu")
    loaded = []
    for machine in ({"workers": 0}, {"workers": 2}, {"memory": 0}):
        data = dataset(tmp_path, "rgb", "joint", machine=machine)
        loaded.append([batch.data for batch in load_batches(data, keys, device)])
    for others in loaded[1:]:
        for batch, other in zip(loaded[0], others, strict=True):
            torch.testing.assert_close(batch, other, rtol=0, atol=0)


@pytest.mark.parametrize(("spare", "reads"), [(0, 6), (-1, 12)])
def test_clips_stay_in_memory_if_all_of_them_need_no_more_than_it(tmp_path, monkeypatch, spare, reads):
    read, done = Shard.read, []
    monkeypatch.setattr(Shard, "read", lambda *arguments: done.append(1) or read(*arguments))
    needed = 6 * 12 * 36 * 3 * 4  # clips, frames, joints, numbers, bytes
    data = dataset(tmp_path, "joint", machine={"memory": (needed + spare) / 2**30})
    for _ in range(2):
        for row in range(6):
            data[row, 0]
    assert len(done) == reads


def test_flow_is_in_shares_of_the_crop(tmp_path):
    flow_THWC = np.full((4, 20, 40, 2), (32, -64), np.int16)  # one pixel to the right, two up
    write_shard(tmp_path / "flow.arrow", [("c0", flow_THWC)], "zstd")
    step = make_step("rgb", size=10).model_copy(update={"inputs": ("flow",)})
    clips = make_clips(["val"], [0], n_frames=4).table
    (data,) = ClipDataset(clips, {"flow": [tmp_path / "flow.arrow"]}, step, training=False)[0, 0].data
    assert data.shape == (4, 10, 10, 2)
    np.testing.assert_allclose(data, np.broadcast_to((1 / 20, -2 / 20), data.shape), rtol=1e-6)


def test_flow_of_a_crop_that_is_not_square_is_in_shares_of_each_side(tmp_path):
    # u is the column and v the row in pixels, so the means of 8 x 8 parts span 7/8 of either side of any crop. Parts
    # that begin within a pixel cost up to 3 %; the sides of a crop differ by more.
    rows_HW, columns_HW = np.mgrid[:48, :72]
    flow_THWC = np.broadcast_to(32 * np.stack((columns_HW, rows_HW), -1), (4, 48, 72, 2)).astype(np.int16)
    write_shard(tmp_path / "flow.arrow", [("c0", flow_THWC)], "zstd")
    step = make_step("rgb", size=8, crop_area=(0.4, 0.9)).model_copy(update={"inputs": ("flow",)})
    clips = make_clips(["train"], [0], n_frames=4).table
    dataset = ClipDataset(clips, {"flow": [tmp_path / "flow.arrow"]}, step, training=True)
    for draw in range(6):
        (data_THWC,) = dataset[0, draw].data
        np.testing.assert_allclose(np.ptp(data_THWC[0], (0, 1)), 7 / 8, rtol=0.04)


def write_keypoints(path, entries):
    write_shard(path, entries, "zstd")
    return {"keypoints": [path]}


def test_a_clip_without_frames_is_left_out_with_its_reason(tmp_path):
    entries = [("c0", UnusableClip("no such video")), ("c1", np.ones((12, 36, 3), np.float32))]
    shards = write_keypoints(tmp_path / "shard.arrow", entries)
    table = make_clips(["train"] * 2, [0, None]).table
    data = ClipDataset(table, shards, make_step("joint"), training=True)
    assert data.clip_ids == ["c1"]
    assert data.labels == [-1]
    assert data.left_out == {"c0": "no such video"}


def test_a_pair_leaves_out_a_clip_that_lacks_one_input(tmp_path):
    keypoints_TVC = np.full((12, 36, 3), 9, np.float32)
    shards = write_shards(tmp_path, ("rgb", "joint"), [0] * 4)
    entries = [("c0", UnusableClip("row 7 is empty")), *((f"c{row}", keypoints_TVC[row == 1 :]) for row in (1, 2, 3))]
    shards |= write_keypoints(tmp_path / "other.arrow", entries)
    table = make_clips(["train"] * 4, [0] * 4).table
    table["width"] = table.width.astype("Int32")
    table.loc[2, "width"] = None
    data = ClipDataset(table, shards, make_step("rgb", "joint"), training=True)
    assert data.clip_ids == ["c3"]
    assert data.left_out["c0"] == "row 7 is empty"
    assert "12 frames of rgb but 11 frames of keypoints" in data.left_out["c1"]
    assert "the size of its video is unknown" in data.left_out["c2"]


def test_a_clip_in_no_shard_is_an_error_that_names_it(tmp_path):
    shards = write_keypoints(tmp_path / "shard.arrow", [("c0", np.ones((12, 36, 3), np.float32))])
    table = make_clips(["train"] * 2, [0, 1]).table
    with pytest.raises(InputError, match=r"clip c1 .*shard\.arrow"):
        ClipDataset(table, shards, make_step("joint"), training=True)
    with pytest.raises(InputError, match=r"rgb, keypoints, .* no shards of rgb"):
        ClipDataset(table, shards, make_step("rgb", "joint"), training=True)


@pytest.mark.parametrize(
    ("clips", "size", "expected"), [(10, 4, [3, 3, 4]), (8, 4, [4, 4]), (5, 8, [5]), (9, 8, [4, 5])]
)
def test_batches_are_few_and_equal(clips, size, expected):
    keys = [(row, 0) for row in range(clips)]
    batches = in_batches(keys, size)
    assert [len(batch) for batch in batches] == expected
    assert [key for batch in batches for key in batch] == keys


def test_no_clips_make_no_batches():
    assert in_batches([], 4) == []
