"""Long videos in stretches, and videos whose keypoints are found in them."""

import dataclasses

import cv2
import numpy as np
import pytest

from fixtures.damage import with_hole
from fixtures.exported import finished_run, recorded, scored
from fixtures.release_files import write_video
from microgesture.config.modalities import RgbSettings
from microgesture.config.recogniser import Lengths
from microgesture.errors import InputError, UnusableClip
from microgesture.machine.resources import Resources
from microgesture.recogniser import scoring, stretches
from microgesture.recogniser.export import export_recogniser, results_of
from microgesture.recogniser.motion import motion_of, without_cuts
from microgesture.recogniser.scoring import Scorer
from microgesture.recogniser.stretches import Stretch, divided
from microgesture.recogniser.views import Geometry, WindowShard
from microgesture.recogniser.windows import find_recording, window_spans
from microgesture.skeletons.reading import read_skeleton
from microgesture.videos.person_box import crop, person_box
from microgesture.workflow.prediction_stages import recogniser_step
from microgesture.workflow.read_plan import read_plan

LENGTHS = Lengths(frames=(4, 6), fps=25)
CPU = Resources("cpu")
N_FRAMES = 40


@pytest.fixture(scope="module")
def video(tmp_path_factory):
    folder = tmp_path_factory.mktemp("videos")
    recorded(folder / "talk", N_FRAMES)
    return folder / "talk.mp4"


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    folder = tmp_path_factory.mktemp("run")
    config = read_plan(finished_run(folder), (), folder / "results").config
    step = recogniser_step(config, "final").model_copy(update={"pose": "mediapipe"})
    streams = config.ensembles["final"].streams
    export_recogniser(step, results_of(folder / "results", step, streams), folder / "model")
    return folder / "model"


def shown_frames(stretch, starts_N, ends_N):
    return [stretch.frames_T[stretch.part(starts_N[row], ends_N[row])].tolist() for row in stretch.rows_M]


@pytest.mark.parametrize("longest", [1, 7, 512])
@pytest.mark.parametrize("left_out", [[], [*range(10, 40)]])
def test_stretches_hold_every_window_and_no_other_frame(video, monkeypatch, longest, left_out):
    monkeypatch.setattr(stretches, "LONGEST", longest)
    recording = find_recording(video, None, 25)
    starts_N, ends_N = window_spans(recording.times, LENGTHS)
    kept_N = ~np.isin(np.arange(len(starts_N)), left_out)
    starts_N, ends_N = starts_N[kept_N], ends_N[kept_N]
    whole = divided(recording, starts_N, ends_N, np.zeros(len(starts_N), bool), read_skeleton(recording.skeleton), "36")
    assert sorted(row for stretch in whole for row in stretch.rows_M) == [*range(len(starts_N))]
    for stretch in whole:
        shown = shown_frames(stretch, starts_N, ends_N)
        assert shown == [[*range(starts_N[row], ends_N[row] + 1)] for row in stretch.rows_M]
        assert {frame for of_one in shown for frame in of_one} == set(stretch.frames_T.tolist())
        assert len(stretch.frames_T) <= longest or len(stretch.rows_M) == 1


def test_a_bad_row_of_keypoints_costs_only_the_windows_that_show_it(video):
    recording = find_recording(video, None, 25)
    starts_N, ends_N = window_spans(recording.times, LENGTHS)
    read = read_skeleton(recording.skeleton)
    read_TVC = read.keypoints_TVC
    read_TVC[20, 3, 0] = np.nan
    whole = divided(recording, starts_N, ends_N, np.zeros(len(starts_N), bool), read, "36")
    for stretch in whole:
        shows = {(bool(starts_N[row] <= 20 <= ends_N[row])) for row in stretch.rows_M}
        assert shows == {isinstance(stretch.keypoints, UnusableClip)}


def test_frames_of_another_rate_are_chosen_once_for_all_windows(video):
    recording = find_recording(video, None, 25)
    starts_N, ends_N = window_spans(recording.times, LENGTHS)
    none = np.zeros(len(starts_N), bool)
    [stretch] = divided(recording, starts_N, ends_N, none, UnusableClip("none"), "36", resampled=12.5)
    assert stretch.frames_T.tolist() == [*range(0, N_FRAMES, 2)]
    for row, shown in zip(stretch.rows_M, shown_frames(stretch, starts_N, ends_N), strict=True):
        assert shown == [frame for frame in range(starts_N[row], ends_N[row] + 1) if frame % 2 == 0]


def moving_person(n_frames, width, height):
    """Keypoints of a person who walks through the picture, and smooth frames in which each place has its own colour."""
    keypoints_TVC = np.zeros((n_frames, 36, 3), np.float32)
    centres_T2 = np.linspace((80, 130), (230, 110), n_frames)
    offsets_V2 = np.random.default_rng(0).uniform(-40, 40, (36, 2))
    keypoints_TVC[..., :2] = centres_T2[:, None] + offsets_V2
    keypoints_TVC[..., 2] = 1
    y, x = np.mgrid[:height, :width]
    frame_HWC = np.stack((x * 255 / width, y * 255 / height, 128 + 0 * x), -1).astype(np.uint8)
    return keypoints_TVC, np.repeat(frame_HWC[None], n_frames, 0)


