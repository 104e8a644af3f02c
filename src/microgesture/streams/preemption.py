"""Preemption: on SIGTERM or SIGUSR1 a training saves its state and ends."""

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

# Clusters send one of these some time before they kill a job. Windows has no SIGUSR1.
SIGNALS = tuple(getattr(signal, name) for name in ("SIGTERM", "SIGUSR1") if hasattr(signal, name))
EXIT_STATUS = os.EX_TEMPFAIL  # temporary failure, see sysexits.h


class Stopped(Exception):
    """The state was saved and the work ended early on request; the message contains the progress."""


class StopRequest:
    """A request to stop, and the signal that made it; training checks it between steps."""

    def __init__(self) -> None:
        self.signal: signal.Signals | None = None

    @property
    def is_made(self) -> bool:
        """Whether a signal was received."""
        return self.signal is not None

    def receive(self, number: int, _frame: FrameType | None = None) -> None:
        """Store the signal; this is a signal handler."""
        self.signal = signal.Signals(number)


@contextmanager
def stop_on_signals() -> Iterator[StopRequest]:
    """Turn SIGTERM and SIGUSR1 into a ``StopRequest`` while the block runs; previous handlers are restored after it.

    This works in the main thread only; in any other thread no request is ever made.
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
    """Block SIGTERM and SIGUSR1 for processes that are started in the block; they call ``obey_parent_alone``.

    A cluster sends these signals to all processes of a job. If the helper processes ended, the main process could not
    finish its step and save its state.
    """
    before = signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def obey_parent_alone(_number: int = 0) -> None:
    """End this process on signals from its parent only; it must have been started with ``signals_withheld``.

    The argument is ignored; it is for callers that pass the number of the process.
    """
    parent = os.getppid()

    def wait() -> None:
        if hasattr(signal, "sigwaitinfo"):
            while signal.sigwaitinfo(SIGNALS).si_pid != parent:
                pass
        else:  # macOS, where no cluster sends signals to all processes of a job
            signal.sigwait(SIGNALS)
        os._exit(0)

    threading.Thread(target=wait, daemon=True).start()
