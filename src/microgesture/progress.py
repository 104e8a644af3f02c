"""Progress bars on a terminal; without a terminal a line from time to time, and one at the end."""

import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import nullcontext
from contextvars import ContextVar
from typing import TypeVar

from tqdm import tqdm

from .terminal import counted, visible

T = TypeVar("T")
EVERY = 30  # seconds between two lines without a terminal
BRIEF = 5  # seconds after which a part of longer work gets its own bar
_inside: ContextVar[bool] = ContextVar("inside", default=False)  # whether an item of another bar is in progress


def progress(
    items: Iterable[T],
    title: str,
    total: int,
    unit: str = "clip",
    *,
    done: int = 0,
    part: bool = False,
    quiet: bool = False,
    results: Callable[[], str] | None = None,
) -> Iterator[T]:
    """Iterate over items with a progress bar named ``title``; without a terminal, print lines instead.

    The lines tell every ``EVERY`` seconds how much is done and how long the rest will take, and at the end the time.
    ``done`` of the ``total`` items were done before. The bar and the line show the text that ``results`` returns. With
    ``part``, or inside another bar, the bar is temporary: it appears after some seconds and disappears at the end, and
    no line is printed. With ``quiet``, nothing is shown.
    """
    title = visible(title)
    terminal, part = sys.stderr.isatty(), part or _inside.get()
    options = {"unit": unit, "dynamic_ncols": True, "leave": not part, "delay": BRIEF if part else 0}
    started, before = time.monotonic(), done
    printed = started
    # tqdm shares a lock with forked processes, and a killed process may hold it for ever.
    seen, lines = terminal and not quiet, not (terminal or part or quiet)
    bar = tqdm(desc=title, total=total, initial=done, **options) if seen else nullcontext()
    outside = _inside.get()
    try:
        with bar:
            for item in items:
                _inside.set(True)
                yield item
                _inside.set(outside)
                done += 1
                if seen:
                    bar.set_postfix_str(results() if results else "", refresh=False)
                    bar.update()
                elif lines and done < total and (now := time.monotonic()) - printed >= EVERY:
                    printed, left = now, (now - started) / (done - before) * (total - done)
                    _print(f"{title}: {unit} {done} of {total}, {duration(left)} left", results)
    finally:
        _inside.set(outside)
    if done > before and lines:
        _print(f"{title}: {counted(done - before, unit)} in {time.monotonic() - started:.1f} s", results)


def duration(seconds: float) -> str:
    """A time in words, such as ``40 s``, ``12 min`` or ``1 h 5 min``."""
    if seconds < 100:
        return f"{seconds:.0f} s"
    hours, minutes = divmod(round(seconds / 60), 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min"


def _print(line: str, results: Callable[[], str] | None) -> None:
    print(f"{line}, {results()}" if results else line, file=sys.stderr, flush=True)