def test_a_window_shows_what_a_clip_of_its_person_would_show():
    width, height, rgb = 320, 240, RgbSettings(size=48)
    keypoints_TVC, frames_THWC = moving_person(30, width, height)
    spans = np.array([(0, 9), (5, 14), (15, 29)])
    stretch = Stretch("talk", np.arange(3), np.arange(30), keypoints_TVC)
    geometry = Geometry([stretch], spans, (width, height), rgb)
    whole = geometry.whole(stretch)
    made_THWC = np.stack([crop(frame, whole, geometry.settings.size) for frame in frames_THWC])
    views = dict(zip("abc", geometry.views(stretch, spans), strict=True))
    shard = WindowShard(made_THWC, views)
    for name, (first, last) in zip("abc", spans, strict=True):
        alone_THWC = [
            crop(frame, person_box(keypoints_TVC[first : last + 1], width, height, rgb.margin), rgb.size)
            for frame in frames_THWC[first : last + 1]
        ]
        seen_THWC = shard.read(name)
        assert len(seen_THWC) == last - first + 1
        assert seen_THWC.shape == shard.shape(name)
        resized = [cv2.resize(frame, (rgb.size, rgb.size), interpolation=cv2.INTER_AREA) for frame in seen_THWC]
        # A pixel of the crop is 3 grey levels wide; the edge of the picture may be half a pixel elsewhere.
        difference = np.abs(np.stack(resized).astype(float) - np.stack(alone_THWC))
        assert np.median(difference) <= 2
        assert 0.8 < seen_THWC.shape[1] / rgb.size < 1.25


def test_a_video_that_breaks_off_is_used_up_to_there(exported, video, tmp_path, monkeypatch):
    monkeypatch.setattr(stretches, "LONGEST", 7)
    broken = tmp_path / "broken.mp4"
    content = video.read_bytes()
    broken.write_bytes(with_hole(content, content.index(b"mdat") + len(content) // 2, 200))
    scorer = Scorer(exported, CPU, pose=False)
    found = scored(scorer, find_recording(broken, None, 25))
    heard_N = np.isfinite(found.probabilities_NK).all(1)
    assert heard_N[0]
    assert not heard_N[-1]
    assert (np.diff(heard_N.astype(int)) <= 0).all()
    assert any("broken.mp4: data of frame " in sentence for sentence in found.sentences)


def alone(video, folder):
    """The video without its keypoints."""
    (folder / "talk.mp4").write_bytes(video.read_bytes())
    return find_recording(folder / "talk.mp4", None, 25)


def stand_in(read_TVC):
    """What stands for MediaPipe: it finds the keypoints that are in the file."""
    return lambda spans, pose: [
        (path, read_TVC[: 1 + max(last for _, last in of_video)]) for path, of_video in spans.items()
    ]


def test_keypoints_that_were_found_count_as_those_from_a_file(exported, video, tmp_path, monkeypatch):
    monkeypatch.setattr(scoring, "require", lambda pose: None)
    monkeypatch.setattr(
        stretches, "keypoints_of_videos", stand_in(read_skeleton(video.with_suffix(".npz")).keypoints_TVC)
    )
    beside = scored(Scorer(exported, CPU), find_recording(video, None, 25))
    found = scored(Scorer(exported, CPU), alone(video, tmp_path))
    np.testing.assert_array_equal(found.probabilities_NK, beside.probabilities_NK)
    assert not found.sentences


def test_keypoints_are_found_for_whoever_has_learnt_from_such_or_asks(exported, video, tmp_path, monkeypatch):
    monkeypatch.setattr(scoring, "require", lambda pose: None)
    monkeypatch.setattr(
        stretches, "keypoints_of_videos", stand_in(read_skeleton(video.with_suffix(".npz")).keypoints_TVC)
    )
    recording = alone(video, tmp_path)
    [sentence] = scored(Scorer(exported, CPU, pose=False), recording).sentences
    assert "stream joint was left out" in sentence
    assert "--pose" in sentence
    other = Scorer(exported, CPU, pose=True)
    other.recogniser = other.recogniser.model_copy(update={"pose": None})
    [sentence] = scored(other, recording).sentences
    assert "may be worse" in sentence


def test_without_mediapipe_the_extra_is_named(exported, monkeypatch):
    def missing(pose):
        raise InputError("install the extra pose")

    monkeypatch.setattr(scoring, "require", missing)
    with pytest.raises(InputError, match="extra pose"):
        Scorer(exported, CPU)
    assert Scorer(exported, CPU, pose=False).recogniser.pose == "mediapipe"


def test_motion_is_the_mean_change_of_a_pixel_from_frame_to_frame(tmp_path):
    shades = [60] * 6 + [60, 84, 60, 84, 60, 84]
    write_video(tmp_path / "lamp.mkv", [np.full((48, 64, 3), shade, np.uint8) for shade in shades])
    found = find_recording(tmp_path / "lamp.mkv", None, 25)
    motion_N = motion_of(found, np.array([0, 6, 4, 3]), np.array([5, 11, 8, 3]))
    np.testing.assert_allclose(motion_N, [0, 24, 12, np.nan], atol=1.5)
    keypoints_alone = dataclasses.replace(found, video=None)
    assert np.isnan(motion_of(keypoints_alone, np.array([0]), np.array([5]))).all()


def test_a_cut_or_a_flash_is_no_motion_and_three_moving_frames_are():
    still_T = np.r_[np.nan, np.full(40, 0.1)]
    cut_T, flash_T, short_T = still_T.copy(), still_T.copy(), still_T.copy()
    cut_T[20], flash_T[[20, 21]], short_T[20:23] = 90, 90, 5
    for disturbed_T in (cut_T, flash_T):
        np.testing.assert_array_equal(without_cuts(disturbed_T), still_T)
    assert without_cuts(short_T)[20:23].max() == 5
    damaged_T = np.r_[cut_T[:30], np.full(11, np.nan)]
    np.testing.assert_array_equal(np.isnan(without_cuts(damaged_T)), np.isnan(damaged_T))
