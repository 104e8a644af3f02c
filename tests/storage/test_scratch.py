import os
import signal
import tempfile
import time
from multiprocessing import get_context

import pytest

from microgesture.storage.scratch import PREFIX, temporary_folder


@pytest.fixture(autouse=True)
def temporary_files(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


def work(ready):
    with temporary_folder() as folder:
        (folder / "piece.mkv").touch()
        ready.set()
        time.sleep(600)


def test_what_a_killed_process_left_is_removed_and_what_another_uses_is_not(temporary_files):
    context = get_context("fork")
    signs = [context.Event(), context.Event()]
    jobs = [context.Process(target=work, args=(sign,)) for sign in signs]
    for job, sign in zip(jobs, signs, strict=True):
        job.start()
        sign.wait(60)
    killed, running = jobs
    os.kill(killed.pid, signal.SIGKILL)
    killed.join()
    assert len(list(temporary_files.iterdir())) == 2
    with temporary_folder() as own:
        left = set(temporary_files.iterdir())
        assert len(left) == 2
        assert own in left
        assert all(list(folder.iterdir()) for folder in left - {own})
    running.kill()
    running.join()
    assert not own.exists()


def test_links_and_files_and_folders_of_others_stay(temporary_files):
    kept = temporary_files / "kept"
    kept.mkdir()
    (kept / "video.mp4").touch()
    (temporary_files / f"{PREFIX}link").symlink_to(kept)
    (temporary_files / f"{PREFIX}file").touch()
    if os.geteuid() == 0:
        (temporary_files / f"{PREFIX}other").mkdir()
        os.chown(temporary_files / f"{PREFIX}other", 12345, 12345)
    before = sorted(temporary_files.rglob("*"))
    with temporary_folder():
        pass
    assert sorted(temporary_files.rglob("*")) == before


def test_many_at_once_never_lose_their_folder(temporary_files):
    context = get_context("fork")
    jobs = [context.Process(target=keep_on) for _ in range(6)]
    for job in jobs:
        job.start()
    for job in jobs:
        job.join(60)
    assert [job.exitcode for job in jobs] == [0] * 6
    assert not list(temporary_files.iterdir())


def keep_on():
    for _ in range(50):
        with temporary_folder() as folder:
            (folder / "piece").touch()
            time.sleep(0.001)
            assert (folder / "piece").exists()
