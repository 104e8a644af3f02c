"""A corpus of videos with other rates, resampled to one: every modality of a clip has the same frames."""

import numpy as np
import pytest

from fixtures.release_files import number_of, numbered_frames, write_lines, write_npz, write_video
from microgesture.corpora import list_clips
from microgesture.modalities.face import POINTS, TEMPLATE_N2, make_face
from microgesture.modalities.flow import DISFlow
from microgesture.modalities.keypoints import select_keypoints
from microgesture.modalities.rgb import make_rgb
from microgesture.skeletons.layouts import layout_named
from microgesture.skeletons.reading import read_skeletons
from microgesture.skeletons.selections import selection_named
from microgesture.storage.clips import read_clips, write_clips
from microgesture.storage.shards import Shard

CODED = "left wrist"  # its x is the number of the frame
ROWS = ["fast,train,x,fast.mp4,fast.npz,3,42", "slow,val,x,slow.mp4,slow.npz,3,12", "same,test,,same.mp4,same.npz,,"]
RATES = {"fast": 50, "slow": 10, "same": 20}
# The frames of each clip at 20 a second: times 0, 50, 100 ms, ... among those of every 20, 100 or 50 ms.
RIGHT = {
    "fast": [3, 5, 8, 10, 13, 15, 18, 20, 23, 25, 28, 30, 33, 35, 38, 40],
    "slow": [3, 3, 4, 4, 5, 5, 6, 6, 7, 7, 8, 8, 9, 9, 10, 10, 11, 11, 12, 12],
    "same": list(range(30)),
}


def with_face(frames: int) -> np.ndarray:
    """Keypoints (T, 137, 3) of a still face, and a wrist that tells the number of its frame."""
    names = layout_named("openpose_137").names
    keypoints_TVC = np.zeros((frames, len(names), 3), np.float32)
    for place, of_point in enumerate(POINTS):
        for name in of_point:
            keypoints_TVC[:, names.index(name)] = (*(0.8 * TEMPLATE_N2[place] + 10), 1)
    keypoints_TVC[:, names.index(CODED), :] = [(number + 0.5, 60, 1) for number in range(frames)]
    return keypoints_TVC


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    root = tmp_path_factory.mktemp("corpus")
    for name, rate in RATES.items():
        write_video(root / f"{name}.mp4", numbered_frames(50 if name == "fast" else 30, 120, 120), fps=rate)
        write_npz(root / f"{name}.npz", with_face(50 if name == "fast" else 30))
    write_lines(root / "clips.csv", ["clip_id,split,label,video,keypoints,start,end", *ROWS])
    return root


@pytest.fixture(scope="module")
def made(corpus, tmp_path_factory):
    folder = tmp_path_factory.mktemp("made")
    write_clips(folder / "clips.parquet", list_clips("mine", "manifest", corpus, 1, fps=20))
    clips = read_clips(folder / "clips.parquet")
    skeletons, keypoints, rgb, face = (folder / f"{kind}.arrow" for kind in ("skeletons", "keypoints", "rgb", "face"))
    read_skeletons(clips, 0, corpus, skeletons, folder / "scratch_s")
    select_keypoints(clips, 0, skeletons, keypoints, folder / "scratch_k", "36")
    make_rgb(clips, 0, corpus, None, rgb, folder / "scratch_r", 48, 0.2)
    make_face(clips, 0, corpus, skeletons, face, folder / "scratch_f", 0.0, 24, 0.4)
    return clips.table.set_index("clip_id"), *map(Shard, (keypoints, rgb, face))


@pytest.mark.parametrize("name", RIGHT)
def test_every_modality_has_the_frames_nearest_in_time(made, name):
    table, keypoints, rgb, face = made
    coded = selection_named("36").joints.index(CODED)
    assert table.loc[name, ["n_frames", "fps"]].to_list() == [len(RIGHT[name]), 20]
    assert keypoints.read(name)[:, coded, 0].astype(int).tolist() == RIGHT[name]
    assert [number_of(frame_HWC) for frame_HWC in rgb.read(name)] == RIGHT[name]
    assert [number_of(frame_HWC[40:72, 40:72]) for frame_HWC in face.read(name)] == RIGHT[name]


def test_only_clips_of_another_rate_are_resampled(made):
    table, *_ = made
    assert table.frames.notna().to_dict() == {"fast": True, "slow": True, "same": False}
    assert table.loc["fast", ["start", "end"]].to_list() == [3, 42]


def test_keypoints_alone_are_resampled_by_their_declared_rate(corpus):
    rows = ["a,train,x,fast.npz,50", "b,train,x,slow.npz,"]
    write_lines(corpus / "alone.csv", ["clip_id,split,label,keypoints,fps", *rows])
    table = list_clips("mine", "manifest", corpus / "alone.csv", 1, fps=25).table.set_index("clip_id")
    assert table.loc["a", "frames"].tolist() == list(range(0, 50, 2))
    assert "the frame rate of slow.npz is unknown" in table.loc["b", "reason"]


def test_the_same_motion_flows_as_fast_at_another_rate(tmp_path):
    """A texture that moves 50 pixels a second, recorded at 25 and at 50 frames a second."""
    texture = np.random.default_rng(0).uniform(0, 255, (60, 200, 3)).astype(np.uint8)
    texture = np.repeat(np.repeat(texture[::4, ::4], 4, 0), 4, 1)
    for name, rate in (("once", 25), ("twice", 50)):
        shifts = [round(50 * k / rate) for k in range(rate)]
        write_video(tmp_path / f"{name}.mp4", [np.roll(texture, shift, 1)[:, :120] for shift in shifts], fps=rate)
    write_lines(tmp_path / "clips.csv", ["clip_id,split,label,video", "a,train,x,once.mp4", "b,train,x,twice.mp4"])
    speed = {}
    for fps in (None, 25):
        clips = list_clips("mine", "manifest", tmp_path, 1, fps=fps)
        make_rgb(clips, 0, tmp_path, None, tmp_path / f"{fps}.arrow", tmp_path / f"scratch{fps}", 60, 0.2)
        shard = Shard(tmp_path / f"{fps}.arrow")
        speed[fps] = [np.median(DISFlow("medium")(shard.read(clip_id))[..., 0]) for clip_id in ("a", "b")]
    assert speed[None][0] / speed[None][1] == pytest.approx(2, rel=0.1)
    assert speed[25][0] / speed[25][1] == pytest.approx(1, rel=0.05)
