from pathlib import Path

import av
import numpy as np
import pandas as pd
import pytest

from microgesture.errors import InputError, UnusableClip
from microgesture.modalities.depth import make_depth
from microgesture.modalities.skeleton_depth import fill_short_gaps, joint_nearness, skeleton_depth
from microgesture.modalities.stored_depth import to_stored
from microgesture.skeletons.selections import selection_named
from microgesture.storage.clips import SCHEMA, Clips
from microgesture.storage.shards import Shard, write_shard
from microgesture.videos.person_box import Box, person_box

every_selection = pytest.mark.parametrize(
    "selection", [selection_named(name) for name in ("22", "36", "68")], ids=lambda s: s.name
)
FRAME = Box(0, 0, 200, 200)
BODY = {
    "nose": (100, 50), "chin": (100, 62), "neck": (100, 80), "right shoulder": (70, 80), "left shoulder": (130, 80),
    "right elbow": (50, 110), "left elbow": (150, 110), "right wrist": (45, 145), "left wrist": (155, 145),
}  # fmt: skip


def seated(selection, frames: int) -> np.ndarray:
    """A person who sits still: hands below their wrists, the points of the head around the nose."""
    clip_TVC = np.ones((frames, len(selection.joints), 3), np.float32)
    rng = np.random.default_rng(0)
    for joint, name in enumerate(selection.joints):
        side, _, rest = name.partition(" ")
        hand = rest.startswith(("hand", "thumb", "index", "middle", "ring", "little"))
        place = BODY[f"{side} wrist"] if hand else BODY.get(name, BODY["nose"])
        shift = np.add(rng.uniform(-8, 8, 2), (0, 10 * hand)) if name not in BODY else (0, 0)
        clip_TVC[:, joint, :2] = np.add(place, shift)
    return clip_TVC


def at(clip_TVC: np.ndarray, selection, name: str) -> np.ndarray:
    return clip_TVC[:, selection.joints.index(name)]


@every_selection
def test_the_figure_is_drawn_in_front_of_the_background(selection):
    depth_THW = skeleton_depth(seated(selection, 3), selection, FRAME, 200)
    assert depth_THW.shape == (3, 200, 200)
    background = depth_THW.min()
    assert (depth_THW[:, :10] == background).all()
    for x, y in [*BODY.values(), (60, 95), (100, 100)]:  # joints, the middle of an upper arm, the torso
        assert (depth_THW[:, y, x] > background).all(), (x, y)
    stored_THW = to_stored(depth_THW)
    assert (stored_THW.min(), stored_THW.max()) == (0, 255)
    np.testing.assert_array_equal(stored_THW[0], stored_THW[2])


@every_selection
def test_a_foreshortened_forearm_comes_forward_by_pythagoras(selection):
    clip_TVC = seated(selection, 60)
    elbow, wrist = (at(clip_TVC, selection, f"right {name}") for name in ("elbow", "wrist"))
    length = np.linalg.norm(wrist[0, :2] - elbow[0, :2])
    wrist[30:, :2] = elbow[30:, :2] + 0.6 * (wrist[30:, :2] - elbow[30:, :2])
    nearness_TV = joint_nearness(clip_TVC[..., :2].astype(float), selection)
    forward = at(nearness_TV, selection, "right wrist") - at(nearness_TV, selection, "right elbow")
    np.testing.assert_allclose(forward[40:58], 0.8 * length, rtol=1e-3)
    np.testing.assert_allclose(forward[:28], 0.3 * length, rtol=1e-3)  # in the image plane: the lean alone
    np.testing.assert_allclose(at(nearness_TV, selection, "left wrist"), 0.3 * length, rtol=1e-3)


