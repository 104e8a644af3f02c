"""Being told to stop: a training that the system wants off its machine saves its state and ends."""

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

SIGNALS = (signal.SIGTERM, signal.SIGUSR1)  # what clusters send some time before they kill
EXIT_STATUS = os.EX_TEMPFAIL  # as sysexits.h has it: not now, try again


class Stopped(Exception):
    """Work was saved and ended early because that was requested; the message says how far it is."""


class StopRequest:
    """Whether this process was told to stop, and by which signal; those who work look at it between their steps."""

    def __init__(self) -> None:
        self.signal: signal.Signals | None = None

    @property
    def is_made(self) -> bool:
        """Whether a signal has come."""
        return self.signal is not None

    def receive(self, number: int, _frame: FrameType | None = None) -> None:
        """Note a signal; made to be its handler."""
        self.signal = signal.Signals(number)


@contextmanager
def stop_on_signals() -> Iterator[StopRequest]:
    """A request that SIGTERM and SIGUSR1 make while the block runs, in place of what they did before.

    Only the main thread can be told so; in any other the request is never made.
    """
    request = StopRequest()
    if threading.current_thread() is not threading.main_thread():
        yield request
        return
    before = {number: signal.signal(number, request.receive) for number in SIGNALS}
    try:
        yield request
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def signals_withheld() -> Iterator[None]:
    """Processes that are started in the block are not reached by SIGTERM and SIGUSR1: they ``obey_parent_alone``.

    A cluster signals all processes of a job. Were those that help to end by that, the one that is to save its state
    could not finish its step.
    """
    before = signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def obey_parent_alone(_number: int = 0) -> None:
    """End this process, which was started with ``signals_withheld``, when its parent sends SIGTERM, and by no other's.

    The argument is for callers that number the processes they start.
    """
    parent = os.getppid()

    def wait() -> None:
        while signal.sigwaitinfo(SIGNALS).si_pid != parent:
            pass
        os._exit(0)

    threading.Thread(target=wait, daemon=True).start()
