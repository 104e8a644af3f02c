import os
import signal
import subprocess
import sys

import numpy as np
import pytest

from microgesture.errors import InputError, UnusableClip
from microgesture.storage.shards import Noted, Shard, build_shard, each_clip, write_shard


def smooth_frames(frames=5, height=24, width=32):
    y, x = np.mgrid[:height, :width]
    wave = [np.stack([x * 3 + 2 * t, y * 4, (x + y) * 2], -1) for t in range(frames)]
    return np.stack(wave).astype(np.uint8)


@pytest.mark.parametrize("dtype", ["float32", "int16", "uint8"])
@pytest.mark.parametrize("codec", ["raw", "zstd", "zstd_clip"])
def test_lossless_codecs_return_what_was_written(tmp_path, codec, dtype):
    written = np.random.default_rng(0).integers(0, 200, (7, 4, 6, 2)).astype(dtype)
    write_shard(tmp_path / "s.arrow", [("a", written)], codec)
    read = Shard(tmp_path / "s.arrow").read("a")
    assert read.dtype == written.dtype
    np.testing.assert_array_equal(read, written)


def test_jpeg_keeps_colours_apart_and_gray_gray(tmp_path):
    colour_THWC = smooth_frames()
    gray_THW = colour_THWC[..., 1]
    write_shard(tmp_path / "s.arrow", [("colour", colour_THWC), ("gray", gray_THW)], "jpeg")
    shard = Shard(tmp_path / "s.arrow")
    assert np.abs(shard.read("colour").astype(int) - colour_THWC).mean() < 3
    assert shard.read("gray").shape == gray_THW.shape
    assert np.abs(shard.read("gray").astype(int) - gray_THW).mean() < 2


@pytest.mark.parametrize("codec", ["raw", "zstd_clip"])
def test_frames_are_read_at_random_and_may_repeat(tmp_path, codec):
    written = np.arange(10, dtype=np.int16).reshape(10, 1)
    write_shard(tmp_path / "s.arrow", [("other", written * 0), ("a", written)], codec)
    shard = Shard(tmp_path / "s.arrow")
    assert shard.read("a", [7, 2, 2, 9])[:, 0].tolist() == [7, 2, 2, 9]
    assert shard.read("a", []).shape == (0, 1)
    assert [int(frame[0]) for frame in shard.each("a", [3, 1, 3])] == [3, 1, 3]
    assert shard.damage("a") is None


def test_an_unusable_clip_keeps_its_reason(tmp_path):
    write_shard(
        tmp_path / "s.arrow", [("bad", UnusableClip("v.mp4 ends at frame 3")), ("good", np.ones((2, 1)))], "raw"
    )
    shard = Shard(tmp_path / "s.arrow")
    assert shard.reasons == {"bad": "v.mp4 ends at frame 3"}
    assert shard.reason("good") is None
    with pytest.raises(UnusableClip, match="ends at frame 3"):
        shard.read("bad")


def test_a_note_is_kept_and_counts_as_content(tmp_path):
    frames = np.zeros((2, 3), np.float32)
    made = {"plain": frames, "a": Noted(frames, {"tracks": [["é"], 1]}), "b": Noted(frames, {"tracks": []})}
    build_shard(tmp_path / "s.arrow", tmp_path / "scratch", list(made), lambda todo: made.items(), "zstd")
    shard = Shard(tmp_path / "s.arrow")
    assert [shard.note(name) for name in made] == [{}, {"tracks": [["é"], 1]}, {"tracks": []}]
    assert len({shard.content(name) for name in made}) == 3
    np.testing.assert_array_equal(shard.read("a"), frames)


def test_a_file_that_is_no_shard_is_named(tmp_path):
    (tmp_path / "s.arrow").write_text("hello")
    with pytest.raises(InputError, match=r"s\.arrow is not a shard file"):
        Shard(tmp_path / "s.arrow")


KILLED = """
import os, signal, sys
import numpy as np
from microgesture.storage.shards import build_shard, each_clip
done = open(sys.argv[1] + "/made.txt", "a")
def make(clip_id):
    if os.path.getsize(sys.argv[1] + "/made.txt") // 2 == int(sys.argv[2]):
        os.kill(os.getpid(), signal.SIGKILL)
    done.write(clip_id + "\\n"); done.flush()
    return np.full((3, 2), ord(clip_id), np.uint8)
ids = list("abcdefgh")
build_shard(sys.argv[1] + "/s.arrow", sys.argv[1] + "/scratch", ids, lambda todo: each_clip(todo, make), "zstd")
"""


def test_a_killed_shard_goes_on_and_gives_the_same_bytes(tmp_path):
    killed, whole = tmp_path / "killed", tmp_path / "whole"
    for folder in (killed, whole):
        folder.mkdir()
    first = subprocess.run([sys.executable, "-c", KILLED, str(killed), "5"], check=False)
    assert first.returncode == -signal.SIGKILL
    assert not (killed / "s.arrow").exists()
    subprocess.run([sys.executable, "-c", KILLED, str(killed), "-1"], check=True)
    subprocess.run([sys.executable, "-c", KILLED, str(whole), "-1"], check=True)
    assert (killed / "made.txt").read_text().split() == list("abcdefgh")
    assert (killed / "s.arrow").read_bytes() == (whole / "s.arrow").read_bytes()
    assert sorted(os.listdir(killed)) == ["made.txt", "s.arrow"]


def test_a_clip_that_is_not_produced_is_an_error(tmp_path):
    with pytest.raises(RuntimeError, match="'b'"):
        build_shard(tmp_path / "s", tmp_path / "t", ["a", "b"], lambda todo: [("a", np.zeros((1, 1)))], "raw")


def test_each_clip_passes_reasons_on():
    def make(clip_id):
        if clip_id == "b":
            raise UnusableClip("no")
        return np.zeros((1, 1))

    made = dict(each_clip(["a", "b"], make))
    assert isinstance(made["b"], UnusableClip)
    assert made["a"].shape == (1, 1)
