import os
import re

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from microgesture.cli import main
from microgesture.errors import InputError
from microgesture.storage.checksums import is_whole
from microgesture.storage.files import write_csv, write_json
from microgesture.storage.integrity import find_damage, result_files
from microgesture.storage.parquet import write_parquet
from microgesture.storage.shards import write_shard

FRAMES = np.random.default_rng(0).integers(0, 200, (4, 30)).astype(np.uint8)
HOUR = 3600 * 10**9


@pytest.fixture
def results(tmp_path):
    """A folder of results with two shards of two clips, a table and two texts."""
    for shard in ("0000", "0001"):
        clips = [(f"{shard}_left", FRAMES), (f"{shard}_right", FRAMES[::-1])]
        write_shard(tmp_path / f"results/rgb/mine/{shard}.arrow", clips, "raw")
    write_parquet(tmp_path / "results/clips/mine.parquet", pa.table({"clip_id": ["a"]}))
    write_json(tmp_path / "results/streams/rgb/card.json", {"best": 1})
    write_csv(tmp_path / "results/quarantine.csv", pd.DataFrame({"clip_id": ["a"], "reason": ["two\nlines"]}))
    return tmp_path / "results"


def flip(path, at):
    """Change a byte as a failing disk does: without a new time."""
    times, content = path.stat(), bytearray(path.read_bytes())
    content[at] ^= 1
    path.write_bytes(content)
    os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))


def frame_of(path, frame):
    return path.read_bytes().index(frame.tobytes())


def verify(*arguments):
    """The exit code of the command."""
    with pytest.raises(SystemExit) as ended:
        main(["verify", *map(str, arguments)])
    return ended.value.code


def test_whole_results_are_said_to_be_whole(results, capsys):
    assert verify(results) == 0
    assert "5 files" in (printed := capsys.readouterr().out)
    assert "5 whole, 0 damaged" in printed


def test_the_shard_and_the_clip_of_a_flipped_byte_are_named(results, capsys):
    shard = results / "rgb/mine/0001.arrow"
    flip(shard, frame_of(shard, FRAMES[2]))
    assert find_damage(shard).clips == ("0001_left",)
    assert verify(results) == 1
    printed = re.sub(r"\s+", " ", capsys.readouterr().out)
    assert "4 whole, 1 damaged" in printed
    assert "0001_left" in printed
    assert "0001_right" not in printed
    assert f"snakemake --cores 8 results/rgb/mine/0001.arrow --directory {results.parent}" in printed
    assert shard.exists(), "nothing is removed unasked"


def test_a_flipped_byte_in_the_list_of_clips_costs_the_shard(results):
    shard = results / "rgb/mine/0000.arrow"
    flip(shard, shard.read_bytes().rindex(b"0000_right"))
    assert find_damage(shard).reason.startswith("the list of its clips is damaged")


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("streams/rgb/card.json", b'{"best": 1', "cannot be read"),
        ("quarantine.csv", b"clip_id,reason\na,why,too\n", "rows of different lengths"),
        ("quarantine.csv", b"clip_id,reason\na,\xff\n", "cannot be read"),
        ("clips/mine.parquet", b"", "no checksum"),
        ("rgb/mine/0000.arrow", b"ARROW1", "no checksum"),
        ("streams/rgb/model.safetensors", b"\x10", "no checksum and cannot be read"),
        ("ablation.md", b"| name | accu", "cut off"),
        ("report.html", b"<!DOCTYPE html>\n<p>", "cut off"),
        ("views/mine/a.png", b"\x89PNG\r\n", "cannot be read"),
        ("predictions/a.mp4", b"\x00\x00", "cannot be read"),
        ("recogniser/SHA256SUMS", f"{'0' * 64}  SHA256SUMS\n".encode(), "has changed"),
    ],
)
def test_other_damage_is_found_too(results, name, content, reason):
    (results / name).parent.mkdir(parents=True, exist_ok=True)
    (results / name).write_bytes(content)
    assert results / name in result_files(results)
    assert reason in find_damage(results / name).reason


