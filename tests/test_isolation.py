import ctypes
import logging
import multiprocessing
import os
import signal
import time
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from microgesture.errors import InputError, UnusableClip
from microgesture.isolation import each_clip_isolated

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
    [(refuse, "^depth.model: there is no such folder$"), (die_at_the_start, "ended by SIGKILL, .* while it started")],
)
def test_a_process_that_cannot_start_is_the_users_to_know(start, message):
    with pytest.raises(InputError, match=message):
        list(each_clip_isolated(IDS, start))


def test_a_bug_is_raised_with_its_place():
    with pytest.raises(RuntimeError, match=r"have_a_bug\n(.*\n)*ZeroDivisionError: what is this clip"):
        list(each_clip_isolated(IDS, partial(make_unless, have_a_bug)))


def test_what_the_process_logs_is_logged_here(caplog):
    list(each_clip_isolated(IDS, partial(make_unless, say_something)))
    assert ("microgesture.somewhere", logging.WARNING, "half of 16") in caplog.record_tuples


def test_no_process_is_left_behind_and_none_is_started_for_nothing():
    made = each_clip_isolated(IDS, partial(make_unless, say_something))
    next(made)
    assert len(multiprocessing.active_children()) == 1
    made.close()
    assert not multiprocessing.active_children()
    assert list(each_clip_isolated([], refuse)) == []
