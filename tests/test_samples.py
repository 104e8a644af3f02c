import numpy as np
import pytest
import torch

from microgesture.batches import in_batches, load_batches
from microgesture.errors import InputError, UnusableClip
from microgesture.modalities.flow import STEPS_PER_PIXEL
from microgesture.recipe import Recipe
from microgesture.samples import (
    FLOW_STEPS,
    Box,
    ClipDataset,
    centre_square,
    frames_in_box,
    interval_frames,
    interval_views,
    keypoints_in_box,
    person_square,
    random_box,
    uniform_frames,
    uniform_views,
)
from microgesture.shards import write_shard
from training_clips import make_clips, write_clips_shard

LENGTHS = [(1, 4), (3, 4), (4, 4), (5, 4), (7, 4), (8, 4), (9, 4), (50, 16), (300, 48)]


@pytest.mark.parametrize(("n_frames", "length"), LENGTHS)
def test_uniform_frames_are_in_order_and_in_range_and_reach_every_frame(n_frames, length):
    seen = set()
    for seed in range(400):
        frames = uniform_frames(n_frames, length, np.random.default_rng(seed))
        assert frames.shape == (length,)
        assert frames.min() >= 0
        assert frames.max() < n_frames
        if n_frames >= length:
            assert (np.diff(frames) > 0).all()
        else:
            np.testing.assert_array_equal(np.diff(frames) % n_frames, 1 % n_frames)
        seen.update(frames.tolist())
    assert seen == set(range(n_frames))


