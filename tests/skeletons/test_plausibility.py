"""Keypoints that do not belong to their video are refused or doubted, and those that do are left alone."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fixtures.release_files import (
    keypoints,
    kinect_columns,
    kinect_metres,
    numbered_frames,
    write_kinect,
    write_lines,
    write_miga,
    write_npz,
    write_video,
)
from fixtures.skeletons import layout_with, named
from microgesture.corpora import list_clips
from microgesture.skeletons.layouts import layout_named
from microgesture.skeletons.plausibility import Picture, Rules, doubts, in_pixels
from microgesture.skeletons.reading import each_compared, read_skeletons, sample
from microgesture.storage.shards import Shard

WIDTH, HEIGHT = 640, 360
PICTURE = Picture(WIDTH, HEIGHT, 40)


def person(frames=40, points=137, x=0.5, seed=0, size=(WIDTH, HEIGHT)):
    """Somebody upright, of half the height of the picture, whose middle is at a fraction of its width."""
    random, (width, height) = np.random.default_rng(seed), size
    x, y = x * width, 0.55 * height
    keypoints_TVC = np.ones((frames, points, 3), np.float32)
    keypoints_TVC[..., :2] = (x, y) + random.uniform((-0.1, -0.15), (0.1, 0.35), (frames, points, 2)) * height
    names = layout_with(points).names
    keypoints_TVC[:, names.index("neck"), :2] = x, y - 0.1 * height
    keypoints_TVC[:, names.index("nose"), :2] = x + 0.02 * height, y - 0.25 * height
    keypoints_TVC[:, 2] = 0  # a joint that is never found
    return keypoints_TVC


def scaled(keypoints_TVC, x, y=None):
    return keypoints_TVC * np.array((x, x if y is None else y, 1), np.float32)


def lying(keypoints_TVC, width):
    """The points in a picture of this width before it was rotated by a quarter."""
    x, y, confidence = np.moveaxis(keypoints_TVC, -1, 0)
    return np.stack((y, width - x, confidence), -1) * (confidence > 0)[..., None]


def verdicts(keypoints_TVC, picture=PICTURE, **options):
    return {doubt.kind: doubt.refused for doubt in doubts(named(keypoints_TVC), picture, **options)}


@settings(max_examples=40, deadline=None, derandomize=True)
@given(
    x=st.floats(0.25, 0.75),
    points=st.sampled_from([137, 35, 28, 25]),
    more=st.integers(-5, 5),
    known=st.booleans(),
    seed=st.integers(0, 99),
)
def test_keypoints_of_their_own_video_are_left_alone(x, points, more, known, seed):
    given_TVC = person(40 + more, points, x, seed)
    assert not verdicts(given_TVC, PICTURE if known else Picture())


@pytest.mark.parametrize(
    ("rows", "frames", "verdict"),
    [
        (45, 40, {}),
        (35, 40, {}),
        (80, 40, {"rows": True}),
        (20, 40, {"rows": True}),
        (46, 40, {"rows": True}),
        (1010, 1000, {"rows": False}),
        (990, 1000, {"rows": False}),
        (960, 1000, {"rows": True}),
        (80, None, {}),
    ],
)
def test_there_must_be_a_row_for_each_frame(rows, frames, verdict):
    assert verdicts(person(rows), Picture(WIDTH, HEIGHT, frames)) == verdict


def test_a_tolerance_accepts_keypoints_that_end_early():
    picture = Picture(WIDTH, HEIGHT, 1000)
    assert verdicts(person(950), picture, rules=Rules(row_tolerance=0.05)) == {"rows": False}
    assert verdicts(person(949), picture, rules=Rules(row_tolerance=0.05)) == {"rows": True}


def test_the_numbers_are_told():
    (doubt,) = doubts(named(person(80)), PICTURE)
    assert "80 rows" in doubt.text
    assert "40 frames" in doubt.text
    (doubt,) = doubts(named(scaled(person(), 8)), PICTURE)
    assert "100% of the points" in doubt.text
    assert "640 x 360" in doubt.text


@pytest.mark.parametrize(
    ("factor", "verdict"),
    [(8, {"outside": True}), (3, {"outside": True}), (1.25, {"outside": False}), (0.4, {"small": False})],
)
def test_points_of_an_original_of_another_size_are_recognised(factor, verdict):
    assert verdicts(scaled(person(), factor)) == verdict


def test_legs_below_the_picture_are_no_fault():
    keypoints_TVC = person(points=25)
    legs = [
        number
        for number, name in enumerate(layout_named("kinect_v2").names)
        if name.split()[-1] in ("hip", "knee", "ankle", "foot")
    ]
    keypoints_TVC[:, legs, 1] += HEIGHT
    assert not verdicts(keypoints_TVC)


def test_points_of_a_picture_that_is_not_rotated_are_refused():
    portrait, given_TVC = Picture(HEIGHT, WIDTH, 40), person(size=(HEIGHT, WIDTH))
    assert not verdicts(given_TVC, portrait)
    assert verdicts(lying(given_TVC, HEIGHT), portrait) == {"turned": True}
    assert verdicts(lying(given_TVC, HEIGHT), Picture()) == {}, "no picture, nothing to compare with"
    assert verdicts(lying(given_TVC, HEIGHT), Picture(WIDTH, WIDTH, 40)) == {"turned": False}


def test_fractions_are_refused_with_the_key_and_converted_with_it():
    keypoints_TVC = person()
    fractions_TVC = scaled(keypoints_TVC, 1 / WIDTH, 1 / HEIGHT)
    (doubt,) = doubts(named(fractions_TVC), PICTURE)
    assert doubt.refused
    assert "normalized: true" in doubt.text
    assert verdicts(fractions_TVC, PICTURE, rules=Rules(normalized=True)) == {}
    np.testing.assert_allclose(in_pixels(fractions_TVC, PICTURE), keypoints_TVC, rtol=1e-5)
    assert verdicts(keypoints_TVC, PICTURE, rules=Rules(normalized=True)) == {"normalised": True}
    assert verdicts(fractions_TVC, Picture(), rules=Rules(normalized=True)) == {"normalised": True}
    assert verdicts(fractions_TVC, Picture()) == {"normalised": False}


def test_fractions_are_judged_like_pixels_after_they_are_converted():
    beyond_TVC = scaled(person(), 1.7 / WIDTH, 1.7 / HEIGHT)
    assert verdicts(beyond_TVC, PICTURE, rules=Rules(normalized=True)) == {"outside": True}


def test_files_without_anybody_are_refused():
    unsure_TVC = person()
    unsure_TVC[..., 2] = 0
    (doubt,) = doubts(named(unsure_TVC), PICTURE)
    assert doubt.refused
    assert "confidence" in doubt.text
    assert verdicts(np.zeros((40, 137, 3), np.float32)) == {"no person": True}
    rare_TVC = person()
    rare_TVC[:30] = 0
    assert verdicts(rare_TVC) == {"no person": False}


def corpus(folder, files, suffix=".mp4", frames=40):
    """A corpus with one video for each array of keypoints."""
    rows = ["clip_id,split,label,video,keypoints"]
    for number, (name, keypoints_TVC) in enumerate(files.items()):
        write_video(folder / f"{name}{suffix}", numbered_frames(frames, WIDTH, HEIGHT))
        write_npz(folder / f"{name}.npz", keypoints_TVC)
        rows.append(f"{name},{('train', 'val', 'test')[number % 3]},wave,{name}{suffix},{name}.npz")
    write_lines(folder / "clips.csv", rows)
    return list_clips("mine", "manifest", folder, 1)


def stored(clips, folder, **options):
    read_skeletons(clips, 0, folder, folder / "out" / "0.arrow", folder / "scratch", **options)
    return Shard(folder / "out" / "0.arrow")


def test_a_recording_that_is_refused_leaves_the_others_alone(tmp_path, caplog):
    files = {"good": person(), "twice": person(80), "huge": scaled(person(), 8), "far": scaled(person(), 1.25)}
    files["further"] = scaled(person(seed=1), 1.25)
    shard = stored(corpus(tmp_path, files), tmp_path)
    assert set(shard.reasons) == {"twice.npz", "huge.npz"}
    assert "twice.npz: 80 rows for a video of 40 frames" in shard.reason("twice.npz")
    np.testing.assert_array_equal(shard.read("good.npz"), files["good"])
    np.testing.assert_array_equal(shard.read("far.npz"), files["far"])
    (told,) = [record.message for record in caplog.records if record.levelname == "WARNING"]
    assert "far.npz" in told
    assert "1 more" in told


def test_fractions_are_stored_in_pixels(tmp_path):
    fractions_TVC = scaled(person(), 1 / WIDTH, 1 / HEIGHT)
    clips = corpus(tmp_path, {"a": fractions_TVC})
    assert "normalized: true" in stored(clips, tmp_path).reason("a.npz")
    np.testing.assert_allclose(stored(clips, tmp_path, rules=Rules(normalized=True)).read("a.npz"), person(), rtol=1e-5)


@pytest.mark.parametrize("rows", [40, 80])
def test_frames_are_counted_if_the_header_has_no_number(tmp_path, rows):
    clips = corpus(tmp_path, {"a": person(rows)}, ".mkv")
    clips.table["video_frames"] = None  # as for parts of a video, whose frames the list of clips does not count
    assert bool(stored(clips, tmp_path).reasons) == (rows == 80)


def test_a_wrong_number_in_the_header_refuses_nothing(tmp_path):
    clips = corpus(tmp_path, {"a": person()})
    clips.table["video_frames"] = 100
    assert not stored(clips, tmp_path).reasons


def test_keypoints_of_a_whole_recording_are_not_compared_with_videos_of_its_clips(tmp_path):
    root = write_miga(tmp_path, {"train/0012": ["1,0,9", "99,5,20"], "validate/0001": ["2,3,12"]}, videos=False)
    for name, frames in {"0012_0": 10, "0012_1": 16, "0001_0": 10}.items():
        write_video(root / "cut" / f"{name}.mp4", numbered_frames(frames))
    clips = list_clips("imigue", "miga", root, 1)
    assert set(clips.table.status) == {"ok"}
    assert not stored(clips, root).reasons


def test_a_kinect_that_sees_more_than_its_picture_is_read(tmp_path):
    path = write_kinect(tmp_path / "Sample0001_skeleton.csv", kinect_columns(kinect_metres(20)))
    rows = ["clip_id,split,label,video,keypoints", "a,train,wave,a.mp4,Sample0001_skeleton.csv"]
    write_video(tmp_path / "a.mp4", numbered_frames(20, 1920, 1080))
    write_lines(tmp_path / "clips.csv", rows)
    clips = list_clips("mine", "manifest", tmp_path, 1)
    ((_, _, found),) = each_compared([path.name], clips.table, tmp_path)
    assert not found


def test_the_sample_is_small_and_always_the_same(tmp_path):
    for number in range(60):
        write_npz(tmp_path / f"{number:02d}.npz", keypoints(3 + number % 7, 35))
    names = [path.name for path in tmp_path.iterdir()]
    chosen = sample(names, tmp_path)
    assert chosen == sample(sorted(names, reverse=True), tmp_path)
    assert len(set(chosen)) == 5


@pytest.mark.parametrize(
    ("highest", "verdict"),
    [(1, {}), (1.4, {}), (100, {"confidence": False})],  # most methods; RTMPose and OpenPose; percents
)
def test_a_confidence_of_percents_is_doubted(highest, verdict):
    keypoints_TVC = person()
    keypoints_TVC[..., 2] *= np.random.default_rng(0).uniform(0, highest, keypoints_TVC.shape[:2])
    assert verdicts(keypoints_TVC) == verdict