@every_selection
def test_the_hand_in_front_of_the_torso_covers_it(selection):
    clip_TVC = seated(selection, 60)
    plain_THW = skeleton_depth(clip_TVC, selection, FRAME, 200)
    shift = np.array((100, 110)) - at(clip_TVC, selection, "right wrist")[0, :2]
    for joint, name in enumerate(selection.joints):
        side, _, rest = name.partition(" ")
        if side == "right" and rest.startswith(("hand", "wrist", "thumb", "index", "middle", "ring", "little")):
            clip_TVC[30:, joint, :2] += shift
    depth_THW = skeleton_depth(clip_TVC, selection, FRAME, 200)
    assert (depth_THW[40:, 110, 100] > plain_THW[40:, 110, 100] + 5).all()
    np.testing.assert_array_equal(depth_THW[:20, 110, 100], plain_THW[:20, 110, 100])


@every_selection
def test_missing_joints_are_not_drawn_and_short_gaps_are_bridged(selection):
    clip_TVC = seated(selection, 30)
    arm = [joint for joint, name in enumerate(selection.joints) if name.startswith("right ")]
    arm = [joint for joint in arm if clip_TVC[0, joint, 0] < 90 and clip_TVC[0, joint, 1] > 90]
    clip_TVC[3:8, arm] = 0
    clip_TVC[15:, arm] = 0
    depth_THW = skeleton_depth(clip_TVC, selection, FRAME, 200)
    background = depth_THW.min()
    right_forearm = depth_THW[:, 120:140, 40:58].max((1, 2))
    assert (right_forearm[:15] > background).all()
    assert (right_forearm[15:] == background).all()
    assert (depth_THW[:, 127, 152] > background).all()  # the left one is there throughout


def test_gaps_are_filled_in_a_straight_line_up_to_their_limit():
    clip_TVC = np.zeros((12, 1, 3), np.float32)
    clip_TVC[[0, 4, 11], 0] = [[8, 4, 1.0], [16, 8, 0.5], [1, 1, 1]]
    filled_TVC = fill_short_gaps(clip_TVC, 5)
    np.testing.assert_allclose(filled_TVC[:5, 0, 0], [8, 10, 12, 14, 16])
    np.testing.assert_allclose(filled_TVC[:5, 0, 2], [1, 0.875, 0.75, 0.625, 0.5])
    assert not filled_TVC[5:11].any()  # six frames are too many
    np.testing.assert_array_equal(fill_short_gaps(clip_TVC, 6)[[0, 4, 11]], clip_TVC[[0, 4, 11]])


@every_selection
def test_nothing_to_see_is_all_far(selection):
    empty_TVC = np.zeros((4, len(selection.joints), 3), np.float32)
    assert not to_stored(skeleton_depth(empty_TVC, selection, FRAME, 50)).any()


def test_hands_without_a_body_are_drawn_as_hands():
    selection = selection_named("68")
    clip_TVC = seated(selection, 5)
    body = [joint for joint, name in enumerate(selection.joints) if name in BODY or "eye" in name or "lip" in name]
    clip_TVC[:, body] = 0
    drawn = skeleton_depth(clip_TVC, selection, FRAME, 200)
    assert (drawn > drawn.min()).mean() > 0.005


def test_the_box_is_the_crop_of_rgb():
    # The same figure twice as large, in a box twice as large, is the same picture.
    selection = selection_named("36")
    small_TVC = seated(selection, 2)
    large_TVC = small_TVC * (2, 2, 1)
    small = to_stored(skeleton_depth(small_TVC, selection, person_box(small_TVC, 200, 200, 0.0), 64)).astype(int)
    large = to_stored(skeleton_depth(large_TVC, selection, person_box(large_TVC, 400, 400, 0.0), 64)).astype(int)
    assert (np.abs(small - large) > 12).mean() < 0.03
    full = skeleton_depth(small_TVC, selection, Box(0, 0, 320, 200), 50)
    assert full.shape == (2, 50, 80)


def test_the_range_is_that_of_the_whole_clip():
    depth_THW = np.stack([np.full((2, 2), 4.0), np.full((2, 2), 6.0), [[4.0, 6.0], [5.0, 8.0]]])
    assert to_stored(depth_THW).tolist() == [[[0, 0], [0, 0]], [[128, 128], [128, 128]], [[0, 128], [64, 255]]]
    assert not to_stored(np.full((2, 3, 3), 7)).any()


