import math
import os
from pathlib import Path

import cv2
import numpy as np
import pytest

from microgesture.errors import InputError, UnusableClip
from microgesture.modalities.taylor import make_taylor, taylor_video
from microgesture.storage.shards import Shard, write_shard
from microgesture.videos.reading import decode, probe


def textbook(frames_THWC: np.ndarray, terms: int, window: int, signed: bool, scaling: str) -> np.ndarray:
    """The definition, written out term by term in float64."""
    gray_THW = np.stack([cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY) for frame in frames_THWC]) / 255
    last = len(gray_THW) - 1
    video = []
    for first in range(len(gray_THW)):
        block = gray_THW[[min(first + tau, last) for tau in range(window)]]
        motion_HWC = np.zeros((*block.shape[1:], 3))
        for channel in range(3):
            for tau in range(window):
                for k in range(terms):
                    difference = np.diff(block, channel + 1 + k, axis=0)[0]
                    motion_HWC[..., channel] += difference * (block[tau] - block[0]) ** k / math.factorial(k) / window
        if not signed:
            motion_HWC = motion_HWC.clip(0)
        peak = np.abs(motion_HWC).max(axis=None if scaling == "joint" else (0, 1))
        share_HWC = motion_HWC / np.where(peak > 0, peak, 1)
        video.append(128.5 + 127 * share_HWC if signed else 255 * share_HWC)
    return np.stack(video).astype(np.uint8)


def noise(frames: int, height: int = 13, width: int = 21, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (frames, height, width, 3), np.uint8)


@pytest.mark.parametrize("signed", [False, True])
@pytest.mark.parametrize("scaling", ["joint", "channel"])
@pytest.mark.parametrize(("terms", "window"), [(3, 6), (1, 4), (2, 7), (4, 9)])
def test_a_taylor_video_is_its_definition(terms, window, signed, scaling):
    frames_THWC = noise(9)
    ours = taylor_video(frames_THWC, terms, window, signed, scaling).astype(int)
    expected = textbook(frames_THWC, terms, window, signed, scaling)
    assert ours.shape == (9, 13, 21, 3)
    assert np.abs(ours - expected).max() <= 1  # float32 may fall on the other side of a whole number
    assert (ours == expected).mean() > 0.95


@pytest.mark.parametrize("frames", [1, 2, 5, 6, 40])
def test_as_many_frames_come_out_as_go_in(frames):
    assert taylor_video(noise(frames)).shape == (frames, 13, 21, 3)


def test_frame_i_is_about_the_window_that_starts_at_frame_i():
    frames_THWC = noise(12)
    whole = taylor_video(frames_THWC)
    for first in range(12 - 5):
        np.testing.assert_array_equal(taylor_video(frames_THWC[first : first + 6])[0], whole[first])
    padded = np.concatenate([frames_THWC, *[frames_THWC[-1:]] * 5])
    np.testing.assert_array_equal(taylor_video(padded)[:12], whole)


@pytest.mark.parametrize(("signed", "rest"), [(False, 0), (True, 128)])
@pytest.mark.parametrize("scaling", ["joint", "channel"])
def test_a_static_clip_shows_no_motion(signed, rest, scaling):
    still = np.repeat(noise(1), 10, axis=0)
    assert (taylor_video(still, signed=signed, scaling=scaling) == rest).all()


def test_only_what_moves_shows():
    frames_THWC = np.full((10, 20, 30, 3), 90, np.uint8)
    for i in range(10):
        frames_THWC[i, 5:8, 2 * i : 2 * i + 3] = 200
    taylor_THWC = taylor_video(frames_THWC)
    assert taylor_THWC[0].max() == 255
    assert not taylor_THWC[:, :5].any()
    assert not taylor_THWC[:, 8:].any()


def test_scales_are_shared_by_the_channels_or_not():
    # A shared scale leaves the weaker channels darker than one of their own would.
    frames_THWC = noise(8)
    joint, channel = taylor_video(frames_THWC), taylor_video(frames_THWC, scaling="channel")
    assert (channel[:3].max((1, 2)) == 255).all()
    assert (joint[:3].max((1, 2, 3)) == 255).all()
    assert (joint[:3].max((1, 2)) < 255).any()
    assert (joint <= channel).all()


def test_impossible_settings_are_refused():
    for settings, message in (
        ({"terms": 3, "window": 5}, "window is 5.*3 terms .*6 frames"),
        ({"terms": 0}, "terms is 0"),
        ({"scaling": "each"}, "'each'.* joint, channel"),
    ):
        with pytest.raises(InputError, match=message):
            taylor_video(noise(8), **settings)


def test_the_stage_keeps_the_order_and_the_reasons(tmp_path):
    smooth = cv2.GaussianBlur(noise(1, 64, 64)[0], (0, 0), 4)
    frames_THWC = np.stack([np.roll(smooth, i, axis=1) for i in range(9)])
    write_shard(tmp_path / "rgb", [("b", frames_THWC), ("a", UnusableClip("a.mp4: no such file"))], "jpeg")
    settings = {"terms": 3, "window": 6, "signed": False, "scaling": "joint"}
    make_taylor(tmp_path / "rgb", tmp_path / "taylor", tmp_path / "scratch", **settings)
    written = Shard(tmp_path / "taylor")
    assert written.clip_ids == ["b", "a"]
    assert written.reasons == {"a": "a.mp4: no such file"}
    expected = taylor_video(Shard(tmp_path / "rgb").read("b")).astype(int)
    assert np.abs(written.read("b") - expected).mean() < 3  # jpeg


def test_the_authors_own_taylor_video_has_the_same_structure():
    folder = os.environ.get("MICROGESTURE_DATA")
    if not folder:
        pytest.skip("MICROGESTURE_DATA is not set: the folder that holds taylor-pair/source.mp4 and taylor.mp4")
    source, theirs = (
        np.stack(list(decode(path, 0, probe(path, count=True).n_frames - 1)))
        for path in (Path(folder) / "taylor-pair" / name for name in ("source.mp4", "taylor.mp4"))
    )
    # Theirs is 17 frames shorter, so the window was 18, for which they advise 15 terms; red and blue are exchanged.
    assert len(source) - len(theirs) == 17
    ours = taylor_video(source, terms=15, window=18, scaling="channel")[..., ::-1]
    correlations = [
        np.corrcoef(structure(ours[i])[..., channel].ravel(), structure(theirs[i])[..., channel].ravel())[0, 1]
        for i in range(0, len(theirs), 10)
        for channel in range(3)
    ]
    print(f"median correlation {np.median(correlations):.3f}")
    assert np.median(correlations) > 0.9


def structure(frame_HWC: np.ndarray) -> np.ndarray:
    """What survives the video's compression, which halves the resolution of colour: the frame, blurred."""
    coarse = cv2.cvtColor(cv2.cvtColor(frame_HWC, cv2.COLOR_RGB2YUV_I420), cv2.COLOR_YUV2RGB_I420)
    return cv2.GaussianBlur(coarse, (0, 0), 2)
