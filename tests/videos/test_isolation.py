import ctypes
import logging
import multiprocessing
import os
import signal
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from microgesture.errors import InputError, UnusableClip
from microgesture.storage.disk import DiskFull
from microgesture.videos.isolation import Isolated, ProcessEnded, each_clip_isolated

IDS = ("first", "culprit", "last")


def harmless(clip_id: str) -> np.ndarray:
    return np.full((3, 2), ord(clip_id[0]), np.uint8)


def make_unless(culprit, notes: Path | None = None):
    """A ``start``: clips are made in no time, and for the clip "culprit" something else is done first."""
    if notes is not None:
        with notes.open("a") as file:
            file.write(f"{os.getpid()}\n")

    def make(clip_id: str) -> np.ndarray:
        if clip_id == "culprit":
            culprit()
        return harmless(clip_id)

    return make


def kill_myself():
    os.kill(os.getpid(), signal.SIGKILL)


def crash():
    ctypes.string_at(0)


def leave():
    os._exit(3)


def hang():
    time.sleep(600)


def find_it_unusable():
    raise UnusableClip("culprit: frame 3 is corrupt")


def run_out_of_memory():
    np.empty(2**60, np.uint8)


def have_a_bug():
    raise ZeroDivisionError("what is this clip")


def fill_the_disk():
    raise DiskFull("talk.mp4 cannot be written")


def say_something():
    logging.getLogger("microgesture.somewhere").warning("half of %d", 16)


def refuse():
    raise InputError("depth.model: there is no such folder")


def die_at_the_start():
    kill_myself()


@pytest.mark.parametrize(
    ("culprit", "reason"),
    [
        (kill_myself, r"^culprit: .* was ended by SIGKILL, which the system sends when memory runs out$"),
        (crash, r"^culprit: .* was ended by SIGSEGV$"),
        (leave, r"^culprit: .* ended with exit status 3$"),
    ],
)
def test_a_clip_that_ends_its_process_costs_itself_only(tmp_path, culprit, reason):
    made = list(each_clip_isolated(IDS, partial(make_unless, culprit, tmp_path / "notes")))
    assert [clip_id for clip_id, _ in made] == list(IDS)
    made = dict(made)
    assert isinstance(made["culprit"], UnusableClip)
    with pytest.raises(UnusableClip, match=reason):
        raise made["culprit"]
    for clip_id in ("first", "last"):
        np.testing.assert_array_equal(made[clip_id], harmless(clip_id))
    processes = (tmp_path / "notes").read_text().split()
    assert len(set(processes)) == len(processes) == 2
    assert str(os.getpid()) not in processes


@pytest.mark.parametrize(
    ("culprit", "reason"),
    [(find_it_unusable, "culprit: frame 3 is corrupt"), (run_out_of_memory, "memory ran out: Unable to allocate")],
)
def test_an_unusable_clip_keeps_its_reason_and_the_process_goes_on(tmp_path, culprit, reason):
    made = dict(each_clip_isolated(IDS, partial(make_unless, culprit, tmp_path / "notes")))
    assert reason in str(made["culprit"])
    np.testing.assert_array_equal(made["last"], harmless("last"))
    assert len((tmp_path / "notes").read_text().split()) == 1


def test_a_clip_that_takes_too_long_is_given_up():
    made = dict(each_clip_isolated(IDS, partial(make_unless, hang), seconds=1))
    assert "culprit: the process that worked on it was stopped after 1 s" in str(made["culprit"])
    np.testing.assert_array_equal(made["last"], harmless("last"))


@pytest.mark.parametrize(
    ("start", "message"),
    [(refuse, "^depth.model: there is no such folder$"), (die_at_the_start, "ended by SIGKILL, .* during its start")],
)
def test_a_process_that_cannot_start_is_the_users_to_know(start, message):
    with pytest.raises(InputError, match=message):
        list(each_clip_isolated(IDS, start))


def test_a_bug_is_raised_with_its_place():
    with pytest.raises(RuntimeError, match=r"have_a_bug\n(.*\n)*ZeroDivisionError: what is this clip"):
        list(each_clip_isolated(IDS, partial(make_unless, have_a_bug)))


