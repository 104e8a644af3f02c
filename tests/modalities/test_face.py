"""Aligned faces: where eyes, nose and mouth come to lie, and what becomes of frames and clips without a face."""

import re
from itertools import islice

import cv2
import numpy as np
import pytest

from fixtures.release_files import write_lines, write_video
from fixtures.skeletons import named
from microgesture.corpora import list_clips
from microgesture.demo.figure import FACE
from microgesture.demo.gestures import GESTURES, act, vary
from microgesture.demo.people import Framing, draw_recording, draw_subject, idle, observe, render
from microgesture.errors import UnusableClip
from microgesture.modalities.face import (
    LANDMARKS,
    POINTS,
    REACH,
    SIDE,
    TEMPLATE_N2,
    aligned,
    alignment,
    face_cutter,
    five_points,
    make_face,
    similarity,
)
from microgesture.skeletons.keypoints import clean
from microgesture.skeletons.layouts import layout_named, mirrored_name
from microgesture.skeletons.person import InFile, noted
from microgesture.storage.shards import Shard, write_shard
from microgesture.videos.reading import decode

SETTINGS = {"margin": 0.0, "smallest": 24, "confidence": 0.4}
V = len(LANDMARKS.joints)


def moved(matrices_T23, points_TN2):
    return np.einsum("tij,tnj->tni", matrices_T23[..., :2], points_TN2) + matrices_T23[:, None, :, 2]


def random_matrices(count, seed=0):
    generator = np.random.default_rng(seed)
    angle, scale = generator.uniform(-np.pi, np.pi, count), np.exp(generator.uniform(-2, 2, count))
    turn = scale * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    return np.concatenate([np.moveaxis(turn, -1, 0), generator.uniform(-500, 500, (count, 2, 1))], -1)


def landmarks_at(points_T52, confidence=0.9):
    """Landmarks (T, V, 3) with these five points: those of an eye stand around its middle."""
    around = 0.8 * np.array([(-3, 0), (-1, -1), (1, -1), (3, 0), (1, 1), (-1, 1)])
    spread = [around if len(names) == 6 else np.zeros((1, 2)) for names in POINTS]
    xy = np.concatenate(
        [point[:, None] + offsets for point, offsets in zip(points_T52.swapaxes(0, 1), spread, strict=True)], 1
    )
    return np.concatenate([xy, np.full((*xy.shape[:2], 1), confidence)], -1).astype(np.float32)


def test_a_known_similarity_is_found_exactly():
    known_T23 = random_matrices(50)
    inverse_T23 = np.stack([cv2.invertAffineTransform(matrix) for matrix in known_T23])
    source_T52 = moved(inverse_T23, np.repeat(TEMPLATE_N2[None], 50, 0))
    np.testing.assert_allclose(similarity(source_T52, TEMPLATE_N2), known_T23, rtol=1e-9, atol=1e-7)


def test_points_in_no_such_place_come_as_near_as_can_be():
    """Against the same least squares as a linear system: x' = a x - b y + c, y' = b x + a y + d."""
    source_T52 = np.random.default_rng(1).normal(100, 30, (20, 5, 2))
    for source_52, matrix_23 in zip(source_T52, similarity(source_T52, TEMPLATE_N2), strict=True):
        rows = [((x, -y, 1, 0), (y, x, 0, 1)) for x, y in source_52]
        (a, b, c, d), *_ = np.linalg.lstsq(np.concatenate(rows), TEMPLATE_N2.ravel())
        np.testing.assert_allclose(matrix_23, [(a, -b, c), (b, a, d)], rtol=1e-8)


def test_the_template_is_arcfaces():
    """The distances that follow from the published numbers: eyes 35 pixels apart, the mouth 41 below them."""
    right, left, nose, mouth_right, mouth_left = TEMPLATE_N2
    assert right[0] < nose[0] < left[0]
    assert np.hypot(*(left - right)) == pytest.approx(35.24, abs=0.01)
    assert np.mean([mouth_right - right, mouth_left - left], 0)[1] == pytest.approx(40.69, abs=0.01)