def a_shard(tmp_path: Path, **columns) -> tuple[Clips, Path]:
    clip_TVC = seated(selection_named("36"), 6)
    keypoints = [("seen", clip_TVC), ("unseen", UnusableClip("unseen has no keypoints"))]
    write_shard(tmp_path / "keypoints", keypoints, "zstd")
    frames = {"n_frames": 6, "start": 0, "end": 5}
    rows = pd.DataFrame({"clip_id": ["seen", "unseen"], "shard": 0, "status": "ok", **frames, **columns})
    return Clips(rows.reindex(columns=SCHEMA.names), ("x",), ("1",)), tmp_path / "keypoints"


SETTINGS = {"selection": "36", "size": 32, "margin": 0.2}


def test_the_skeleton_stage_passes_on_why_there_are_no_keypoints(tmp_path):
    clips, keypoints = a_shard(tmp_path, width=200, height=200)
    paths = keypoints, tmp_path / "depth", tmp_path / "scratch"
    make_depth(clips, 0, *paths, backend="skeleton", folder=None, **SETTINGS)
    written = Shard(tmp_path / "depth")
    assert written.reasons == {"unseen": "unseen has no keypoints"}
    assert written.read("seen").shape == (6, 32, 32)
    assert written.read("seen").dtype == np.uint8
    assert written.read("seen").max() > 240


def write_video(path: Path, frames_THW: np.ndarray) -> None:
    with av.open(str(path), "w") as container:
        stream = container.add_stream(
            "mpeg4", 25, width=frames_THW.shape[2], height=frames_THW.shape[1], bit_rate=10**7
        )
        for frame_HW in frames_THW:
            frame = av.VideoFrame.from_ndarray(np.repeat(frame_HW[..., None], 3, -1), format="rgb24")
            container.mux(stream.encode(frame))
        container.mux(stream.encode())


def test_the_folder_stage_reads_depth_videos_in_the_box_of_rgb(tmp_path):
    clips, keypoints = a_shard(tmp_path, width=200, height=100)
    ramp = np.broadcast_to(np.linspace(60, 180, 100), (6, 50, 100)).astype(np.uint8)  # half the size of the source
    write_video(tmp_path / "unseen.mp4", ramp)
    write_video(tmp_path / "seen.mp4", ramp[:5])
    paths = keypoints, tmp_path / "depth", tmp_path / "scratch"
    make_depth(clips, 0, *paths, backend="folder", folder=tmp_path, **SETTINGS)
    written = Shard(tmp_path / "depth")
    assert list(written.reasons) == ["seen"]
    assert "seen.mp4 has 5 frames, but its clip has 6" in written.reasons["seen"]
    depth_THW = written.read("unseen").astype(int)  # no keypoints: the full frame, its shorter side 32
    assert depth_THW.shape == (6, 32, 64)
    assert np.abs(depth_THW - np.linspace(0, 255, 64)).mean() < 6


def test_settings_that_do_not_fit_are_refused(tmp_path):
    clips, keypoints = a_shard(tmp_path, width=200, height=200)
    paths = tmp_path / "depth", tmp_path / "scratch"
    for backend, have, message in (
        ("skeleton", None, "'skeleton' needs keypoints"),
        ("folder", keypoints, "'folder' needs depth.folder"),
        ("video", keypoints, "no depth backend 'video'; choose one of skeleton, folder"),
    ):
        with pytest.raises(InputError, match=message):
            make_depth(clips, 0, have, *paths, backend=backend, folder=None, **SETTINGS)
    with pytest.raises(InputError, match="neck, which selection 42 lacks"):
        make_depth(clips, 0, keypoints, *paths, backend="skeleton", folder=None, **SETTINGS | {"selection": "42"})
