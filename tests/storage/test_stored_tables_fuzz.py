"""Damaged Parquet tables and Arrow shards: what was written comes back, or the file is refused by name."""

import re

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

from fixtures.mutations import attempt, damaged, fuzz, fuzzed
from microgesture.errors import InputError
from microgesture.storage.checksums import OPEN, seal
from microgesture.storage.clips import SCHEMA, Clips, read_clips, write_clips
from microgesture.storage.scores import Scores, read_predictions, read_scores, write_predictions, write_scores
from microgesture.storage.shards import Shard, write_shard

LOGITS = np.random.default_rng(0).normal(size=(6, 32)).astype(np.float32)
MARK = OPEN.encode()[:-8]  # what a checksum stands behind
IDS = [f"0054_{row}" for row in range(6)]
FRAMES = {"a": np.arange(60, dtype=np.int16).reshape(5, 4, 3), "b": np.ones((3, 2, 2), np.uint8)}


def clips_table(path):
    rows = pd.DataFrame({"clip_id": IDS, "corpus": "x", "recording": "0054", "split": "train", "status": "ok"})
    counts = dict.fromkeys(("start", "video_start", "skeleton_start", "shard"), 0) | {"end": range(6), "n_frames": 1}
    rows = rows.assign(**counts, label=pd.array(range(6), "Int32"), fps=np.float32(25))
    write_clips(path, Clips(rows.reindex(columns=SCHEMA.names), tuple("abcdefgh"), tuple("12345678")))


def clips_read(path):
    clips = read_clips(path)
    rows = clips.table.astype(object)
    return rows.where(rows.notna(), None).to_dict("records"), clips.classes, clips.targets


def scores_read(path):
    scores = read_scores(path)
    return {
        clip_id: log_probabilities.tolist() for clip_id, log_probabilities in scores.log_probabilities.items()
    }, scores.reasons


def predictions_read(path):
    return {clip_id: (said.probabilities_K.tolist(), said.streams) for clip_id, said in read_predictions(path).items()}


def shard_read(path):
    shard = Shard(path)
    usable = [clip_id for clip_id in shard.clip_ids if not shard.reason(clip_id)]
    return {clip_id: shard.read(clip_id).tolist() for clip_id in usable}, shard.reasons


def write_test_scores(path):
    write_scores(path, Scores(dict(zip(IDS[1:], LOGITS[1:], strict=True)), {IDS[0]: "row 1: no video"}))


TABLES = {
    "clips.parquet": (clips_table, clips_read),
    "scores.parquet": (write_test_scores, scores_read),
    "predictions.parquet": (lambda path: write_predictions(path, IDS, LOGITS, np.arange(6)), predictions_read),
    "raw.arrow": (lambda path: write_shard(path, FRAMES.items(), "raw"), shard_read),
    "zstd.arrow": (lambda path: write_shard(path, FRAMES.items(), "zstd"), shard_read),
}


@fuzzed
@pytest.mark.parametrize("name", TABLES)
def test_what_is_read_of_a_damaged_file_is_what_was_written(tmp_path, name, examples):
    path = tmp_path / name
    write, read = TABLES[name]
    write(path)
    written = read(path)

    def check(data):
        path.unlink()  # a shard may still be mapped
        path.write_bytes(data)
        found, refused = attempt(read, path)
        if refused:
            assert name in refused
        else:
            assert found == written

    fuzz(check, damaged(path.read_bytes()), examples)


@fuzzed
@pytest.mark.parametrize("name", TABLES)
def test_a_damaged_file_whose_checksum_does_not_tell_gives_something_or_is_refused_by_name(tmp_path, name, examples):
    path = tmp_path / name
    write, read = TABLES[name]
    write(path)

    def check(data):
        path.unlink()
        path.write_bytes(re.sub(MARK + rb"[0-9a-f]{8}", OPEN.encode(), data))
        if path.stat().st_size:
            seal(path)
        _, refused = attempt(read, path)
        assert refused is None or name in refused

    fuzz(check, damaged(path.read_bytes()), examples)


def test_a_table_without_a_checksum_is_refused(tmp_path):
    path = tmp_path / "scores.parquet"
    write_test_scores(path)
    path.write_bytes(path.read_bytes().replace(MARK, b"nobody's crc32 ok. "))
    with pytest.raises(InputError, match=r"scores\.parquet is no Parquet file of this version"):
        read_scores(path)


def test_a_clips_table_without_its_classes_is_refused(tmp_path):
    clips_table(tmp_path / "clips.parquet")
    whole = pq.read_table(tmp_path / "clips.parquet")
    for metadata in (None, {"microgesture": "{"}, {"microgesture": "[]"}, {"microgesture": '{"classes": ["a"]}'}):
        pq.write_table(whole.replace_schema_metadata({**(metadata or {}), "file": OPEN}), tmp_path / "clips.parquet")
        seal(tmp_path / "clips.parquet")
        with pytest.raises(InputError, match=r"clips\.parquet does not say the names of its classes"):
            read_clips(tmp_path / "clips.parquet")