@pytest.mark.parametrize(("side", "margin"), [(448, 0), (200, 0), (112, 0), (60, 0), (30, 0), (300, 0.25)])
@pytest.mark.parametrize("angle", [0, 0.6])
def test_what_lies_on_the_points_comes_to_lie_on_the_template(side, margin, angle):
    """Bright spots in a picture, larger or smaller than the face, are found again within a tenth of a pixel."""
    turn = side / SIDE * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    points_52 = (TEMPLATE_N2 - 55.5) @ turn.T + (310.3, 297.6)
    y, x = np.mgrid[:600, :620]
    width = max(side / SIDE, 1) * 2.5
    spots = [np.exp(-((x - px) ** 2 + (y - py) ** 2) / (2 * width**2)) for px, py in points_52]
    frame_HWC = np.repeat((255 * np.max(spots, 0))[..., None].astype(np.uint8), 3, -1)
    face_HWC = aligned(frame_HWC, alignment(landmarks_at(points_52[None]), margin, 24, 0.4)[0])
    assert face_HWC.shape == (SIDE, SIDE, 3)
    y, x = np.mgrid[:SIDE, :SIDE]
    for wanted in (TEMPLATE_N2 - 55.5) / (1 + 2 * margin) + 55.5:
        near = face_HWC[..., 0] * (np.hypot(x - wanted[0], y - wanted[1]) < 8 / (1 + 2 * margin))
        found = (near * x).sum() / near.sum(), (near * y).sum() / near.sum()
        assert np.hypot(*(found - wanted)) < 0.15


def drawn(seed, frame, frames=24):
    """A recording of the demo: its pictures, true keypoints, and what an estimator has seen of them."""
    rng = np.random.default_rng(seed)
    subject = draw_subject(rng)
    recording = draw_recording(rng, subject, frame, Framing((0.23, 0.28), (0.42, 0.47)))
    pose = act(idle(rng, frames, 25), subject.build, [(GESTURES[seed], 2, frames - 3, vary(rng))], 25)
    pictures, true_TVC = render(recording, pose, frame)
    return pictures, true_TVC, observe(rng, true_TVC, recording.camera.scale).astype(np.float32)


def chosen(keypoints_TVC):
    return clean(keypoints_TVC)[:, list(LANDMARKS.columns(layout_named("openpose_137")))]


@pytest.mark.parametrize(("seed", "frame"), [(0, (320, 240)), (1, (640, 480)), (2, (160, 120)), (3, (480, 270))])
def test_eyes_of_drawn_people_lie_on_the_template(seed, frame):
    """Marked in the pictures where they truly are, and found again in faces that noisy landmarks have aligned."""
    pictures, true_TVC, seen_TVC = drawn(seed, frame)
    matrices_T23 = alignment(chosen(seen_TVC), **SETTINGS)
    shown = [t for t in range(len(pictures)) if np.isfinite(matrices_T23[t]).all()]
    assert len(shown) > 12
    missed = []
    for t in shown:
        for eye, (first, wanted) in enumerate(zip((36, 42), TEMPLATE_N2, strict=False)):
            marked = np.zeros((*pictures[t].shape[:2], 3), np.uint8)
            middle = true_TVC[t, FACE + first : FACE + first + 6, :2].mean(0)
            cv2.circle(marked, np.rint(16 * middle).astype(int).tolist(), 48, (255,) * 3, -1, cv2.LINE_AA, 4)
            y, x = np.nonzero(aligned(marked, matrices_T23[t])[..., eye] > 127)
            missed.append(np.hypot(x.mean() - wanted[0], y.mean() - wanted[1]))
    assert np.mean(missed) < 2.5
    assert np.quantile(missed, 0.95) < 4


def test_steadying_halves_the_trembling_of_noisy_landmarks(monkeypatch):
    def trembling():
        jumps = []
        for seed in range(4):
            _, true_TVC, seen_TVC = drawn(seed, (320, 240), frames=60)
            points_T52 = np.stack([chosen(true_TVC)[:, :6, :2].mean(1)], 1)
            error_T2 = moved(alignment(chosen(seen_TVC), **SETTINGS), points_T52) - moved(
                alignment(chosen(true_TVC), **SETTINGS), points_T52
            )
            jumps += np.linalg.norm(np.diff(error_T2[:, 0], axis=0), axis=1).tolist()
        return np.nanmean(jumps)

    steady = trembling()
    monkeypatch.setattr("microgesture.modalities.face.SIGMA", 1e-3)
    assert steady < 0.65 * trembling()