@pytest.mark.parametrize("name", ["clips/mine.parquet", "rgb/mine/0001.arrow"])
def test_a_file_that_was_cut_off_is_certainly_damaged_and_removed(results, name):
    content = (results / name).read_bytes()
    (results / name).write_bytes(content[: len(content) // 2])
    assert verify(results, "--remove") == 1
    assert not (results / name).exists()
    assert verify(results) == 0


def test_names_are_plain_text(tmp_path, capsys, results):
    folder = tmp_path / "[lab] x"
    folder.mkdir()
    named = (results / "rgb").rename(folder / "results") / "[/x] [red]\x1b[2J:smile:.json"
    named.parent.mkdir()
    named.write_text("{")
    assert verify(folder / "results", "--remove") == 1
    assert not named.exists()
    printed = re.sub(r"\s+", "", capsys.readouterr().out)
    assert r"[/x][red]\x1b[2J:smile:.json" in printed
    assert f"--directory'{folder}'".replace(" ", "") in printed


def test_what_one_job_makes_is_removed_and_made_again_as_a_whole(results, capsys):
    for name in ("views/mine/a.png", "recogniser/recogniser.json", "predictions/talk.html"):
        (results / name).parent.mkdir(parents=True)
        (results / name).write_text("?")
    (results / "views/mine/views.csv").write_text("clip_id\na\n")
    (results / "predictions/talk.csv").write_text("class\nwave\n")
    assert verify(results, "--remove") == 1
    targets = ("views/mine", "recogniser", "predictions/talk.csv")
    assert not any((results / target).exists() for target in targets)
    printed = capsys.readouterr().out.split()
    assert all(f"results/{target}" in printed for target in targets)


def test_a_file_that_may_be_the_users_own_is_kept(results, capsys):
    own = {results / "notes.md": "no line break at the end", results / "mine/table.csv": "a,b\n1\n"}
    for path, text in own.items():
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
    assert verify(results, "--remove") == 1
    for path, text in own.items():
        assert not path.exists()
        assert path.with_name(f".{path.name}.damaged").read_text() == text
    assert ".notes.md.damaged" in re.sub(r"\s+", "", capsys.readouterr().out)
    assert verify(results) == 0


def test_results_on_another_disk_are_verified_and_links_to_folders_stay(results, tmp_path):
    (results / "rgb").rename(tmp_path / "disk")
    (results / "rgb").symlink_to(tmp_path / "disk")
    (tmp_path / "disk/again").symlink_to(results)  # a loop
    shard = results / "rgb/mine/0001.arrow"
    assert shard in result_files(results)
    assert len(result_files(results)) == 5
    flip(shard, frame_of(shard, FRAMES[0]))
    elsewhere = tmp_path / "exported"
    elsewhere.mkdir()
    (elsewhere / "recogniser.json").write_text("?")
    (results / "recogniser").symlink_to(elsewhere)
    assert verify(results, "--remove") == 1
    assert not shard.exists()
    assert elsewhere.is_dir()
    assert verify(results) == 0


def test_only_damaged_files_are_removed_and_not_those_that_nobody_can_judge(results, capsys):
    old, damaged = results / "scores/rgb/val.parquet", results / "clips/mine.parquet"
    old.parent.mkdir(parents=True)
    pd.DataFrame({"clip_id": ["a"]}).to_parquet(old)
    flip(damaged, 40)
    assert verify(results, "--remove") == 1
    assert not damaged.exists()
    assert old.exists()
    assert "4 whole, 1 damaged, 1 without a checksum" in re.sub(r"\s+", " ", capsys.readouterr().out)


def test_a_file_that_is_made_again_as_it_was_has_the_old_time_again(results):
    shard = results / "rgb/mine/0000.arrow"
    whole, before = shard.read_bytes(), shard.stat().st_mtime_ns - HOUR
    os.utime(shard, ns=(before, before))
    flip(shard, frame_of(shard, FRAMES[0]))
    verify(results, "--remove")
    shard.write_bytes(whole)
    assert verify(results) == 0
    assert shard.stat().st_mtime_ns == before
    assert sorted(os.listdir(shard.parent)) == ["0000.arrow", "0001.arrow"]


def test_a_file_that_is_made_again_otherwise_is_as_new_as_it_is(results):
    shard = results / "rgb/mine/0000.arrow"
    before = shard.stat().st_mtime_ns - HOUR
    os.utime(shard, ns=(before, before))
    flip(shard, frame_of(shard, FRAMES[0]))
    verify(results, "--remove")
    write_shard(shard, [("0000_left", FRAMES + 1), ("0000_right", FRAMES)], "raw")
    assert verify(results) == 0
    assert shard.stat().st_mtime_ns > before
    assert sorted(os.listdir(shard.parent)) == ["0000.arrow", "0001.arrow"]


def test_unfinished_work_logs_and_drawn_corpora_are_no_results(results):
    for name in ("rgb/mine/.scratch/0000/hand/000000.arrow", "demo/mine/a.csv", "logs/a.json"):
        (results / name).parent.mkdir(parents=True, exist_ok=True)
        (results / name).touch()
    os.mkfifo(results / "pipe.csv")
    assert len(result_files(results)) == 5
    assert all(is_whole(path) for path in result_files(results) if path.suffix == ".arrow")


def test_a_folder_without_results_is_an_error(tmp_path):
    with pytest.raises(InputError, match="there are no results"):
        result_files(tmp_path)
