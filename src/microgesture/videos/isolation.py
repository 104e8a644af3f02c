"""Process clips in a separate process, so that a clip that kills the process does not affect the others."""

import logging
import multiprocessing
import os
import signal
import threading
import traceback
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from logging.handlers import QueueHandler
from multiprocessing.connection import Connection
from time import monotonic, sleep
from types import SimpleNamespace
from typing import Any, Self

import numpy as np

from ..errors import InputError, UnusableClip
from ..storage.disk import DiskFull

log = logging.getLogger(__name__)

Work = Callable[..., Any]
WHOLE_JOB = 0.5  # seconds in which a kill of the whole job reaches all its processes
PRELOADED = ["microgesture.modalities.cutting"]  # so that a process that opens a video starts in 20 ms


class ProcessEnded(UnusableClip):
    """A process ended or was stopped while it worked on a clip; the message has the cause."""


def each_clip_isolated(
    clip_ids: Iterable[str],
    start: Callable[[], Callable[[str], np.ndarray]],
    seconds: float | None = None,
    memory: int | None = None,
) -> Iterator[tuple[str, np.ndarray | UnusableClip]]:
    """Compute clips one by one in another process; ``UnusableClip`` is yielded with its reason, as by ``each_clip``.

    ``start`` is called in the process and returns the function that computes a clip; see ``Isolated`` for it, for the
    limits ``seconds`` (for each clip) and ``memory``, and for other errors. If a clip ends the process (by a crash in a
    library, or because memory ran out) or takes too long, it is yielded as unusable with the cause, and the next clip
    gets a new process.
    """
    with Isolated(start, memory) as isolated:
        for clip_id in clip_ids:
            try:
                made = isolated.do(clip_id, seconds=seconds)
            except ProcessEnded as ending:
                made = UnusableClip(f"{clip_id}: {ending}")
            except UnusableClip as reason:
                made = reason
            yield clip_id, made


class Isolated:
    """Calls a function in another process, which starts with the first call, and again after a call that ended it.

    ``start`` is called once in each process and returns the function; it must be a function of a module, or a
    ``functools.partial`` of one. ``memory`` is the number of bytes that the process may allocate beyond those it starts
    with; the limit holds for this process alone. Log messages of the process are logged here, and its errors are raised
    here: ``UnusableClip``, ``InputError`` and ``DiskFull`` unchanged, a lack of memory as ``UnusableClip``,
    ``ProcessEnded`` if the process ends, ``InputError`` if it ends before it has started, and others as
    ``RuntimeError`` with their traceback. Use it in a ``with`` block, which stops the process at its end.
    """

    def __init__(self, start: Callable[[], Work], memory: int | None = None) -> None:
        self._start = start
        self._memory = memory
        self._worker: _Worker | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._stop()

    def do(self, *arguments: Any, seconds: float | None = None) -> Any:
        """Call the function and return its result; raises ``ProcessEnded`` if it takes longer than ``seconds``."""
        with self._working() as worker:
            worker.send(arguments, seconds)
            return worker.receive()

    def each(self, *arguments: Any, seconds: float | None = None) -> Iterator[Any]:
        """Yield the items of the function's iterator; raises ``ProcessEnded`` after ``seconds`` of waiting in all."""
        with self._working() as worker:
            worker.send(arguments, seconds)
            while (item := worker.receive()) is not _Last:
                yield item

    @contextmanager
    def _working(self) -> Iterator["_Worker"]:
        if self._worker is None:
            self._worker = _Worker(self._start, self._memory)
        try:
            yield self._worker
        except UnusableClip as reason:
            if isinstance(reason, ProcessEnded):
                log.warning("%s; continuing with a new process", reason)
                self._stop()
            raise
        except BaseException:  # also if the caller stops reading the answers
            self._stop()
            raise

    def _stop(self) -> None:
        if self._worker is not None:
            self._worker.stop()
            self._worker = None


class _Last:
    """Marks the end of an iterator."""


