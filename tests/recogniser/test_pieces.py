"""Long videos a piece at a time, and videos whose keypoints are found in them."""

import dataclasses

import numpy as np
import pytest

from fixtures.damage import with_hole
from fixtures.exported import finished_run, recorded
from fixtures.release_files import write_video
from microgesture.config.recogniser import Lengths
from microgesture.errors import InputError
from microgesture.machine.resources import Resources
from microgesture.recogniser import pieces, scoring, windows
from microgesture.recogniser.export import export_recogniser, results_of
from microgesture.recogniser.motion import motion_of
from microgesture.recogniser.pieces import each_piece, store_part
from microgesture.recogniser.scoring import Scorer
from microgesture.recogniser.stretches import each_stretch
from microgesture.recogniser.windows import find_recording, window_table
from microgesture.skeletons.reading import read_skeleton
from microgesture.storage.shards import Shard
from microgesture.videos.reading import decode, probe
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


def all_frames(path):
    return list(decode(path, 0, probe(path, count=True).n_frames - 1))


def test_stretches_have_every_bit_of_the_frames_that_they_show(video, tmp_path):
    frames, spans = all_frames(video), [(0, 9), (5, 9), (8, 30), (31, 39)]
    for (first, last), stretch in zip(spans, each_stretch(video, spans, tmp_path), strict=True):
        shown = all_frames(stretch)
        assert len(shown) == last - first + 1
        assert all((one == other).all() for one, other in zip(shown, frames[first : last + 1], strict=True))
        stretch.unlink()
    assert not list(tmp_path.iterdir())


def test_each_piece_shows_its_own_frames_and_the_whole_video_is_decoded_once(video, tmp_path, monkeypatch):
    monkeypatch.setattr(windows, "PIECE", 7)
    frames = all_frames(video)
    clips = window_table(find_recording(video, None, 25), LENGTHS, ("wave",))
    seen = []
    for piece in each_piece(clips, True, tmp_path):
        assert len(list(tmp_path.iterdir())) <= 3  # it and those that overlap it
        shown = all_frames(piece.clips.table.video.iloc[0])
        for row in piece.clips.table.itertuples():
            seen.append(row.clip_id)
            for offset in range(row.n_frames):
                assert (shown[row.video_start + offset] == frames[row.start + offset]).all()
    assert seen == clips.table.clip_id.tolist()
    assert not list(tmp_path.iterdir())


def test_a_video_that_breaks_off_is_used_up_to_there(exported, video, tmp_path, monkeypatch):
    monkeypatch.setattr(windows, "PIECE", 7)
    broken = tmp_path / "broken.mp4"
    content = video.read_bytes()
    broken.write_bytes(with_hole(content, content.index(b"mdat") + len(content) // 2, 200))
    scorer = Scorer(exported, CPU, pose=False)
    found = scorer.score(find_recording(broken, None, 25))
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
    monkeypatch.setattr(pieces, "keypoints_of_videos", stand_in(read_skeleton(video.with_suffix(".npz"))))
    beside = Scorer(exported, CPU).score(find_recording(video, None, 25))
    found = Scorer(exported, CPU).score(alone(video, tmp_path))
    np.testing.assert_array_equal(found.probabilities_NK, beside.probabilities_NK)
    assert not found.sentences


def test_keypoints_are_found_for_whoever_has_learnt_from_such_or_asks(exported, video, tmp_path, monkeypatch):
    monkeypatch.setattr(scoring, "require", lambda pose: None)
    monkeypatch.setattr(pieces, "keypoints_of_videos", stand_in(read_skeleton(video.with_suffix(".npz"))))
    recording = alone(video, tmp_path)
    [sentence] = Scorer(exported, CPU, pose=False).score(recording).sentences
    assert "stream joint was left out" in sentence
    assert "--pose" in sentence
    other = Scorer(exported, CPU, pose=True)
    other.recogniser = other.recogniser.model_copy(update={"pose": None})
    [sentence] = other.score(recording).sentences
    assert "may be worse" in sentence


def test_without_mediapipe_the_extra_is_named(exported, monkeypatch):
    def missing(pose):
        raise InputError("install the extra pose")

    monkeypatch.setattr(scoring, "require", missing)
    with pytest.raises(InputError, match="extra pose"):
        Scorer(exported, CPU)
    assert Scorer(exported, CPU, pose=False).recogniser.pose == "mediapipe"


def test_a_part_of_the_keypoints_is_where_its_windows_look(video, tmp_path):
    clips = window_table(find_recording(video, None, 25), LENGTHS, ("wave",))
    read_TVC = read_skeleton(video.with_suffix(".npz"))
    rows = clips.table[clips.table.start.between(10, 20)]
    placed = store_part(rows, read_TVC, tmp_path / "part.arrow")
    stored_TVC = Shard(tmp_path / "part.arrow").read(placed.skeleton.iloc[0])
    assert len(stored_TVC) == rows.end.max() - rows.start.min() + 1
    for row, start in zip(rows.itertuples(), placed.skeleton_start, strict=True):
        assert (stored_TVC[start : start + row.n_frames] == read_TVC[row.start : row.end + 1]).all()


def test_motion_is_the_mean_change_of_a_pixel_from_frame_to_frame(tmp_path):
    shades = [60] * 6 + [60, 84, 60, 84, 60, 84]
    write_video(tmp_path / "lamp.mkv", [np.full((48, 64, 3), shade, np.uint8) for shade in shades])
    found = find_recording(tmp_path / "lamp.mkv", None, 25)
    motion_N = motion_of(found, np.array([0, 6, 4, 3]), np.array([5, 11, 8, 3]))
    np.testing.assert_allclose(motion_N, [0, 24, 12, np.nan], atol=1.5)
    keypoints_alone = dataclasses.replace(found, video=None)
    assert np.isnan(motion_of(keypoints_alone, np.array([0]), np.array([5]))).all()
