import cv2
import numpy as np
import pytest

from microgesture.errors import InputError, UnusableClip
from microgesture.modalities.flow import BACKENDS, DISFlow, make_flow
from microgesture.modalities.stored_flow import from_stored, mirror_flow, to_stored
from microgesture.storage.shards import Shard, write_shard

INSIDE = np.s_[:, 16:-16, 16:-16]  # away from the border, where what moves in was not to be seen before


def moving_texture(u: float, v: float, frames: int = 2, seed: int = 0) -> np.ndarray:
    """A random texture, uint8 (T, 128, 128, 3), that moves by (u, v) pixels a frame."""
    texture = np.random.default_rng(seed).uniform(0, 255, (128, 128, 3)).astype(np.float32)
    texture = cv2.normalize(cv2.GaussianBlur(texture, (0, 0), 2), None, 0, 255, cv2.NORM_MINMAX)
    shifts = [np.float32([[1, 0, i * u], [0, 1, i * v]]) for i in range(frames)]
    how = {"flags": cv2.INTER_CUBIC, "borderMode": cv2.BORDER_REFLECT}
    moved = [cv2.warpAffine(texture, shift, (128, 128), **how) for shift in shifts]
    return np.stack(moved).clip(0, 255).astype(np.uint8)


def end_point_error(flow_THWC: np.ndarray, u: float, v: float) -> float:
    return float(np.linalg.norm(flow_THWC[INSIDE] - (u, v), axis=-1).mean())


@pytest.mark.parametrize(("u", "v"), [(0.3, 0.0), (1.5, -0.7), (-2.25, 1.1), (4.0, 3.0)])
def test_known_motion_is_found_and_storing_adds_under_5_percent_error(u, v):
    flow_THWC = DISFlow()(moving_texture(u, v))
    stored = to_stored(flow_THWC)
    assert stored.dtype == np.int16
    error = end_point_error(flow_THWC, u, v)
    assert error < 0.15
    assert end_point_error(from_stored(stored), u, v) < 1.05 * error


def test_flow_i_leads_from_frame_i_to_the_next_and_the_last_is_repeated():
    frames_THWC = np.concatenate([moving_texture(2, 0, 3), moving_texture(2, 0, 3)[:2][::-1]])  # right, then left
    flow_THWC = DISFlow()(frames_THWC)
    assert flow_THWC.shape == (5, 128, 128, 2)
    assert flow_THWC.dtype == np.float32
    u = np.median(flow_THWC[INSIDE][..., 0], axis=(1, 2))
    np.testing.assert_allclose(u, [2, 2, -2, -2, -2], atol=0.1)
    np.testing.assert_array_equal(flow_THWC[-1], flow_THWC[-2])


@pytest.mark.parametrize("frames", [1, 4])
def test_a_still_clip_stays_still(frames):
    still = np.repeat(moving_texture(0, 0, 1), frames, axis=0)
    assert not to_stored(DISFlow()(still)).any()


def test_storing_keeps_direction_magnitude_and_sign():
    exact = np.arange(-64, 65, dtype=np.float32) / 32
    flow_THWC = np.stack(np.meshgrid(exact, exact), -1)[None]
    np.testing.assert_array_equal(from_stored(to_stored(flow_THWC)), flow_THWC)
    rng = np.random.default_rng(0)
    any_flow = rng.uniform(-1000, 1000, (2, 5, 7, 2)).astype(np.float32)
    np.testing.assert_allclose(from_stored(to_stored(any_flow)), any_flow, atol=1 / 64 + 1e-4)
    np.testing.assert_array_equal(to_stored(-any_flow), -to_stored(any_flow))
    limit = from_stored(to_stored(np.float32([[[[5000, -5000]]]])))
    np.testing.assert_allclose(limit[0, 0, 0], [1023.97, -1023.97], atol=0.01)  # too far is far, never the other way


def test_mirroring_moves_the_pixels_and_negates_u():
    rng = np.random.default_rng(0)
    for flow_THWC in (rng.normal(size=(2, 3, 4, 2)).astype(np.float32), rng.integers(-9, 9, (2, 3, 4, 2), np.int16)):
        mirrored = mirror_flow(flow_THWC)
        assert mirrored.dtype == flow_THWC.dtype
        np.testing.assert_array_equal(mirrored[:, :, 0, 0], -flow_THWC[:, :, 3, 0])
        np.testing.assert_array_equal(mirrored[:, :, 0, 1], flow_THWC[:, :, 3, 1])
        np.testing.assert_array_equal(mirror_flow(mirrored), flow_THWC)


@pytest.mark.parametrize(("u", "v"), [(1.5, -0.7), (-3, 2)])
def test_the_flow_of_a_mirrored_video_is_the_mirrored_flow(u, v):
    frames_THWC = moving_texture(u, v)
    of_mirrored = DISFlow()(np.ascontiguousarray(frames_THWC[:, :, ::-1]))
    difference = np.abs(of_mirrored - mirror_flow(DISFlow()(frames_THWC)))[INSIDE]
    assert np.median(difference) < 0.02  # DIS searches from left to right, so not to the last bit


def test_the_stage_keeps_the_order_and_the_reasons(tmp_path):
    clips = [("b", moving_texture(1.5, 0.5, 4)), ("a", UnusableClip("a.mp4: no such file"))]
    write_shard(tmp_path / "rgb", clips, "jpeg")
    make_flow(tmp_path / "rgb", tmp_path / "flow", tmp_path / "scratch", backend="dis")
    written = Shard(tmp_path / "flow")
    assert written.clip_ids == ["b", "a"]
    assert written.reasons == {"a": "a.mp4: no such file"}
    assert written.read("b").dtype == np.int16
    assert end_point_error(from_stored(written.read("b", [0, 1, 2])), 1.5, 0.5) < 0.15


def test_an_unknown_backend_is_refused(tmp_path):
    with pytest.raises(InputError, match=r"no flow backend 'raft'; choose one of dis"):
        make_flow(tmp_path / "rgb", tmp_path / "flow", tmp_path / "scratch", backend="raft")
    assert list(BACKENDS) == ["dis"]