def test_a_face_that_is_lost_for_a_moment_is_kept_and_one_lost_for_longer_is_not():
    points_T52 = np.repeat(3 * TEMPLATE_N2[None], 30, 0) + np.arange(30)[:, None, None]
    landmarks_TVC = landmarks_at(points_T52)
    landmarks_TVC[5:8, 3] = 0  # a single landmark for three frames
    landmarks_TVC[15:25, :, 2] = 0.3  # all for ten, by their confidence
    found_T = np.isfinite(five_points(landmarks_TVC, 0.4)).all((1, 2))
    lost = range(15 + REACH, 25 - REACH)
    assert np.flatnonzero(~found_T).tolist() == list(lost)
    np.testing.assert_allclose(five_points(landmarks_TVC, 0.4)[8:12], points_T52[8:12], atol=0.5)
    inside = slice(REACH, -REACH)
    np.testing.assert_allclose(five_points(landmarks_at(points_T52), 0.4)[inside], points_T52[inside], atol=1e-4)


def nowhere(landmarks_TVC):
    landmarks_TVC[:] = 0


def all_in_one_place(landmarks_TVC):
    landmarks_TVC[..., :2] = 50


def unsure(landmarks_TVC):
    landmarks_TVC[..., 2] = 0.39


def small(landmarks_TVC):
    landmarks_TVC[..., :2] *= 23 / SIDE


def without_mouth(landmarks_TVC):
    landmarks_TVC[:, -1] = 0


@pytest.mark.parametrize("harm", [nowhere, all_in_one_place, unsure, small, without_mouth])
def test_a_frame_without_a_face_to_see_is_black(harm):
    landmarks_TVC = landmarks_at(np.repeat(TEMPLATE_N2[None], 4, 0))
    picture_HWC = np.full((120, 120, 3), 200, np.uint8)
    assert all(aligned(picture_HWC, matrix_23).any() for matrix_23 in alignment(landmarks_TVC, **SETTINGS))
    harm(landmarks_TVC)
    assert not any(aligned(picture_HWC, matrix_23).any() for matrix_23 in alignment(landmarks_TVC, **SETTINGS))


@pytest.mark.parametrize("seed", range(4))
def test_landmarks_of_any_kind_give_a_picture(seed):
    """Whatever a file says, and however large it says it is: a face of 112 x 112 pixels, or black."""
    generator = np.random.default_rng(seed)
    landmarks_TVC = generator.normal(0, 10.0 ** generator.integers(-30, 37, (40, 1, 1)), (40, V, 3)).astype(np.float32)
    landmarks_TVC[..., 2] = generator.uniform(0, 1, (40, V))
    picture_HWC = generator.integers(0, 256, (50, 70, 3), np.uint8)
    for matrix_23 in alignment(clean(landmarks_TVC), **SETTINGS):
        assert aligned(picture_HWC, matrix_23).shape == (SIDE, SIDE, 3)


def test_the_mirrored_video_has_the_mirrored_face():
    pictures, _, seen_TVC = drawn(4, (320, 240))
    mirrored_TVC = seen_TVC[
        :,
        [layout_named("openpose_137").names.index(mirrored_name(name)) for name in layout_named("openpose_137").names],
    ]
    mirrored_TVC[..., 0] = np.where(mirrored_TVC[..., 2] > 0, 319 - mirrored_TVC[..., 0], 0)
    ours, theirs = (alignment(chosen(points_TVC), **SETTINGS) for points_TVC in (seen_TVC, mirrored_TVC))
    for picture_HWC, one_23, other_23 in zip(pictures, ours, theirs, strict=True):
        face_HWC = aligned(picture_HWC, one_23)
        mirrored_HWC = aligned(np.ascontiguousarray(picture_HWC[:, ::-1]), other_23)
        # The template itself is no more symmetric than half a pixel.
        assert np.abs(mirrored_HWC[:, ::-1].astype(int) - face_HWC).mean() < 5
        assert np.abs(mirrored_HWC.astype(int) - face_HWC).mean() > 5 or not face_HWC.any()