class _Worker:
    """A process that has started and waits for calls; raises ``InputError`` if it could not start."""

    def __init__(self, start: Callable[[], Work], memory: int | None) -> None:
        # Forked from a fresh server: a fork of this process could not use a GPU, nor locks that threads hold.
        context = multiprocessing.get_context("forkserver")
        context.set_forkserver_preload(PRELOADED)
        self._pipe, other_end = context.Pipe()
        arguments = (start, other_end, memory, dict(os.environ))
        self._process = context.Process(target=_work, args=arguments, daemon=True)
        try:
            self._process.start()
        except OSError as error:
            raise InputError(
                f"a process for clips could not be started ({error}); it needs a socket in the folder for temporary "
                "files; set TMPDIR to a path of less than 80 characters"
            ) from None
        other_end.close()  # otherwise the pipe would stay open when the process ends
        self._limit = self._left = None
        try:
            self.receive()
        except UnusableClip as reason:
            raise InputError(f"a process for clips could not be used: {reason} during its start") from None

    def send(self, arguments: tuple, seconds: float | None) -> None:
        self._limit = self._left = seconds
        with suppress(OSError):  # receive reports the cause
            self._pipe.send(arguments)

    def stop(self) -> None:
        self._process.kill()
        self._process.join()
        self._pipe.close()

    def receive(self) -> Any:
        """Return the next answer; errors are raised."""
        deadline = None if self._left is None else monotonic() + self._left
        while self._pipe.poll(None if deadline is None else max(deadline - monotonic(), 0)):
            try:
                answer = self._pipe.recv()
            except (EOFError, OSError):
                self._process.join()
                sleep(WHOLE_JOB)  # if the whole job is being killed, the clip must not be blamed
                raise ProcessEnded(f"the process that worked on it {_ending(self._process.exitcode)}") from None
            if isinstance(answer, logging.LogRecord):
                logging.getLogger(answer.name).handle(answer)
                continue
            if isinstance(answer, Exception):
                raise answer
            self._left = None if deadline is None else deadline - monotonic()
            return answer
        raise ProcessEnded(f"the process that worked on it was stopped after {self._limit:g} s, the time limit")


def _ending(exit_code: int) -> str:
    if exit_code >= 0:
        return f"ended with exit status {exit_code}"
    hint = ", which the system sends when memory runs out" if exit_code == -signal.SIGKILL else ""
    return f"was ended by {signal.Signals(-exit_code).name}{hint}"


def _work(start: Callable[[], Work], pipe: Connection, memory: int | None, environment: dict[str, str]) -> None:
    """Run the process: send one answer after the start (None, or the error), then the answers to each call."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGUSR1):  # the parent gets them too and stops this process
        signal.signal(number, signal.SIG_IGN)
    os.environ.update(environment)  # the current one, not that of the start of the server
    _limit(memory)
    one_at_a_time = threading.Lock()

    def send(message: Any) -> None:
        with one_at_a_time:
            pipe.send(message)

    to_parent = QueueHandler(SimpleNamespace(put_nowait=send))
    logging.basicConfig(level=logging.INFO, format="%(message)s", handlers=[to_parent], force=True)
    with suppress(EOFError, BrokenPipeError):  # the parent has ended
        work = _attempt(start)
        failed = isinstance(work, Exception)
        send(work if failed else None)
        while not failed:
            for answer in _answers(work, pipe.recv()):
                send(answer)


def _limit(memory: int | None) -> None:
    """Limit the allocations of the process to ``memory`` bytes beyond its present ones, if the system can (Linux).

    The limit counts writable memory. The address space is no measure of it: libraries, mapped files and reserves of an
    allocator take address space without using memory.
    """
    allocated = _allocated()
    if memory is None or allocated is None:
        return
    import resource  # not on every system

    _, most = resource.getrlimit(resource.RLIMIT_DATA)
    allowed = memory + allocated
    resource.setrlimit(resource.RLIMIT_DATA, (allowed if most == resource.RLIM_INFINITY else min(allowed, most), most))


def _allocated() -> int | None:
    """Return the bytes of writable memory of this process, or None if the system does not report them, as on macOS.

    Those of libraries depend on the number of cores.
    """
    with suppress(FileNotFoundError), open("/proc/self/statm", encoding="ascii") as pages:
        return int(pages.read().split()[5]) * os.sysconf("SC_PAGE_SIZE")
    return None


def _answers(work: Work, arguments: tuple) -> Iterator[Any]:
    answer = _attempt(work, *arguments)
    if not isinstance(answer, Iterator):
        yield answer
        return
    items, item = answer, None
    while not (item is _Last or isinstance(item, Exception)):
        item = _attempt(next, items, _Last)
        yield item


def _attempt(work: Callable, *arguments: Any) -> Any:
    """Return the result of ``work``, or its error in a form that another process can read."""
    try:
        return work(*arguments)
    except (InputError, UnusableClip, DiskFull) as error:
        return error
    except MemoryError as error:
        return UnusableClip(f"memory ran out: {error}")
    except Exception:
        return RuntimeError(f"in a process for clips:\n{traceback.format_exc()}")