def test_a_full_disk_is_raised_as_one():
    with pytest.raises(DiskFull, match=r"^talk\.mp4 cannot be written$"):
        list(each_clip_isolated(IDS, partial(make_unless, fill_the_disk)))


def test_what_the_process_logs_is_logged_here(caplog):
    list(each_clip_isolated(IDS, partial(make_unless, say_something)))
    assert ("microgesture.somewhere", logging.WARNING, "half of 16") in caplog.record_tuples


def count_with(pauses: dict[int, float]):
    """A ``start``: counts up to a number, and before some of them does something else."""

    def count(to: int):
        for number in range(to):
            if number in pauses:
                time.sleep(pauses[number])
            yield number
        if to > 5:
            raise UnusableClip("no more than five")

    return count


def test_items_come_one_by_one_and_the_process_goes_on():
    with Isolated(partial(count_with, {})) as isolated:
        assert list(isolated.each(3)) == [0, 1, 2]
        assert list(isolated.each(0)) == []
        came = []
        with pytest.raises(UnusableClip, match="no more than five"):
            came.extend(isolated.each(7))
        (worker,) = multiprocessing.active_children()
        assert next(isolated.each(2)) == 0  # and nobody waits for the rest
        assert list(isolated.each(4)) == [0, 1, 2, 3]
        assert multiprocessing.active_children() != [worker]
    assert not multiprocessing.active_children()


def test_all_items_together_must_come_in_time_but_who_gets_them_may_take_longer():
    with Isolated(partial(count_with, {2: 600})) as isolated:
        slowly = isolated.each(2, seconds=2)
        assert next(slowly) == 0
        time.sleep(2.2)
        assert list(slowly) == [1]
        items = isolated.each(4, seconds=2)
        assert [next(items), next(items)] == [0, 1]
        with pytest.raises(ProcessEnded, match=r"was stopped after 2 s"):
            next(items)
        assert list(isolated.each(2, seconds=30)) == [0, 1]


def take(n_bytes: int):
    np.ones(n_bytes, np.uint8)


def test_the_memory_of_a_process_is_limited(tmp_path):
    start = partial(make_unless, partial(take, 2**29), tmp_path / "notes")
    made = dict(each_clip_isolated(IDS, start, memory=2**28))
    assert str(made["culprit"]).startswith("memory ran out: Unable to allocate 512. MiB")
    np.testing.assert_array_equal(made["last"], harmless("last"))
    assert not isinstance(dict(each_clip_isolated(IDS, start, memory=2**30))["culprit"], UnusableClip)
    take(2**29)  # nothing has become of this process


def test_a_mapped_file_is_not_taken_for_memory(tmp_path):
    with open(tmp_path / "large", "wb") as file:
        file.truncate(2**32)
    start = partial(make_unless, partial(look_into, tmp_path / "large"))
    assert not isinstance(dict(each_clip_isolated(IDS, start, memory=2**29))["culprit"], UnusableClip)


def look_into(path: Path):
    assert np.memmap(path, mode="r")[-1] == 0


def tell(name: str):
    def make(clip_id: str) -> str:
        return os.environ.get(name, "nothing")

    return make


def test_the_process_has_the_environment_of_now(monkeypatch):
    for value in ("one", "another"):
        monkeypatch.setenv("MICROGESTURE_TOLD", value)
        with Isolated(partial(tell, "MICROGESTURE_TOLD")) as isolated:
            assert isolated.do("clip") == value


def test_no_process_is_left_behind_and_none_is_started_for_nothing():
    made = each_clip_isolated(IDS, partial(make_unless, say_something))
    next(made)
    assert len(multiprocessing.active_children()) == 1
    made.close()
    assert not multiprocessing.active_children()
    assert list(each_clip_isolated([], refuse)) == []


def test_where_no_process_can_be_started_the_reason_is_named(tmp_path):
    code = (
        "from functools import partial\n"
        "from microgesture.videos.isolation import Isolated\n"
        "from microgesture.videos.reading import probe\n"
        "with Isolated(partial(partial, probe)) as isolated: isolated.do('x.mp4')"
    )
    far = tmp_path / ("x" * 90)
    far.mkdir()
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "TMPDIR": str(far)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert "set TMPDIR to a path of less than 80 characters" in done.stderr
