import numpy as np
import pytest

from microgesture.streams.frames import interval_frames, interval_views, uniform_frames, uniform_views

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
def test_uniform_views_obey_the_same_rules(n_frames, length, views):
    samplings = uniform_views(n_frames, length, views)
    assert len(samplings) == views
    for frames in samplings:
        assert 0 <= frames.min() <= frames.max() < n_frames
        assert n_frames < length or (np.diff(frames) > 0).all()


# The first two of pyskl's samplings in testing with num_clips=2 and seed 255, by the length of the clip: its
# MMUniformSampleFrames, for 8 frames of a video and 32 heatmaps beside it.
PUBLISHED = {
    (5, 8): [[0, 1, 2, 3, 4, 0, 1, 2], [2, 3, 4, 0, 1, 2, 3, 4]],
    (8, 8): [list(range(8))] * 2,
    (26, 8): [[1, 5, 7, 12, 13, 17, 20, 24], [0, 3, 8, 12, 14, 16, 19, 23]],
    (40, 8): [[1, 5, 11, 17, 24, 26, 30, 39], [1, 9, 14, 16, 20, 27, 30, 39]],
    (5, 32): [[(start + step) % 5 for step in range(32)] for start in (0, 2)],
    (8, 32): [[(start + step) % 8 for step in range(32)] for start in (0, 4)],
    (26, 32): [[*range(26), *range(6)], [*range(13, 26), *range(19)]],
    # 40 frames less the 8 that each sampling skips
    (40, 32): [
        [frame for frame in range(40) if frame not in skipped]
        for skipped in ((1, 3, 5, 11, 15, 17, 33, 36), (1, 7, 14, 19, 23, 27, 32, 35))
    ],
}


@pytest.mark.parametrize(("n_frames", "length"), PUBLISHED)
def test_uniform_views_are_those_of_pyskl(n_frames, length):
    np.testing.assert_array_equal(uniform_views(n_frames, length, 2), PUBLISHED[n_frames, length])


def test_a_clip_with_fewer_frames_than_views_starts_at_each_of_them_in_turn():
    assert [frames[0] for frames in uniform_views(3, 8, 10)] == [0, 1, 2, 0, 1, 2, 0, 1, 2, 0]


def test_interval_frames_are_that_far_apart_and_start_anywhere():
    starts = set()
    for seed in range(300):
        frames = interval_frames(40, 4, 8, np.random.default_rng(seed))
        np.testing.assert_array_equal(np.diff(frames), 8)
        starts.add(int(frames[0]))
    assert starts == set(range(40 - 4 * 8 + 1))  # published: 0 to n - length * interval


def test_a_short_clip_is_looped():
    np.testing.assert_array_equal(interval_frames(5, 4, 2, np.random.default_rng(0)), [0, 2, 4, 1])


@pytest.mark.parametrize("n_frames", [1, 40, 63, 64, 65, 94, 300])
@pytest.mark.parametrize("views", [2, 4, 10])
def test_interval_views_start_evenly_between_the_first_and_the_last_place(n_frames, views):
    # mmaction2's SampleFrames in testing: arange(clips) * (n - span) / (clips - 1), rounded, and 0 where that is below
    samplings = interval_views(n_frames, 32, 2, views)
    offsets = np.round(np.arange(views) * max(n_frames - 63, 0) / (views - 1))
    np.testing.assert_array_equal([frames[0] for frames in samplings], offsets)
    for offset, frames in zip(offsets, samplings, strict=True):
        np.testing.assert_array_equal(frames, (offset + np.arange(0, 64, 2)) % n_frames)


def test_one_interval_view_is_in_the_middle():
    assert interval_views(94, 32, 2, 1)[0][0] == 15
