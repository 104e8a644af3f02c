"""Clips of earlier shards are used again exactly if nothing that they are made from has changed."""

import os

import numpy as np
import pytest

from microgesture.errors import UnusableClip
from microgesture.storage.earlier import reusing
from microgesture.storage.shards import Shard, build_shard


def make(output, sources, made, version=0):
    """Make a shard of one frame a clip; return the clips that were really made."""
    produced = []

    def produce(todo):
        for clip_id in todo:
            produced.append(clip_id)
            yield clip_id, UnusableClip("broken") if clip_id in made else np.full((2, 3), version, np.int16)

    scratch = output.parent / ".scratch" / output.stem / "stamp"
    output.parent.mkdir(parents=True, exist_ok=True)
    with reusing(output, scratch, sources):
        build_shard(output, scratch, list(sources), produce, "zstd")
    return produced


def values(path):
    shard = Shard(path)
    return {clip_id: int(shard.read(clip_id)[0, 0]) for clip_id in shard.clip_ids}


@pytest.fixture
def shard(tmp_path):
    path = tmp_path / "flow/mine/0000.arrow"
    assert make(path, {"a": "1", "b": "1"}, ()) == ["a", "b"]
    path.unlink()  # as Snakemake does before a job
    return path


def test_only_new_and_changed_clips_are_made(shard):
    assert make(shard, {"a": "1", "b": "2", "c": "1"}, (), version=7) == ["b", "c"]
    assert values(shard) == {"a": 0, "b": 7, "c": 7}


def test_a_clip_is_taken_from_another_shard(shard):
    other = shard.with_name("0001.arrow")
    assert make(other, {"b": "1", "d": "1"}, (), version=7) == ["d"]
    assert values(other) == {"b": 0, "d": 7}


def test_reused_clips_give_the_same_bytes_as_made_ones(shard, tmp_path):
    make(shard, {"b": "1", "a": "1"}, ())
    fresh = tmp_path / "fresh/mine/0000.arrow"
    make(fresh, {"b": "1", "a": "1"}, ())
    assert shard.read_bytes() == fresh.read_bytes()


def test_a_clip_that_could_not_be_made_is_tried_again(tmp_path):
    path = tmp_path / "flow/mine/0000.arrow"
    make(path, {"a": "1", "b": "1"}, {"b"})
    path.unlink()
    assert make(path, {"a": "1", "b": "1"}, ()) == ["b"]


@pytest.mark.parametrize("damaged", ["0000.arrow", "0000.json"])
def test_a_damaged_earlier_shard_is_not_used(shard, damaged):
    path = shard.parent / ".earlier" / damaged
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 255
    path.write_bytes(content)
    made = make(shard, {"a": "1", "b": "1"}, (), version=7)
    assert values(shard) == {clip: 7 if clip in made else 0 for clip in ("a", "b")}
    if damaged.endswith("json"):
        assert made == ["a", "b"]


def test_a_note_of_another_version_of_the_shard_is_not_believed(shard):
    note = shard.parent / ".earlier/0000.json"
    before = note.read_text()
    make(shard, {"a": "2", "b": "2"}, (), version=7)
    note.write_text(before)
    shard.unlink()
    assert make(shard, {"a": "1", "b": "1"}, (), version=8) == ["a", "b"]


def test_a_kill_leaves_no_link_under_another_name(shard, monkeypatch):
    link = os.link

    def killed(*paths):
        link(*paths)
        raise SystemExit

    monkeypatch.setattr(os, "link", killed)
    with pytest.raises(SystemExit):
        make(shard, {"a": "2"}, ())
    assert {path.name for path in (shard.parent / ".earlier").iterdir()} <= {"0000.arrow", "0000.json"}


def test_nothing_is_kept_or_taken_without_sources(shard):
    def produce(todo):
        return ((clip_id, np.zeros((1, 1), np.int16)) for clip_id in todo)

    with reusing(shard, shard.parent / ".scratch", {}):
        build_shard(shard, shard.parent / ".scratch", ["a"], produce, "zstd")
    assert not list((shard.parent / ".earlier").iterdir())
