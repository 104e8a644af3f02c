import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml

from fixtures.project import TINY
from microgesture.config.whole import load_config
from microgesture.errors import InputError
from microgesture.workflow.claims import claimed_gpus, largest_shard, shard_memory, shard_minutes, training_memory
from microgesture.workflow.commands import claimed_threads
from microgesture.workflow.health import stored_listings


def configured(**keys):
    return load_config(yaml.safe_load(yaml.safe_dump(TINY)) | keys)


def list_clips(folder, name, *counts):
    (folder / "listed" / name).mkdir(parents=True)
    for shard, count in enumerate(counts):
        clips = [f"clip {number}" for number in range(count)]
        pq.write_table(pa.table({"clip_id": clips}), folder / "listed" / name / f"{shard:04d}.parquet")


def test_before_the_clips_are_listed_a_drawn_corpus_is_known_from_its_settings(tmp_path):
    assert largest_shard(configured(), tmp_path) == (16 + 8 + 8) / 2


def test_before_the_clips_are_listed_nobody_knows_how_many_a_corpus_on_disk_has(tmp_path):
    on_disk = {"imigue": {"format": "miga", "root": str(tmp_path)}}
    assert largest_shard(configured(corpora=on_disk), tmp_path) is None


def test_a_listing_that_was_cut_off_is_named(tmp_path):
    (tmp_path / "listed" / "imigue").mkdir(parents=True)
    (tmp_path / "listed" / "imigue" / "0000.parquet").write_bytes(b"PAR1")
    with pytest.raises(InputError, match=r"0000\.parquet is damaged.*verify --remove"):
        largest_shard(configured(), tmp_path)
    (finding,) = stored_listings(configured(), tmp_path)
    assert finding.stops


def test_once_they_are_listed_the_largest_shard_of_any_corpus_counts(tmp_path):
    corpora = {"imigue": TINY["corpora"]["imigue"], "ma52": {"format": "ma52", "root": str(tmp_path)}}
    list_clips(tmp_path, "imigue", 2, 3)
    assert largest_shard(configured(corpora=corpora), tmp_path) == 3
    list_clips(tmp_path, "ma52", 7, 40)
    assert largest_shard(configured(corpora=corpora), tmp_path) == 40


@pytest.mark.parametrize("attempt", [1, 2, 3])
def test_claims_grow_with_the_shard_and_with_each_attempt(attempt):
    assert shard_minutes(0, 10, attempt) > 0
    assert shard_minutes(600, 10, attempt) - shard_minutes(0, 10, attempt) == 100 * attempt
    assert shard_memory(500, attempt) - shard_memory(0, attempt) == 500 * attempt
    assert shard_memory(500, attempt + 1) > shard_memory(500, attempt)


def test_a_training_claims_what_it_keeps_and_what_reads_beside_it():
    plain = training_memory(configured(memory=0, workers=0), 1)
    assert training_memory(configured(memory=4, workers=0), 1) == plain + 4 * 1024
    assert training_memory(configured(memory=0, workers=3, devices=2), 1) > 2 * plain
    assert training_memory(configured(memory=0, workers=0), 3) == 3 * plain


@pytest.mark.parametrize(
    ("device", "local", "here", "claimed"),
    [
        ("cpu", True, True, 0),
        ("auto", True, False, 0),
        ("auto", True, True, 2),
        ("auto", False, False, 2),  # a login node without a GPU
        ("cuda", True, False, 2),
    ],
)
def test_a_job_claims_gpus_only_where_it_can_have_them(monkeypatch, device, local, here, claimed):
    monkeypatch.setattr("microgesture.workflow.claims.has_gpu", lambda: here)
    assert claimed_gpus(configured(device=device), 2, local) == claimed


def test_a_training_claims_threads_for_each_device_and_the_processes_that_read_for_it():
    assert claimed_threads(configured(threads=2, workers=3, devices=2), None) == 10
