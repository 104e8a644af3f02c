"""Clips made in a process of their own, so that one that kills the process costs nothing but itself."""

import logging
import multiprocessing
import signal
import threading
import traceback
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from logging.handlers import QueueHandler
from multiprocessing.connection import Connection
from time import monotonic
from types import SimpleNamespace
from typing import Any

import numpy as np

from .errors import InputError, UnusableClip

log = logging.getLogger(__name__)

Make = Callable[[str], np.ndarray]


class _Ended(Exception):
    """The process is no more; the message says what became of it."""


def each_clip_isolated(
    clip_ids: Iterable[str], start: Callable[[], Make], seconds: float | None = None
) -> Iterator[tuple[str, np.ndarray | UnusableClip]]:
    """Make clips one by one in another process; ``UnusableClip`` is passed on with its reason, like ``each_clip``.

    ``start`` is called once in the process and returns what makes a clip there; it must be a function of a module, or a
    ``functools.partial`` of one. When a clip ends the process (a crash in a library, the kernel for want of memory) or
    takes longer than ``seconds``, it is unusable, its reason names what happened, and the next one gets a new process.
    What the process logs is logged here. Any other error of ``start`` or of a clip is raised here: ``InputError`` as it
    is, and also if the process ends before it has started; others as ``RuntimeError`` with their traceback.
    """
    worker = None
    try:
        for clip_id in clip_ids:
            if worker is None or not worker.is_alive():
                worker = _Worker(start)
            try:
                made = worker.make(clip_id, seconds)
            except _Ended as ending:
                made = UnusableClip(f"{clip_id}: the process that worked on it {ending}")
                log.warning("%s; going on with a new one", made)
            yield clip_id, made
    finally:
        if worker is not None:
            worker.stop()


class _Worker:
    """A process that has started and waits for clips; raises ``InputError`` if it could not start."""

    def __init__(self, start: Callable[[], Make]) -> None:
        context = multiprocessing.get_context("spawn")  # a forked process could not use the GPU
        self._pipe, other_end = context.Pipe()
        self._process = context.Process(target=_work, args=(start, other_end), daemon=True)
        self._process.start()
        other_end.close()  # or the pipe would not end with the process
        try:
            failure = self._receive(None)
        except _Ended as ending:
            raise InputError(f"a process for clips {ending} before the first clip, while it started") from None
        if failure is not None:
            raise InputError(f"a process for clips could not start: {failure}")

    def is_alive(self) -> bool:
        return self._process.is_alive()

    def make(self, clip_id: str, seconds: float | None) -> np.ndarray | UnusableClip:
        with suppress(OSError):  # receiving finds out why
            self._pipe.send(clip_id)
        return self._receive(seconds)

    def stop(self) -> None:
        self._process.kill()
        self._process.join()
        self._pipe.close()

    def _receive(self, seconds: float | None) -> Any:
        """The next answer; errors are raised, ``UnusableClip`` is returned."""
        deadline = None if seconds is None else monotonic() + seconds
        while self._pipe.poll(None if deadline is None else max(deadline - monotonic(), 0)):
            try:
                answer = self._pipe.recv()
            except (EOFError, OSError):
                self._process.join()
                raise _Ended(_ending(self._process.exitcode)) from None
            if isinstance(answer, logging.LogRecord):
                logging.getLogger(answer.name).handle(answer)
            elif isinstance(answer, Exception) and not isinstance(answer, UnusableClip):
                raise answer
            else:
                return answer
        self.stop()
        raise _Ended(f"was stopped after {seconds:g} s, the longest that one clip may take")


def _ending(exit_code: int) -> str:
    if exit_code >= 0:
        return f"ended with exit status {exit_code}"
    hint = ", which the system sends when memory runs out" if exit_code == -signal.SIGKILL else ""
    return f"was ended by {signal.Signals(-exit_code).name}{hint}"


def _work(start: Callable[[], Make], pipe: Connection) -> None:
    """The process: one answer after the start (None, or the error), then one for each clip id."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the parent as well, which then ends this process
    one_at_a_time = threading.Lock()

    def send(message: Any) -> None:
        with one_at_a_time:
            pipe.send(message)

    to_parent = QueueHandler(SimpleNamespace(put_nowait=send))
    logging.basicConfig(level=logging.INFO, format="%(message)s", handlers=[to_parent], force=True)
    with suppress(EOFError, BrokenPipeError):  # the parent is gone
        make = _attempt(start)
        failed = isinstance(make, Exception)
        send(make if failed else None)
        while not failed:
            send(_attempt(make, pipe.recv()))


def _attempt(work: Callable, *arguments: str) -> Any:
    """What ``work`` returns, or its error in a form that another process can read."""
    try:
        return work(*arguments)
    except (InputError, UnusableClip) as error:
        return error
    except MemoryError as error:
        return UnusableClip(f"memory ran out: {error}")
    except Exception:
        return RuntimeError(f"in a process for clips:\n{traceback.format_exc()}")
