import errno
import shutil
import subprocess
import sys

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
import torch

from microgesture.storage.disk import DiskFull, disk_room
from microgesture.storage.files import replacing, write_csv, write_text
from microgesture.storage.parquet import write_parquet
from microgesture.storage.shards import Shard, build_shard, each_clip, write_shard
from microgesture.streams.train import save_state
from microgesture.streams.weights import About, save_weights

MIB = 2**20
NOISE = np.random.default_rng(0).random(MIB // 4)  # 2 MiB that nothing compresses


@pytest.fixture
def small_disk(tmp_path):
    """A real file system of 1 MiB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(folder)]
    if shutil.which("mount") is None or (done := subprocess.run(mount, capture_output=True, text=True)).returncode:
        pytest.skip(f"a small disk cannot be mounted here: {done.stderr.strip() or 'no mount command'}")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def large_weights(path):
    save_weights(path, {"a": torch.from_numpy(NOISE)}, About("s", ("rgb",), ("x",)))


def large_state(path):
    save_state(path, {"network": torch.nn.Linear(1, 1)}, {"best": {"a": torch.from_numpy(NOISE)}, "history": []})


@pytest.mark.parametrize(
    "write",
    [
        pytest.param(lambda path: write_text(path, "x" * 2 * MIB), id="text"),
        pytest.param(lambda path: write_csv(path, pd.DataFrame({"a": NOISE})), id="csv"),
        pytest.param(lambda path: write_shard(path, [("a", NOISE)], "raw"), id="shard"),
        pytest.param(lambda path: write_parquet(path, pa.table({"a": NOISE})), id="table"),
        pytest.param(large_weights, id="weights"),
        pytest.param(large_state, id="training state"),
    ],
)
def test_a_full_disk_leaves_the_old_file_and_says_what_is_needed(small_disk, write):
    path = small_disk / "result"
    path.write_text("old")
    with pytest.raises(
        DiskFull, match=r"result cannot be written: its disk has 1\.0 MB free, and it needs .*[1-5]\.\d MB"
    ):
        write(path)
    assert path.read_text() == "old"
    assert [file.name for file in small_disk.rglob("*")] == ["result"]


def test_a_disk_that_fills_up_in_the_middle_of_a_shard_costs_no_finished_clip(small_disk, tmp_path):
    made = []

    def make(clip_id):
        made.append(clip_id)
        return np.full((3, 20000), ord(clip_id), np.uint8)

    folder = small_disk / "results"
    build = folder / "0000.arrow", folder / "scratch", list("abcdefgh"), lambda todo: each_clip(todo, make), "raw"
    in_the_way = small_disk / "other"
    in_the_way.write_bytes(bytes(MIB * 3 // 4))
    with pytest.raises(DiskFull):
        build_shard(*build)
    finished = len(list((folder / "scratch").glob("*.arrow")))
    assert 0 < finished < 8
    in_the_way.unlink()
    build_shard(*build)
    assert sorted(made) == sorted([*"abcdefgh", made[finished]])
    assert Shard(folder / "0000.arrow").read("h").tolist() == [[ord("h")] * 20000] * 3


def test_the_command_says_it_in_a_sentence_even_where_its_log_is_on_that_disk(small_disk, tmp_path):
    rgb = tmp_path / "rgb" / "corpus" / "0.arrow"  # the folders name the modality and the corpus
    rgb.parent.mkdir(parents=True)
    write_shard(rgb, [("a", np.zeros((40, 64, 64, 3), np.uint8))], "jpeg")
    (small_disk / "other").write_bytes(bytes(MIB - 8192))
    files = ["--log", small_disk / "log", "taylor", rgb, "--output", small_disk / "0.arrow"]
    command = [sys.executable, "-m", "microgesture", *map(str, files)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "cannot be written: its disk has" in done.stderr
    assert "Traceback" not in done.stderr
    assert not list(small_disk.rglob("*.arrow"))


def test_a_quota_that_is_used_up_is_called_one(tmp_path):
    sentence = r"f cannot be written: the quota there is used up, and it needs 5 bytes\."
    with pytest.raises(DiskFull, match=sentence), disk_room(tmp_path / "f", 5):
        raise OSError(errno.EDQUOT, "quota exceeded")


def test_a_file_that_cannot_fit_is_not_begun(tmp_path):
    with pytest.raises(DiskFull, match=r"and it needs 1\.0 EB"), replacing(tmp_path / "f", 10**18):
        raise AssertionError("begun")
    assert not list(tmp_path.iterdir())


def test_other_errors_stay_what_they_are(tmp_path):
    with pytest.raises(PermissionError), disk_room(tmp_path / "f"):
        raise PermissionError(errno.EACCES, "no")
