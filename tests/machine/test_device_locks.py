import logging
import os
import random
import signal
import stat
import time
from multiprocessing import get_context
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

import microgesture.machine.gpus as gpus
from microgesture.errors import InputError
from microgesture.machine.device_locks import held, locks_folder
from microgesture.machine.resources import Resources

FOUR = ("a", "b", "c", "d")


def work(folder: Path, seed: int, count: int) -> None:
    """Hold some devices a few times, and note each on a file that must not be there yet."""
    generator = random.Random(seed)
    for _ in range(5):
        with held(FOUR, count, folder, pause=0.01) as places:
            assert len(set(places)) == count
            marks = [folder / f"{FOUR[place]}.in_use" for place in places]
            for mark in marks:
                mark.touch(exist_ok=False)
            time.sleep(generator.uniform(0, 0.02))
            for mark in marks:
                mark.unlink()


def test_jobs_side_by_side_never_hold_the_same_device_and_all_get_theirs(tmp_path):
    context = get_context("fork")
    jobs = [context.Process(target=work, args=(tmp_path, seed, 1 + seed % 4)) for seed in range(8)]
    for job in jobs:
        job.start()
    for job in jobs:
        job.join(60)
    assert [job.exitcode for job in jobs] == [0] * 8


def test_the_first_free_ones_are_taken(tmp_path):
    with held(FOUR, 2, tmp_path) as first:
        with held(FOUR, 1, tmp_path) as second, held(("d", "c"), 1, tmp_path) as other_order:
            assert (first, second, other_order) == ((0, 1), (2,), (0,))
        with held(FOUR, 2, tmp_path) as again:
            assert again == (2, 3)


def hold(folder: Path, count: int, ready) -> None:
    with held(FOUR, count, folder):
        ready.set()
        time.sleep(600)


def test_a_job_waits_with_one_line_until_a_killed_one_has_let_go(tmp_path, caplog, monkeypatch):
    context = get_context("fork")
    ready = context.Event()
    job = context.Process(target=hold, args=(tmp_path, 3, ready))
    job.start()
    ready.wait()
    with held(FOUR, 1, tmp_path):
        pass
    assert not caplog.records

    def kill(seconds):  # once it waits; a process that is ending lets go of one lock after the other
        os.kill(job.pid, signal.SIGKILL)
        job.join()

    monkeypatch.setattr(time, "sleep", kill)
    with caplog.at_level(logging.WARNING), held(FOUR, 2, tmp_path, pause=0.01) as places:
        assert places == (0, 1)
    assert [record.getMessage() for record in caplog.records] == [
        "waiting for 2 of the devices a, b, c, d: other jobs use them"
    ]


def test_locks_are_in_a_folder_of_the_user_alone(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    folder = locks_folder()
    with held(FOUR, 1, folder):
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert folder.is_relative_to(tmp_path)


def test_a_link_at_the_name_of_the_folder_is_neither_followed_nor_changed(tmp_path):
    target, folder = tmp_path / "target", tmp_path / "locks"
    target.mkdir(0o755)
    folder.symlink_to(target)
    with pytest.raises(InputError, match="not a folder of this user"), held(FOUR, 1, folder):
        pass
    assert not list(target.iterdir())
    assert stat.S_IMODE(target.stat().st_mode) == 0o755


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a folder to another user")
def test_a_folder_of_another_user_is_named(tmp_path):
    folder = tmp_path / "locks"
    folder.mkdir()
    os.chown(folder, 12345, 12345)
    with pytest.raises(InputError, match=f"{folder}.*XDG_CACHE_HOME"), held(FOUR, 1, folder):
        pass


def test_a_folder_that_cannot_be_made_is_named(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match="XDG_CACHE_HOME"), held(FOUR, 1, tmp_path / "file" / "locks"):
        pass


def see(monkeypatch, folder, *uuids):
    """Let torch see GPUs, by the numbers in which CUDA_VISIBLE_DEVICES has them."""
    monkeypatch.setattr(gpus, "locks_folder", lambda: folder)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: bool(uuids))
    monkeypatch.setattr(torch.cuda, "device_count", lambda: len(uuids))
    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda number: SimpleNamespace(uuid=uuids[number]))


def test_gpus_are_known_by_what_they_are_and_not_by_their_number(monkeypatch, tmp_path):
    see(monkeypatch, tmp_path, "one", "two", "three")
    with gpus.held_gpus("auto") as first, gpus.held_gpus("cuda") as second:
        assert (first, second) == ((0,), (1,))
        see(monkeypatch, tmp_path, "three", "two")
        with gpus.held_gpus("cuda") as third:
            assert third == (0,)
    with gpus.held_gpus("cuda", 2) as both:
        assert both == (0, 1)


def test_what_slurm_has_given_to_a_job_is_not_locked(monkeypatch, tmp_path):
    see(monkeypatch, tmp_path / "locks", "one", "two")
    monkeypatch.setenv("SLURM_JOB_GPUS", "4,5")
    with gpus.held_gpus("cuda", 2) as all_of_them:
        assert all_of_them == (0, 1)
    assert not (tmp_path / "locks").exists()
    with gpus.held_gpus("cuda") as first, gpus.held_gpus("cuda") as second:
        assert (first, second) == ((0,), (1,))


def test_a_job_on_the_cpu_holds_nothing_and_too_many_are_refused(monkeypatch, tmp_path):
    see(monkeypatch, tmp_path)
    for device in ("cpu", "auto"):
        with gpus.held_gpus(device, 4) as none:
            assert none == ()
    with pytest.raises(InputError, match="torch finds no GPU here"), gpus.held_gpus("cuda"):
        pass
    see(monkeypatch, tmp_path, "one", "two")
    with pytest.raises(InputError, match="devices is 3, but only 2 GPUs are here"), gpus.held_gpus("cuda", 3):
        pass
    with gpus.held_gpus("cpu") as none:
        assert none == ()
    assert not list(tmp_path.iterdir())


def test_a_training_runs_on_the_gpus_it_holds(monkeypatch, tmp_path):
    see(monkeypatch, tmp_path, "one", "two", "three")
    current = []
    monkeypatch.setattr(torch.cuda, "set_device", current.append)
    machine = Resources("cuda", devices=2, gpus=(2, 1))
    assert [str(machine.prepare(rank)) for rank in (0, 1)] == ["cuda:2", "cuda:1"]
    assert current == [2, 1]