def test_uniform_frames_of_a_long_clip_take_one_of_each_part():
    frames = uniform_frames(103, 10, np.random.default_rng(0))
    edges = [103 * part // 10 for part in range(11)]
    assert all(low <= frame < high for frame, low, high in zip(frames, edges[:-1], edges[1:], strict=True))


@pytest.mark.parametrize(("n_frames", "length"), LENGTHS)
@pytest.mark.parametrize("views", [1, 2, 10])
def test_uniform_views_are_distinct_and_obey_the_same_rules(n_frames, length, views):
    samplings = uniform_views(n_frames, length, views)
    assert 1 <= len({tuple(frames) for frames in samplings}) == len(samplings) <= views
    for frames in samplings:
        assert 0 <= frames.min() <= frames.max() < n_frames
        assert n_frames < length or (np.diff(frames) > 0).all()


def test_one_uniform_view_takes_the_middle_of_each_part():
    np.testing.assert_array_equal(uniform_views(40, 4, 1)[0], [5, 15, 25, 35])
    np.testing.assert_array_equal(uniform_views(4, 4, 3), [[0, 1, 2, 3]])


def test_interval_frames_are_that_far_apart_and_start_anywhere():
    starts = set()
    for seed in range(300):
        frames = interval_frames(40, 4, 8, np.random.default_rng(seed))
        np.testing.assert_array_equal(np.diff(frames), 8)
        starts.add(int(frames[0]))
    assert starts == set(range(40 - 24))


def test_a_short_clip_is_looped():
    np.testing.assert_array_equal(interval_frames(5, 4, 2, np.random.default_rng(0)), [0, 2, 4, 1])


def test_interval_views_are_spread_evenly_and_never_equal():
    assert [frames[0] for frames in interval_views(94, 32, 2, 4)] == [0, 10, 21, 31]
    assert len(interval_views(40, 32, 2, 4)) == 1
    assert interval_views(94, 32, 2, 1)[0][0] == 15


def test_random_boxes_lie_inside_with_the_asked_area_and_shape():
    generator = np.random.default_rng(0)
    for _ in range(300):
        x, y, width, height = random_box(200, 100, (0.3, 0.5), generator)
        assert 0 <= x <= x + width <= 200.001
        assert 0 <= y <= y + height <= 100.001
        assert 0.3 <= width * height / 20000 <= 0.5
        assert 3 / 4 <= (width / 200) / (height / 100) <= 4 / 3


def test_centre_square():
    assert centre_square(320, 240) == Box(40, 0, 240, 240)


def test_person_square_holds_all_that_was_found_in_any_frame():
    keypoints_TVC = np.zeros((3, 4, 3), np.float32)
    keypoints_TVC[0, 1] = (100, 50, 1)
    keypoints_TVC[2, 3] = (180, 90, 0.5)
    assert person_square(keypoints_TVC) == Box(140 - 50, 70 - 50, 100, 100)
    assert person_square(np.zeros((3, 4, 3), np.float32)).width > 0


def test_keypoints_become_shares_of_the_box_and_missing_ones_stay_missing():
    keypoints_TVC = np.array([[[10, 20, 0.5], [30, 60, 1], [0, 0, 0]]], np.float32)
    placed_TVC = keypoints_in_box(keypoints_TVC, Box(10, 20, 40, 80))
    np.testing.assert_allclose(placed_TVC, [[[0, 0, 0.5], [0.5, 0.5, 1], [0, 0, 0]]])


def test_frames_are_cut_and_resized():
    frames_THWC = np.zeros((2, 8, 12, 3), np.uint8)
    frames_THWC[1, 2:6, 4:8] = 200
    cut_THWC = frames_in_box(frames_THWC, Box(4, 2, 4, 4), 2)
    assert cut_THWC.shape == (2, 2, 2, 3)
    assert (cut_THWC[0] == 0).all()
    assert (cut_THWC[1] == 200).all()


def dataset(tmp_path, input="joint", training=True, seed=0, order=range(6), machine=None, **recipe):
    shard = write_clips_shard(tmp_path / "shard.arrow", input, [0, 1] * 3)
    table = make_clips(["train"] * 6, [0, 1] * 3).table.iloc[list(order)]
    settings = Recipe(frames=4, size=16, **recipe)
    return ClipDataset(table, [shard], input, settings, training=training, seed=seed, **(machine or {}))


def assert_same(one, other):
    np.testing.assert_array_equal(one.data, other.data)
    assert one.mirror == other.mirror
    assert one.brightness == other.brightness
    assert one.label == other.label


@pytest.mark.parametrize("input", ["joint", "rgb"])
def test_a_showing_depends_on_seed_draw_and_clip_alone(tmp_path, input):
    forward = dataset(tmp_path, input, jitter=0.3)
    backward = dataset(tmp_path, input, jitter=0.3, order=range(5, -1, -1))
    for row in range(6):
        assert_same(forward[row, 7], backward[5 - row, 7])
    assert not np.array_equal(forward[0, 7].data, forward[0, 8].data)
    assert not np.array_equal(forward[0, 7].data, dataset(tmp_path, input, seed=1)[0, 7].data)
    assert {forward[row, draw].mirror for row in range(6) for draw in range(4)} == {True, False}


@pytest.mark.parametrize("input", ["joint", "rgb"])
def test_nothing_is_random_in_testing(tmp_path, input):
    one, other = (dataset(tmp_path, input, training=False, seed=seed) for seed in (0, 1))
    assert one.test_keys() == [(row, 0) for row in range(6)]
    for key in one.test_keys():
        assert_same(one[key], other[key])
        assert not one[key].mirror


def test_samples_do_not_depend_on_workers_or_memory(tmp_path):
    keys = [[(0, 1), (3, 1)], [(5, 2)]]
    device = torch.device("cpu")
    loaded = []
    for machine in ({"workers": 0}, {"workers": 2}, {"memory": 0}):
        data = dataset(tmp_path, "rgb", machine=machine)
        loaded.append([batch.data for batch in load_batches(data, keys, device)])
    for others in loaded[1:]:
        for batch, other in zip(loaded[0], others, strict=True):
            torch.testing.assert_close(batch, other, rtol=0, atol=0)


def test_flow_is_in_shares_of_the_crop(tmp_path):
    flow_THWC = np.full((4, 20, 40, 2), (32, -64), np.int16)  # one pixel to the right, two up
    write_shard(tmp_path / "flow.arrow", [("c0", flow_THWC)], "zstd")
    clips = make_clips(["val"], [0], n_frames=4).table
    data = ClipDataset(clips, [tmp_path / "flow.arrow"], "flow", Recipe(frames=4, size=10), training=False)[0, 0].data
    assert data.shape == (4, 10, 10, 2)
    np.testing.assert_allclose(data, np.broadcast_to((1 / 20, -2 / 20), data.shape), rtol=1e-6)


def test_a_clip_without_frames_is_left_out_with_its_reason(tmp_path):
    entries = [("c0", UnusableClip("no such video")), ("c1", np.ones((12, 36, 3), np.float32))]
    write_shard(tmp_path / "shard.arrow", entries, "zstd")
    table = make_clips(["train"] * 2, [0, None]).table
    data = ClipDataset(table, [tmp_path / "shard.arrow"], "joint", Recipe(), training=True)
    assert data.clip_ids == ["c1"]
    assert data.labels == [-1]
    assert data.left_out == {"c0": "no such video"}


def test_a_clip_in_no_shard_is_an_error_that_names_it(tmp_path):
    write_shard(tmp_path / "shard.arrow", [("c0", np.ones((12, 36, 3), np.float32))], "zstd")
    table = make_clips(["train"] * 2, [0, 1]).table
    with pytest.raises(InputError, match=r"clip c1 .*shard\.arrow"):
        ClipDataset(table, [tmp_path / "shard.arrow"], "joint", Recipe(), training=True)


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


def test_samples_read_flow_in_the_steps_it_is_stored_in():
    assert FLOW_STEPS == STEPS_PER_PIXEL