@pytest.fixture
def corpus(tmp_path):
    """Overlapping clips of a drawn recording, up to both of its ends, and one of a recording without landmarks."""
    root = tmp_path / "corpus"
    pictures, _, seen_TVC = drawn(5, (320, 240), frames=30)
    write_video(root / "a.mp4", pictures)
    write_video(root / "b.mp4", pictures[:9])
    np.savez(root / "a.npz", keypoints=seen_TVC)
    np.savez(root / "b.npz", keypoints=seen_TVC[:9, :35])
    rows = ["late,train,x,a.mp4,12,29,a.npz", "early,train,x,a.mp4,0,9,a.npz", "light,test,,b.mp4,,,b.npz"]
    write_lines(root / "clips.csv", ["clip_id,split,label,video,start,end,keypoints", *rows])
    skeletons = tmp_path / "skeletons.arrow"
    write_shard(skeletons, [("a.npz", noted(named(seen_TVC))), ("b.npz", noted(named(seen_TVC[:9, :35])))], "zstd")
    return root, skeletons, seen_TVC


def made(root, skeletons, without_skeleton=(), **settings):
    output = root.parent / "face.arrow"
    clips = list_clips("mine", "manifest", root, 1)
    clips.table.loc[clips.table.clip_id.isin(without_skeleton), "skeleton"] = None
    make_face(clips, 0, root, skeletons, output, root.parent / "scratch", **SETTINGS | settings)
    return Shard(output)


def test_clips_are_the_faces_of_their_frames(corpus):
    root, skeletons, seen_TVC = corpus
    shard = made(root, skeletons)
    for clip_id, first, last in (("late", 12, 29), ("early", 0, 9)):
        frames = decode(root / "a.mp4", first, last)
        matrices_T23 = alignment(chosen(seen_TVC[first : last + 1]), **SETTINGS)
        expected = np.stack([aligned(frame, matrix) for frame, matrix in zip(frames, matrices_T23, strict=True)])
        stored_THWC = shard.read(clip_id)
        assert stored_THWC.shape == (last - first + 1, SIDE, SIDE, 3)
        assert stored_THWC.dtype == np.uint8
        assert np.abs(stored_THWC.astype(int) - expected).mean() < 3
        assert np.array_equal(stored_THWC.any((1, 2, 3)), expected.any((1, 2, 3)))
        assert expected.any()


def test_a_clip_without_landmarks_says_so(corpus):
    root, skeletons, _ = corpus
    reasons = made(root, skeletons, ["late"]).reasons
    assert reasons.keys() == {"light", "late"}
    assert re.search(r"b\.npz has no landmarks .*light_hand .*OpenPose-137", reasons["light"])
    assert reasons["late"] == "late has no keypoints"


def test_a_clip_in_which_no_face_is_large_enough_is_black_throughout(corpus):
    root, skeletons, _ = corpus
    shard = made(root, skeletons, smallest=200)
    assert not shard.read("late").any()
    assert shard.shape("early") == (10, SIDE, SIDE, 3)


def test_a_clip_that_ends_beyond_its_skeleton_is_refused_before_it_is_tried(corpus):
    """The end of a clip comes from a list, and may be anything."""
    root, skeletons, _ = corpus
    file = InFile("a.npz", None, None)
    rows = {"endless": (file, range(3, 2**31 - 2)), "early": (file, range(10))}
    cut = face_cutter(skeletons, rows, **SETTINGS)
    found = list(islice(cut(root / "a.mp4", {"endless": range(3, 2**31 - 1), "early": range(10)}), 11))
    reasons = {clip_id: str(made) for clip_id, made in found if isinstance(made, UnusableClip)}
    assert reasons == {"endless": "a.npz has 30 rows, but the clip needs rows 3 to 2147483645"}
