import mmap
import zlib

import numpy as np
import pyarrow as pa
import pytest
import torch

from microgesture.errors import InputError, UnusableClip
from microgesture.storage.checksums import OPEN, is_whole, seal, sealed_checksum
from microgesture.storage.parquet import read_parquet, write_parquet
from microgesture.storage.shards import Shard, build_shard, each_clip, write_shard
from microgesture.streams.weights import About, load_weights, save_weights

RANDOM = np.random.default_rng(0)
CLIPS = {f"clip_{number}": RANDOM.integers(0, 200, (3, 4, 2)).astype(np.int16) for number in range(3)}


def flipped(content, at, bit=0):
    return content[:at] + bytes([content[at] ^ 1 << bit]) + content[at + 1 :]


def three_clips(path):
    write_shard(path, [*CLIPS.items(), ("bad", UnusableClip("its video ends"))], "zstd")
    return path


def a_table(path):
    write_parquet(path, pa.table({"clip_id": ["a", "b"], "value": [1.5, None]}), {"about": "two clips"})
    return path


def some_weights(path):
    save_weights(path, {"head.weight": torch.arange(6.0).reshape(2, 3)}, About("s", ("joint",), ("left", "right")))
    return path


@pytest.mark.parametrize("write", [three_clips, a_table, some_weights])
def test_every_flipped_byte_is_found(tmp_path, write):
    path = write(tmp_path / "result")
    whole = path.read_bytes()
    assert is_whole(path)
    with open(path, "r+b") as file, mmap.mmap(file.fileno(), 0) as content:
        for at in range(len(whole)):
            content[at] ^= 1 << at % 8
            assert not is_whole(path), f"byte {at}"
            content[at] = whole[at]
    assert is_whole(path)


@pytest.mark.parametrize("write", [three_clips, a_table, some_weights])
def test_equal_results_have_equal_bytes(tmp_path, write):
    assert write(tmp_path / "one").read_bytes() == write(tmp_path / "other").read_bytes()


def test_the_checksum_is_that_of_the_file_with_zeros_in_its_place(tmp_path):
    path = tmp_path / "file"
    before = f"twice {OPEN}, {OPEN} and the end".encode()
    path.write_bytes(before)
    seal(path)
    assert sealed_checksum(path) == f"{zlib.crc32(before):08x}"
    assert path.read_bytes().count(sealed_checksum(path).encode()) == 2
    assert is_whole(path)


@pytest.mark.parametrize("content", [b"", b"somebody else's file"])
def test_a_file_without_a_checksum_is_not_judged(tmp_path, content):
    (tmp_path / "file").write_bytes(content)
    assert is_whole(tmp_path / "file") is None


def test_a_damaged_shard_never_gives_wrong_frames(tmp_path):
    path = three_clips(tmp_path / "s.arrow")
    whole = path.read_bytes()
    refused = 0
    for at in range(0, len(whole), 5):
        path.write_bytes(flipped(whole, at, at % 8))
        try:
            shard = Shard(path)
        except InputError:
            refused += 1
            continue
        assert shard.clip_ids == [*CLIPS, "bad"]
        assert shard.reasons == {"bad": "its video ends"}
        for clip_id, written in CLIPS.items():
            if shard.damage(clip_id) is None:
                np.testing.assert_array_equal(shard.read(clip_id), written)
            else:
                refused += 1
                with pytest.raises(InputError, match=rf"s\.arrow is damaged in clip {clip_id}"):
                    shard.read(clip_id)
    assert refused > len(whole) / 10


def test_a_flipped_byte_is_named_with_its_clip_and_frame_and_costs_no_other_frame(tmp_path):
    path = three_clips(tmp_path / "s.arrow")
    at = path.read_bytes().index(pa.compress(CLIPS["clip_1"][2].tobytes(), codec="zstd", asbytes=True))
    path.write_bytes(flipped(path.read_bytes(), at + 20))
    shard = Shard(path)
    with pytest.raises(InputError, match="damaged in clip clip_1, frame 2"):
        shard.read("clip_1")
    np.testing.assert_array_equal(shard.read("clip_1", [1, 0]), CLIPS["clip_1"][[1, 0]])
    assert [clip_id for clip_id in shard.clip_ids if shard.damage(clip_id)] == ["clip_1"]


def test_a_shard_from_before_checksums_is_told(tmp_path):
    schema = pa.schema([("frame", pa.binary())], {"clips": "[]"})
    with pa.ipc.new_file(str(tmp_path / "old.arrow"), schema):
        pass
    with pytest.raises(InputError, match=r"old\.arrow was made before shards had checksums; delete it"):
        Shard(tmp_path / "old.arrow")


def test_a_damaged_part_of_an_unfinished_shard_is_made_again(tmp_path):
    made = []

    def make(clip_id):
        made.append(clip_id)
        if len(made) == 3:
            raise KeyboardInterrupt
        return CLIPS[clip_id]

    build = tmp_path / "s.arrow", tmp_path / "scratch", list(CLIPS), lambda todo: each_clip(todo, make), "zstd"
    with pytest.raises(KeyboardInterrupt):
        build_shard(*build)
    part = min((tmp_path / "scratch").rglob("*.arrow"))  # of clip_0, by its digest
    part.write_bytes(flipped(part.read_bytes(), part.stat().st_size // 2))
    build_shard(*build)
    assert made == ["clip_0", "clip_1", "clip_2", "clip_0", "clip_2"]
    np.testing.assert_array_equal(Shard(tmp_path / "s.arrow").read("clip_0"), CLIPS["clip_0"])


def test_damaged_tables_and_weights_are_refused(tmp_path):
    for path, read in ((a_table(tmp_path / "t.parquet"), read_parquet), (some_weights(tmp_path / "w"), load_weights)):
        read(path)
        path.write_bytes(flipped(path.read_bytes(), path.stat().st_size // 2))
        with pytest.raises(InputError, match=f"{path.name} is damaged: it has changed since it was written"):
            read(path)


def test_a_file_that_is_no_table_is_named(tmp_path):
    (tmp_path / "t.parquet").write_text("hello")
    with pytest.raises(InputError, match=r"t\.parquet is not a Parquet file"):
        read_parquet(tmp_path / "t.parquet")
